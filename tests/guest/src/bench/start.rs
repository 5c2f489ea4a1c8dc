//! The cost of a start: instructions from the start of `iova` to its first sample, and of `iova devices` as a whole.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// Where the measured command leaves the time at which it began.
const BEGAN: &str = "/tmp/began";

/// Instructions to the first sample of these profiles, and of `iova devices`.
pub(crate) fn measure() -> Result<Value> {
    Ok(json!({
        "default": first_sample("default")?,
        "full": first_sample("full")?,
        "devices": devices()?,
    }))
}

/// The measured command begins when the first sample is taken.
fn first_sample(profile: &str) -> Result<u64> {
    let own = std::env::current_exe()?;
    let mut command = Command::new("iova");
    command.args(["report", "--format", "json", "--profile", profile, "--"]).arg(own).arg("began");
    let start = now();
    run(&mut command)?;
    let began = fs::read_to_string(BEGAN).context("the measured command left no time")?;
    let began: u64 = began.parse().with_context(|| format!("the measured command left '{began}'"))?;
    fs::remove_file(BEGAN)?;
    Ok(began.saturating_sub(start))
}

fn devices() -> Result<u64> {
    let start = now();
    run(Command::new("iova").arg("devices"))?;
    Ok(now() - start)
}

/// Leaves the time; for the measured command.
pub(crate) fn began() -> Result<()> {
    fs::write(BEGAN, now().to_string()).context("leaving the time")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context("cannot start iova")?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// CLOCK_MONOTONIC, ns: instructions, in a guest that counts them.
fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
