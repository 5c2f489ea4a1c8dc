//! What a user may mistype.

use anyhow::{Result, ensure};

use super::NVME;
use super::run::{Running, ask, device, iova};
use crate::Outcome;

pub(super) fn wrong_usage() -> Result<Outcome> {
    for (args, hint) in [
        (&["report", "--duration", "10x"][..], "no unit of time"),
        (&["report", "--duration", "-5"], "unexpected argument"),
        (&["report", "--duration", "0"], "10ms to 24h"),
        (&["report", "--duration", "1s", "--", "true"], "cannot be used with"),
        (&["report", "--fast"], "--fast"),
        (&["devices", "--device", "eth0"], "--device"),
        (&["raport"], "report"),
    ] {
        let answer = ask(args)?.code(2)?;
        ensure!(answer.stderr.contains(hint), "{args:?}: {}", answer.stderr);
        ensure!(answer.stdout.is_empty(), "{args:?} wrote to standard output");
    }
    Ok(Outcome::Passed)
}

pub(super) fn unknown_device() -> Result<Outcome> {
    for (given, nearest) in [("nvme0n2", "'nvme0n1'"), ("etho", "'eth0'"), ("00:04.1", "'00:04.0'")] {
        let words = [given, "did you mean", nearest, "iova devices"];
        ask(&["devices", given])?.code(2)?.sentence(&words)?;
    }
    let report = ask(&["report", "--duration", "10ms", "--device", "nvme0n2"])?.code(2)?;
    report.sentence(&["'nvme0n2'", "did you mean 'nvme0n1'"])?;
    ask(&["devices", "tape\x1b[2J"])?.code(2)?.sentence(&["'tape?[2J'", "iova devices"])?;
    Ok(Outcome::Passed)
}

pub(super) fn commands() -> Result<Outcome> {
    let missing = ["report", "--profile", "light", "--", "/no/such/program"];
    ask(&missing)?.code(2)?.sentence(&["'/no/such/program'"])?;
    let args = ["report", "--profile", "light", "--format", "json", "--", "sh", "-c", "kill -9 $$"];
    let report = Running::start(iova(&args))?.end()?.code(0)?.json()?;
    ensure!(report["command"]["signal"] == 9, "{}", report["command"]);
    ensure!(report["interrupted"] == false, "nobody interrupted it");
    device(&report, NVME, "present")?;
    Ok(Outcome::Passed)
}
