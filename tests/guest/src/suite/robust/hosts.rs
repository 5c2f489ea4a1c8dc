//! Hosts booted otherwise: strict, passthrough, without an IOMMU, locked down; or with a real-time kernel.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::run::{Running, allocations, ask, device, unknown};
use super::{NVME, load};
use crate::Outcome;

const REPORT: [&str; 5] = ["report", "--format", "json", "--duration", "10ms"];

/// Nothing to measure is an answer: exit code 0, and one finding that says so.
fn nothing_happens(words: &[&str]) -> Result<()> {
    let report = ask(&REPORT)?.code(0)?.quiet()?.json()?;
    let finding = &report["findings"][0];
    ensure!(finding["id"] == "no-iova-allocation", "{}", report["findings"]);
    for word in words {
        ensure!(finding["text"].as_str().is_some_and(|text| text.contains(word)), "{finding} lacks {word:?}");
    }
    ensure!(finding["action"].as_str().is_some_and(|action| action.contains("boot with")), "{finding}");
    let args = ["report", "--format", "json", "--", "sh", "-c", "exit 7"];
    let report = ask(&args)?.code(0)?.json()?;
    ensure!(report["command"]["exit_code"] == 7, "{}", report["command"]);
    ask(&["report", "--duration", "10ms"])?.code(0)?.says(words)?;
    Ok(())
}

pub(super) fn no_iommu() -> Result<Outcome> {
    nothing_happens(&["No IOVA allocation happens here", "no IOMMU is active"])?;
    ask(&["doctor"])?.code(2)?.says(&["missing iommu no IOMMU is in use", "intel_iommu=on"])?;
    ask(&["devices"])?.code(0)?.says(&["No device is behind an IOMMU", "intel_iommu=on"])?;
    ask(&["report", "--device", "nvme0n1"])?.code(2)?.sentence(&["'nvme0n1'"])?;
    Ok(Outcome::Passed)
}

pub(super) fn passthrough() -> Result<Outcome> {
    nothing_happens(&["No IOVA allocation happens here", "passthrough"])?;
    ask(&["doctor"])?.code(2)?.says(&["missing translation 0 of", "passthrough", "iommu.passthrough=0"])?;
    ask(&["devices"])?.code(0)?.says(&["00:04.0", "identity"])?;
    Ok(Outcome::Passed)
}

pub(super) fn strict() -> Result<Outcome> {
    let report = counted()?;
    ensure!(report["host"]["domain_type"] == "DMA", "{}", report["host"]);
    let lazy = |domain: &Value| domain["flush_queue"]["lazy"] != false;
    let domains = report["domains"].as_array().context("no domains")?;
    ensure!(!domains.is_empty() && !domains.iter().any(lazy), "a flush queue in a strict domain");
    Ok(Outcome::Passed)
}

/// The load module is not signed: the disk itself has to make the traffic.
pub(super) fn lockdown() -> Result<Outcome> {
    let doctor = ask(&["doctor"])?.code(1)?;
    doctor.says(&[
        "limited lockdown confidentiality",
        "missing kcore lockdown=confidentiality closes /proc/kcore",
        "missing hook faults.count",
        "iova report works here",
    ])?;
    ask(&["devices"])?.code(0)?.says(&["nvme0n1", "lockdown=confidentiality closes /proc/kcore"])?;
    let read = "dd if=/dev/nvme0n1 of=/dev/null bs=128k count=200 iflag=direct";
    let args = ["report", "--format", "json", "--profile", "full", "--", "sh", "-c", read];
    let report = ask(&args)?.code(0)?.json()?;
    let nvme = device(&report, NVME, "present")?;
    ensure!(allocations(nvme)? == 200, "{} for 200 reads", nvme["alloc"]["count"]);
    ensure!(nvme["low_space"]["live_bytes"].is_null(), "live bytes from nowhere");
    ensure!(nvme["faults"]["count"].is_null(), "faults counted without their probe");
    for metric in ["low_space", "devices", "faults.count"] {
        let why = unknown(&report, metric)?;
        ensure!(why.contains("lockdown=confidentiality"), "{metric}: {why}");
    }
    Ok(Outcome::Passed)
}

/// A wait that sleeps has no figure, and a reason for that.
pub(super) fn waits_that_sleep() -> Result<Outcome> {
    ask(&["doctor"])?.code(1)?.says(&[
        "missing hook lock.wait_ns",
        "PREEMPT_RT",
        "iova report works here",
    ])?;
    let args = ["report", "--format", "json", "--profile", "full", "--duration", "10ms"];
    let report = ask(&args)?.code(0)?.json()?;
    let why = unknown(&report, "lock.wait_ns")?;
    ensure!(why.contains("PREEMPT_RT"), "{why}");
    let nvme = device(&report, NVME, "present")?;
    ensure!(nvme["lock"]["wait_ns"]["samples"].is_null(), "waits from nowhere: {}", nvme["lock"]);
    Ok(Outcome::Passed)
}

/// Exactly what the module did.
fn counted() -> Result<Value> {
    let running = Running::measure(&["--format", "json"])?;
    load::pairs(NVME, 3000)?;
    let report = running.end()?.code(0)?.json()?;
    let count = allocations(device(&report, NVME, "present")?)?;
    ensure!(count == 3000, "{count} allocations, the module made 3000");
    Ok(report)
}
