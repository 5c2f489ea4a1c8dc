//! `cargo xtask bench`: what tracing adds to a map+unmap pair, in exact guest instructions, per kernel and profile.

mod baseline;
mod start;
mod table;
mod top;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use self::baseline::Baseline;
pub(crate) use self::baseline::Pair;
use crate::bpf::{self, Object};
use crate::kernels::Line;
use crate::lab::{self, GuestSpec, Iommu, Programs, Spent};
use crate::pool;
use crate::setup::{self, Need};

/// The program in the guest.
const RUNNER: &str = "guest-bench";
/// Counting instructions takes one CPU, and other guests may run beside it.
const PATIENCE: Duration = Duration::from_secs(1800);
/// A kernel takes about so long, beside other guests: instructions don't care how fast they run.
pub(crate) const SECONDS: u32 = 120;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these kernels
    #[arg(long, value_enum, value_name = "LINE")]
    kernel: Vec<Line>,
    /// Make what is measured now the baseline
    #[arg(long)]
    update: bool,
    /// Write the counts to a file for `iova gate`, instead of judging them by the checked-in baseline
    #[arg(long, value_name = "FILE", conflicts_with = "update")]
    json: Option<PathBuf>,
    /// Measure the screen of `iova top` instead: its time and memory with 200 devices and 64 CPUs
    #[arg(long, conflicts_with_all = ["kernel", "update", "json"])]
    top: bool,
}

/// `cargo xtask bench`.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.top {
        return top::run(false);
    }
    let lines = if args.kernel.is_empty() { Line::COUNTED.to_vec() } else { args.kernel.clone() };
    let mut measured = measure(&lines)?;
    measured.sort_by_key(Pair::place);
    print!("{}", table::render(&measured));
    if let Some(place) = &args.json {
        return values::write(place, &measured);
    }
    let mut baseline = Baseline::load()?;
    if args.update {
        baseline.replace(measured);
        return baseline.store();
    }
    baseline.judge(&measured)
}

/// Shows what was measured, and fails on a regression; for `cargo xtask test`.
pub(crate) fn judge(measured: &mut [Pair]) -> Result<()> {
    measured.sort_by_key(Pair::place);
    print!("{}", table::render(measured));
    Baseline::load()?.judge(measured)
}

/// Fails if the screen of `iova top` takes too long or too much; for `cargo xtask test`.
pub(crate) fn check_top() -> Result<()> {
    top::run(true)
}

fn measure(lines: &[Line]) -> Result<Vec<Pair>> {
    setup::ensure(&[Need::Bpf, Need::Qemu, Need::Kernels(lines.to_vec())])?;
    let programs = Programs::shipped()?;
    prepare(&programs)?;
    let guest = |line| Ok(guest(line, &programs).with_context(|| format!("kernel {line}"))?.0);
    pool::run(lines.to_vec(), |_| SECONDS, guest)
}

/// What its guests need beside the usual programs.
pub(crate) fn prepare(programs: &Programs) -> Result<()> {
    ensure!(programs.has(RUNNER), "tests/guest builds no {RUNNER}; add it to its Cargo.toml");
    bpf::object(Object::Floor).map(drop)
}

/// Measures one kernel; says what that took, too.
pub(crate) fn guest(line: Line, programs: &Programs) -> Result<(Pair, Spent)> {
    let mut spec = GuestSpec::new(line, Iommu::Intel, vec![RUNNER.to_owned()]);
    (spec.icount, spec.cpus, spec.timeout) = (true, 1, PATIENCE);
    spec.files = vec![("/lib/iova/floor.bpf.o".into(), Object::Floor.place())];
    let result = lab::guest(&spec, programs)?;
    lab::splat_check(&result)?;
    let stdout = String::from_utf8_lossy(&result.stdout);
    if result.code != 0 {
        bail!("{RUNNER} ended with code {}: {}", result.code, String::from_utf8_lossy(&result.stderr).trim());
    }
    Ok((Pair::parse(line, stdout.trim())?, result.spent))
}
