//! A verification that does not come to its end.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::answer::{self, Before, tell};
use super::widths::{command, edus};
use crate::Outcome;
use crate::policy::device::{self, Device, NVME, PATIENCE};
use crate::robust::run::{Running, ask, iova};

/// Without the module it says so; with it, what else there is; and nothing is changed by looking.
pub(super) fn conditions() -> Result<Outcome> {
    device::rmmod("iova_policy")?;
    let without = ask(&["verify", NVME.0, "--dry-run"])?.code(2)?;
    without.says(&["no module", "modprobe iova_policy"])?;
    device::module()?;
    let before = Before::of(NVME)?;
    let with = ask(&["verify", NVME.0, "--dry-run"])?.code(0)?;
    println!("# {}", with.stdout.replace('\n', "\n# "));
    with.says(&["ok module", "ok group", "ok disk", "can be verified"])?;
    before.is_back(NVME)?;
    ask(&["verify", NVME.0, "--resume"])?.code(2)?.sentence(&["nothing to go on with"])?;
    ask(&["verify", NVME.0, "--close"])?.code(2)?.sentence(&["nothing to close"])?;
    let (edu, _) = an_edu()?;
    ask(&["verify", edu.0])?.code(2)?;
    Ok(Outcome::Passed)
}

/// A device that keeps 40 bits: wide enough for some steps, and known.
fn an_edu() -> Result<(Device, u64)> {
    let found = edus()?.into_iter().find(|(_, bits)| *bits == 40);
    found.ok_or_else(|| anyhow::anyhow!("this guest has no edu device of 40 bits"))
}

/// Starts, and returns when the step of 36 bits has passed.
fn started(device: Device) -> Result<Running> {
    let command = command(device)?;
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let args = [&["verify", device.0, "--format", "json", "--for", "2s"], &command[..]].concat();
    let mut running = Running::start(iova(&args))?;
    running.hear_part("36 bits: passed")?;
    Ok(running)
}

pub(super) fn interrupted() -> Result<Outcome> {
    let (edu, bits) = an_edu()?;
    let before = Before::of(edu)?;
    let running = started(edu)?;
    running.signal(libc::SIGINT);
    let answer = running.end()?.code(1)?;
    tell(&answer);
    before.is_back(edu)?;
    ensure!(answer.json()?["answer"].is_null(), "it came to an answer: {}", answer.stdout);
    ask(&["verify", edu.0])?.code(2)?;
    goes_on(edu, bits)?;
    before.is_back(edu)?;
    Ok(Outcome::Passed)
}

fn goes_on(edu: Device, bits: u64) -> Result<()> {
    let answer = ask(&["verify", edu.0, "--resume", "--format", "json"])?;
    tell(&answer);
    let record = answer.code(1)?.json()?;
    ensure!(answer::bits(&record)? == (bits, bits), "the answer is {}", record["answer"]);
    let steps = record["steps"].as_array().map_or(0, Vec::len);
    let of_36 = record["steps"].as_array().into_iter().flatten().filter(|step| step["width"] == 36).count();
    ensure!(of_36 == 1, "36 bits had passed, and were tried {of_36} times of {steps} steps");
    Ok(())
}

pub(super) fn killed() -> Result<Outcome> {
    let (edu, bits) = an_edu()?;
    let before = Before::of(edu)?;
    for resume in [false, true] {
        let running = started(edu)?;
        running.signal(libc::SIGKILL);
        let _ = running.end();
        // Its command lives on for a moment.
        std::thread::sleep(Duration::from_secs(1));
        if resume {
            goes_on(edu, bits)?;
        } else {
            let closed = ask(&["verify", edu.0, "--close", "--format", "json"])?.code(0)?.json()?;
            ensure!(closed["answer"].is_null(), "closed with an answer: {}", closed["answer"]);
            ask(&["verify", edu.0, "--close"])?.code(2)?.sentence(&["nothing to close"])?;
        }
        edu.until("state", |state| state == "idle", PATIENCE)?;
        before.is_back(edu)?;
    }
    Ok(Outcome::Passed)
}
