//! `cargo xtask lab`: boots a stock kernel behind an emulated IOMMU and runs a command in it.

mod accel;
mod cache;
mod collect;
mod console;
mod cpio;
mod cut;
mod fds;
mod initramfs;
mod kmsg;
mod listed;
mod modules;
mod pin;
mod prepare;
mod qemu;
mod run;
mod signals;
mod spec;
mod spent;
mod systemd;
mod terminal;
mod watch;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};

pub(crate) use cache::{Forgetful, Lost};
pub(crate) use cut::{Cut, Fate};
pub(crate) use fds::disk as anonymous_disk;
pub(crate) use initramfs::Programs;
pub(crate) use run::{EndedEarly, Image, run as guest, splat_check};
pub(crate) use signals::Interrupted;
pub(crate) use spec::{GuestResult, GuestSpec, Io, Iommu, Out};
pub(crate) use spent::Spent;
pub(crate) use systemd::{ensure_packages as ensure_systemd, state_disk};

use crate::kernels::Line;
use crate::say;

/// What to boot and what to run in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The stock kernel to boot (default: 6.12; 6.1 for the screen that a terminal gets)
    #[arg(long, value_enum, value_name = "LINE")]
    kernel: Option<Line>,
    /// The IOMMU in front of the devices
    #[arg(long, value_enum, default_value = "intel")]
    iommu: Iommu,
    /// Unmap synchronously instead of through the flush queue
    #[arg(long)]
    strict: bool,
    /// Boot with iommu=pt, so that devices bypass translation
    #[arg(long, conflicts_with = "strict")]
    passthrough: bool,
    /// Run the command (default: a shell) on this terminal; Ctrl-A x ends the guest
    #[arg(long, conflicts_with = "timeout")]
    shell: bool,
    /// Memory in MiB
    #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u32).range(256..))]
    memory: u32,
    /// Number of CPUs
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Count instructions: one CPU, one guest nanosecond per instruction
    #[arg(long)]
    icount: bool,
    /// The address bits that the edu device keeps, without telling anybody
    #[arg(long, default_value = "0xffffffff", value_name = "MASK", value_parser = parse_mask)]
    edu_mask: u64,
    /// More kernel parameters
    #[arg(long, value_name = "PARAMETERS", allow_hyphen_values = true)]
    append: Vec<String>,
    /// Bring a file or directory of the guest back
    #[arg(long, value_name = "GUESTPATH:HOSTDIR")]
    out: Vec<Out>,
    /// Put a file of the host into the guest
    #[arg(long, value_name = "HOSTFILE:GUESTPATH", value_parser = parse_put)]
    put: Vec<(String, PathBuf)>,
    /// Leave out iova, the suites and the load module: a kernel, busybox and nothing to build
    #[arg(long)]
    bare: bool,
    /// Write the guest's kernel log to a file
    #[arg(long, value_name = "FILE")]
    dmesg: Option<PathBuf>,
    /// Give up after this many seconds (default: 600; never on a terminal)
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The command (default: a load and `iova top` on a terminal, else a mixed load and a report about it)
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// The exit code of a lab that got no result out of its guest; no command of ours uses it.
const NO_RESULT: u8 = 125;

/// The guest's script behind `cargo xtask lab` without a terminal: a load and a report.
const REPORT: &str = "demo";
/// And with one: a load and `iova top`.
const SHOW: &str = "lab-show";
/// From 6.6 on a device that fails below 4 GiB once never tries there again, and the trouble is over before it is seen.
/// Here each allocation goes on to search in vain, as on the hosts that this tool was made for.
const SHOW_LINE: Line = Line::V6_1;

/// Who the guest is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    /// Somebody at a terminal.
    Human,
    Program,
}

impl User {
    fn detect() -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        if terminal { Self::Human } else { Self::Program }
    }
}

/// Boots the guest and returns its command's exit code.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let code = boot(&args.spec(User::detect()), args).unwrap_or_else(|error| {
        say(format_args!("{error:#}"));
        error.downcast_ref().map_or(NO_RESULT, Interrupted::exit_code)
    });
    Ok(ExitCode::from(code))
}

/// What `cargo xtask lab` boots for somebody who says nothing more; for `cargo xtask test`.
pub(crate) fn usual() -> Result<GuestSpec> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let args = <Line as clap::Parser>::try_parse_from(["lab"])?.args;
    Ok(GuestSpec { io: Io::Capture, ..args.spec(User::Program) })
}

