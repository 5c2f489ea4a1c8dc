//! What watching costs the watcher.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::run::{Running, iova, remark};
use crate::Outcome;

/// Twice the binary itself, about.
const MEMORY_KIB: u64 = 20 << 10;
/// A translated guest on a busy machine; one second is the aim on a real one.
const FIRST_SAMPLE: Duration = Duration::from_secs(120);

pub(super) fn memory_and_first_sample() -> Result<Outcome> {
    for profile in ["default", "full"] {
        let (first, memory) = measure(profile)?;
        remark(&format!(
            "profile {profile}: first sample after {:.2} s, peak {memory} KiB",
            first.as_secs_f32()
        ));
        ensure!(memory <= MEMORY_KIB, "{memory} KiB at the peak in profile {profile}, {MEMORY_KIB} allowed");
        ensure!(first <= FIRST_SAMPLE, "the first sample after {first:?}");
    }
    Ok(Outcome::Passed)
}

/// Time from start to first sample, and the peak of the memory used up to the written report.
fn measure(profile: &str) -> Result<(Duration, u64)> {
    let (mut reader, writer) = std::io::pipe()?;
    // A pipe too small for the report, so that the process is still there when all of its work is done.
    // SAFETY: no pointers; the descriptor is open.
    unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
    let args = ["report", "--format", "json", "--profile", profile, "--", "sh", "-c", "echo up; exec cat"];
    let mut command = iova(&args);
    command.stdin(Stdio::piped()).stdout(writer);
    let start = Instant::now();
    let mut running = Running::start(command)?;
    running.hear("up")?;
    let first = start.elapsed();
    running.close_stdin();
    reader.read_exact(&mut [0]).context("no report")?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let peak = peak.trim().trim_end_matches(" kB").parse()?;
    reader.read_to_end(&mut Vec::new())?;
    running.end()?.code(0)?;
    Ok((first, peak))
}
