//! Ways to end.

use std::os::unix::process::ExitStatusExt;

use anyhow::{Result, ensure};

use super::run::{Running, allocations, device, iova};
use super::{NVME, load};
use crate::Outcome;

/// Ctrl-C while it still attaches is early, but the report comes all the same.
pub(super) fn interrupt() -> Result<Outcome> {
    let args = ["report", "--format", "json", "--duration", "1h"];
    let mut running = Running::start(iova(&args))?;
    running.attached()?;
    running.signal(libc::SIGINT);
    let report = running.end()?.code(0)?.quiet()?.json()?;
    ensure!(report["interrupted"] == true, "the report does not say that it ended early");
    device(&report, NVME, "present")?;
    Ok(Outcome::Passed)
}

/// The measured command is told too.
pub(super) fn terminate() -> Result<Outcome> {
    let mut running = Running::measure(&["--profile", "light", "--format", "json"])?;
    let _open = running.keep_stdin();
    load::pairs(NVME, 500)?;
    running.signal(libc::SIGTERM);
    let report = running.end()?.code(0)?.json()?;
    ensure!(report["interrupted"] == true, "the report does not say that it ended early");
    ensure!(report["command"]["signal"] == libc::SIGTERM, "the command: {}", report["command"]);
    let count = allocations(device(&report, NVME, "present")?)?;
    ensure!(count == 500, "{count} allocations, the module made 500");
    Ok(Outcome::Passed)
}

pub(super) fn kill() -> Result<Outcome> {
    let running = Running::measure(&["--profile", "full"])?;
    load::pairs(NVME, 500)?;
    running.signal(libc::SIGKILL);
    let answer = running.end()?;
    ensure!(answer.status.signal() == Some(libc::SIGKILL), "{}", answer.status);
    ensure!(answer.stdout.is_empty(), "a killed process wrote a report");
    Ok(Outcome::Passed)
}