fn boot(spec: &GuestSpec, args: &Args) -> Result<u8> {
    let programs = if args.bare { prepare::prepare_bare(spec.line)? } else { prepare::prepare(spec.line)? };
    if spec.io == Io::Terminal {
        say(format_args!("booting {} for this terminal; Ctrl-A x ends the guest", spec.line.name()));
    }
    let result = guest(spec, &programs)?;
    conclude(args, &result)?;
    Ok(u8::try_from(result.code).unwrap_or(u8::MAX))
}

fn conclude(args: &Args, result: &GuestResult) -> Result<()> {
    for problem in &result.problems {
        say(format_args!("guest: {problem}"));
    }
    if let Err(error) = splat_check(result) {
        say(format_args!("warning: {error:#}"));
    }
    if let Some(path) = &args.dmesg {
        std::fs::write(path, result.log.to_string())
            .map_err(|error| anyhow!("cannot write the kernel log to {}: {error}", path.display()))?;
    }
    let (boot, off) = (result.boot().as_secs_f32(), result.spent.wall.as_secs_f32());
    say(format_args!("booted in {boot:.1} s, off after {off:.1} s"));
    Ok(())
}

impl Args {
    fn spec(&self, user: User) -> GuestSpec {
        // A bare guest has nothing to show.
        let show = user == User::Human && self.command.is_empty() && !self.shell && !self.bare;
        let default = match (self.shell, show) {
            (true, _) => "sh",
            (false, true) => SHOW,
            (false, false) => REPORT,
        };
        let command = if self.command.is_empty() { vec![default.to_owned()] } else { self.command.clone() };
        let line = self.kernel.unwrap_or(if show { SHOW_LINE } else { Line::V6_12 });
        let mut spec = GuestSpec::new(line, self.iommu, command);
        spec.strict = self.strict;
        spec.passthrough = self.passthrough;
        spec.memory = self.memory;
        spec.cpus = self.cpus;
        spec.icount = self.icount;
        spec.edu_mask = self.edu_mask;
        spec.append.clone_from(&self.append);
        spec.out.clone_from(&self.out);
        spec.files.clone_from(&self.put);
        if self.shell || show {
            spec.io = Io::Terminal;
            spec.env = terminal::environment();
        } else {
            spec.io = Io::Stream;
        }
        // Nobody types against a clock.
        let patience = if spec.io == Io::Terminal { 7 * 24 * 3600 } else { 600 };
        spec.timeout = Duration::from_secs(self.timeout.unwrap_or(patience));
        spec
    }
}

/// Ones from bit 0 on, such as 0xfffffffff for 36 bits: what devices break is their high bits.
fn parse_mask(text: &str) -> Result<u64> {
    let digits = text.strip_prefix("0x").ok_or_else(|| anyhow!("write it as 0xffffffff"))?;
    let mask = u64::from_str_radix(digits, 16)?;
    if mask.trailing_ones() < 28 || mask.trailing_ones() + mask.leading_zeros() != u64::BITS {
        return Err(anyhow!("write the bits that are kept as ones, 28 at least: 0xfffffffff for 36 bits"));
    }
    Ok(mask)
}

fn parse_put(text: &str) -> Result<(String, PathBuf)> {
    match text.rsplit_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => Ok((guest.into(), host.into())),
        _ => Err(anyhow!("write it as HOSTFILE:GUESTPATH, such as ./script.sh:/bin/script")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Lab {
        #[command(flatten)]
        args: Args,
    }

    fn spec(user: User, words: &[&str]) -> GuestSpec {
        let line = [&["lab"], words].concat();
        <Lab as clap::Parser>::try_parse_from(line).unwrap().args.spec(user)
    }

    #[test]
    fn a_terminal_gets_the_screen_and_a_program_the_report() {
        let shown = spec(User::Human, &[]);
        assert_eq!((&*shown.argv[0], shown.io, shown.line), (SHOW, Io::Terminal, Line::V6_1));
        assert_eq!(spec(User::Human, &["--kernel", "6.12"]).line, Line::V6_12);
        let report = spec(User::Program, &[]);
        assert_eq!((&*report.argv[0], report.io, report.line), (REPORT, Io::Stream, Line::V6_12));
        for words in [&["--", "true"][..], &["--bare"]] {
            assert_eq!(spec(User::Human, words).io, Io::Stream, "{words:?}");
        }
        assert_eq!(spec(User::Human, &["--shell"]).argv, ["sh"]);
    }

    #[test]
    fn a_mask_is_a_run_of_low_bits() {
        assert_eq!(parse_mask("0xffffffff").unwrap(), 0xffff_ffff);
        assert_eq!(parse_mask("0xffffffffffffffff").unwrap(), u64::MAX);
        for bad in ["", "ffffffff", "0x", "0xfffffff0", "0x1ffffffffffffffff", "0xffff", "36"] {
            assert!(parse_mask(bad).is_err(), "{bad}");
        }
    }
}
