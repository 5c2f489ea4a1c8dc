//! What a whole Debian is asked about persisted policies, in one of a row of boots that share one disk.
//!
//! Test units run it: `early` before boot-complete.target, `late` when everything is up, in some boots `files` before udev. Which
//! boot it is stands on the kernel's command line. In a boot that is to fail, `early` has the last word, and the machine restarts
//! at once. In a boot trial (`whodunit`), which goes through several boots by itself, `down` reports when the last of them ends.

mod advice;
mod checks;
mod export;
mod list;
mod policy;
mod system;
mod whodunit;

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use iova_guest::channel::{self, Channel, send};
use iova_guest::verdict::{Line, Verdict};
use iova_guest::wire::Kind;
use iova_guest::{Report, job};

/// How the host says which boot it is.
const PARAMETER: &str = "iova.boot=";

fn main() {
    if let Err(error) = run() {
        // The console is where the host looks when a guest ends without a result.
        let _ = std::fs::write("/dev/console", format!("guest-boot: {error:#}\n"));
    }
}

fn run() -> Result<()> {
    let parameters = std::fs::read_to_string("/proc/cmdline")?;
    let boot = parameters.split_whitespace().find_map(|word| word.strip_prefix(PARAMETER));
    let boot = boot.with_context(|| format!("the kernel's command line has no {PARAMETER}"))?;
    let fails = checks::fails(boot);
    match (std::env::args().nth(1).as_deref(), fails) {
        (Some("edus"), _) => whodunit::work(),
        (Some("down"), _) => whodunit::down(boot, &parameters),
        (Some("late"), _) if boot == whodunit::BOOT => whodunit::begin(&parameters),
        (Some("early"), false) => policy::remember_mark(),
        (Some("early"), true) | (Some("late"), false) => {
            let channel = channel::open(job::CHANNEL)?;
            answer(&channel, boot)?;
            end(fails)
        }
        (Some("files"), _) if boot == "capped" => list::install(),
        (Some("files"), _) => advice::install(boot == "fleet"),
        (Some("late"), true) => bail!("a boot that should have failed went on"),
        _ => bail!("say early, late, files, down or edus"),
    }
}

fn answer(channel: &Channel, boot: &str) -> Result<()> {
    let all: Vec<(&str, &dyn Fn() -> Result<String>)> =
        checks::of(boot)?.iter().map(|(name, check)| (*name, check as _)).collect();
    answer_with(channel, boot, &all)
}

fn answer_with(channel: &Channel, boot: &str, all: &[(&str, &dyn Fn() -> Result<String>)]) -> Result<()> {
    send(channel, Kind::Started, &[])?;
    let mut code = 0;
    for (name, check) in all {
        let (name, begin) = (format!("boot.{boot}.{name}"), Instant::now());
        let answer = check().map_err(|error| format!("{error:#}").replace('\n', " | "));
        let (remark, verdict) = match &answer {
            Ok(remark) => (remark.as_str(), Verdict::Passed),
            Err(why) => ("", Verdict::Failed(why)),
        };
        code |= i32::from(answer.is_err());
        let line = Line { name: &name, verdict, took: Some(begin.elapsed()) };
        send(channel, Kind::Stdout, format!("{remark}{line}\n").as_bytes())?;
    }
    if code != 0 {
        send(channel, Kind::Stderr, system::journal(&[])?.as_bytes())?;
    }
    channel::send_kernel_log(channel)?;
    send(channel, Kind::Report, &serde_json::to_vec(&Report { code, problems: Vec::new(), iova: None })?)?;
    channel::drain(channel);
    Ok(())
}

/// Good order, or none: nothing is written back and nothing is unmounted.
fn end(fails: bool) -> Result<()> {
    if fails {
        return std::fs::write("/proc/sysrq-trigger", "b").context("restarting at once");
    }
    let status = Command::new("systemctl").args(["--no-block", "poweroff"]).status()?;
    if status.success() { Ok(()) } else { bail!("systemctl poweroff: {status}") }
}
