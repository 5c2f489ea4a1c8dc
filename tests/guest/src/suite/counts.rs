//! Counts of a device against the load module's own: equal, to the last allocation.
//!
//! What the module asks for it counts itself. What happens inside an allocation it counts with kprobes of its own,
//! which share nothing with the tracer: of its calls of `alloc_iova_fast`, those without cache flush (S) are attempts
//! below 4 GiB, those with (F) are for the full range. A device with a limit above 4 GiB makes one call per map, and
//! one more for each attempt that failed: failed attempts = F + S - maps, whatever its threads race for.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::load::{Answer, EDU, Load};
use crate::measure::{Report, by_order, marked, number};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("counts.200000_pairs_default", || exact("default", PAIRS)),
    ("counts.200000_pairs_light", || exact("light", PAIRS)),
    ("counts.full", || exact("full", FEW_PAIRS)),
    ("counts.failed_allocations", failed_allocations),
    ("counts.failed_below_4g", || failed_below_4g("default")),
    ("counts.failed_below_4g_light", || failed_below_4g("light")),
    ("counts.scatter_gather", || exact("default", SCATTER_GATHER)),
    ("counts.coherent", || exact("default", COHERENT)),
];

/// Six sizes of six orders: one that is rounded up, and one that no cache holds. More threads than CPUs.
const PAIRS: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=200000 threads=3";
const FEW_PAIRS: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=20000 threads=2";
const SCATTER_GATHER: &str = "loop mask=64 sizes=4K,12K,64K,260K count=4000 threads=2 mode=sg";
const COHERENT: &str = "loop mask=64 sizes=4K,12K,64K,260K count=1000 threads=2 mode=coherent";

fn exact(profile: &str, text: &str) -> Result<Outcome> {
    let load = Load::new(EDU)?;
    let (report, truth) = watched(&load, profile, text)?;
    ensure!(truth.get("failed")? == 0, "the space should have been large enough");
    agree(&report, profile, &truth)
}

/// A device confined to 32 bits whose space is full: large maps fail, small ones still fit.
fn failed_allocations() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    load.run("fill32 mask=32 size=1M")?;
    // On 5.10 VT-d logs each failure: few are enough.
    let (report, truth) = watched(&load, "default", "loop mask=32 sizes=1M,4K,2M,8K count=100")?;
    load.clean()?;
    ensure!(truth.get("failed")? == 50, "half of the maps should have failed, not {}", truth.get("failed")?);
    agree(&report, "default", &truth)
}

/// A device that may use more than 32 bits, when the space below 4 GiB has no room for its larger maps.
fn failed_below_4g(profile: &str) -> Result<Outcome> {
    let load = Load::new(EDU)?;
    load.run("fill32 mask=64 size=1M leave=1")?;
    let (report, truth) = watched(&load, profile, "loop mask=64 sizes=4K,2M,64K,4M count=4000 threads=2")?;
    load.clean()?;
    ensure!(truth.get("high")? > 0, "no map had to go above 4 GiB");
    agree(&report, profile, &truth)
}

/// A report of a command with the module's probes on around it.
fn watched(load: &Load, profile: &str, text: &str) -> Result<(Report, Answer)> {
    let (report, truth) = Report::around(load, profile, &format!("probe on; {text}; probe off"))?;
    ensure!(truth.get("probe_missed")? == 0, "the kernel skipped probes of the load module");
    ensure!(truth.get("stopped")? == 0, "the load was stopped");
    Ok((report, truth))
}

/// One figure of the report and what it has to be.
struct Figure {
    name: &'static str,
    reported: Option<u64>,
    truth: u64,
}

fn agree(report: &Report, profile: &str, truth: &Answer) -> Result<Outcome> {
    let device = report.device(EDU)?;
    let skipped = report.skipped()?;
    let mut wrong = Vec::new();
    for Figure { name, reported, truth } in figures(device, truth)? {
        if profile == "light" && name == "alloc.sac_attempts" {
            unknown_with_reason(report, name, reported)?;
            continue;
        }
        let reported = reported.with_context(|| format!("{name} is null"))?;
        let exact = !marked(device, name);
        ensure!(exact || skipped > 0 || report.number("quality.frames_lost")? > Some(0), "{name} is marked");
        // What is marked is a lower bound; it never counts what did not happen.
        if reported != truth && (exact || reported > truth) {
            wrong.push(format!("{name} {reported}, module {truth}"));
        }
    }
    let (ours, theirs) = (by_order(&device["alloc"], "by_order")?, truth.by_order(""));
    if ours != theirs && !marked(device, "alloc.by_order") {
        wrong.push(format!("alloc.by_order {ours:?}, module {theirs:?}"));
    }
    ensure!(wrong.is_empty(), "{}; quality {}", wrong.join("; "), report.quality());
    if skipped > 0 {
        return Ok(Outcome::Skipped(format!(
            "the kernel skipped {skipped} program runs; the report marks it"
        )));
    }
    Ok(Outcome::Passed)
}

fn figures(device: &Value, truth: &Answer) -> Result<Vec<Figure>> {
    let (sac, full) = (truth.get("probe_sac")?, truth.get("probe_full")?);
    let sac_failed = (sac + full).checked_sub(truth.get("maps")?).context("fewer calls than maps")?;
    // The module derives both from the outside, where it can.
    if truth.get("sac_exact")? == 1 && truth.get("sac_attempts")? != sac {
        bail!("the module contradicts itself: {} attempts, its probe saw {sac}", truth.get("sac_attempts")?);
    }
    let figure = |name, truth| Ok(Figure { name, reported: number(device, name)?, truth });
    [
        ("alloc.count", truth.get("maps")?),
        ("alloc.failed", truth.get("failed")?),
        ("alloc.high", truth.get("high")?),
        ("alloc.slow", truth.get("probe_slow")?),
        ("alloc.sac_attempts", sac),
        ("alloc.sac_failed", sac_failed),
        ("free.count", truth.get("unmaps")?),
        ("free.bytes", truth.get("bytes")?),
        ("cache.flushes", truth.get("probe_flushes")?),
    ]
    .into_iter()
    .map(|(name, truth)| figure(name, truth))
    .collect()
}

fn unknown_with_reason(report: &Report, name: &str, reported: Option<u64>) -> Result<()> {
    ensure!(reported.is_none(), "{name} is {reported:?} in profile light, which does not count it");
    ensure!(report.why_unknown(name)?.is_some(), "{name} is null, and the report does not say why");
    Ok(())
}
