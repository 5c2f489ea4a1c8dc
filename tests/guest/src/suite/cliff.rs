//! The space below 4 GiB full and in pieces: kernels that search it in vain for each large request get slow, the report
//! shows it and names the cause; kernels that give up after one failure fall back to 64 bits, and the report says so.

use anyhow::{Context, Result, ensure};

use crate::load::{Answer, EDU, Load, falls_back};
use crate::measure::{Report, known};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("cliff.large_allocations_are_slow", slow), ("cliff.fallback_to_64_bits", fallback)];

/// Holes of 32 KiB, and room for a few blocks of 256 KiB at the top: see the load module for why that is the worst.
const FRAGMENT: &str = "fragment mask=64 size=32K hole=32K high=256K slots=32 keep=cliff";
/// Half of the allocations are of 2 MiB, for which no hole is large enough. Each burst waits until the frees of the one
/// before have made the allocator forget that it failed.
const TRAFFIC: &str = "loop mask=64 sizes=2M,256K count=80 burst=2 pause_us=20000 time";
/// How much slower.
const FACTOR: u64 = 20;

/// Half of the calls are large, so the 90th percentile is one of them.
const LARGE: &str = "alloc.latency_ns.p90";

fn slow() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    if falls_back(&load)? {
        return Ok(Outcome::Skipped("this kernel searches below 4 GiB in vain only once per device".into()));
    }
    let (before, before_truth) = Report::around(&load, "default", TRAFFIC)?;
    ensure!(before.finding("low-space-cliff", EDU)?.is_none(), "a cliff in empty space");
    fragment(&load)?;
    let (after, truth) = Report::around(&load, "default", TRAFFIC)?;
    load.clean()?;

    let (fast, slow) = (known(before.device(EDU)?, LARGE)?, known(after.device(EDU)?, LARGE)?);
    println!("# large allocations: {fast} ns in empty space, {slow} ns in fragmented space");
    ensure!(
        slow >= FACTOR * fast,
        "large allocations take {fast} ns in empty and {slow} ns in fragmented space"
    );
    // The module times whole maps; what they take longer is the allocator's.
    let map = |answer: &Answer| answer.get("map_2097152_ns_p50");
    let longer = map(&truth)?.saturating_sub(map(&before_truth)?);
    ensure!(longer >= (FACTOR - 1) * fast, "the module's maps take only {longer} ns longer");

    let device = after.device(EDU)?;
    let large = truth.get("order_9")?;
    ensure!(
        known(device, "alloc.sac_failed")? == large,
        "not all of the {large} large maps failed below 4 GiB"
    );
    ensure!(device["policy"]["configured"] == "sac-first", "configured {}", device["policy"]["configured"]);
    named(&after, "low-space-cliff", "critical", "no aligned block of 2 MiB")?;
    named(&after, "low-space-fragmented", "critical", "in pieces")
}

/// Breaks the space into pieces: the module's walk has to show that no block of 2 MiB (order 9) is left, but some of
/// 256 KiB (order 6).
pub(crate) fn fragment(load: &Load) -> Result<()> {
    let before = load.run("release keep=*; drain timeout_ms=60000; flush; walk")?;
    let made = load.run(FRAGMENT)?;
    let walk = load.run("drain timeout_ms=60000; walk")?;
    let (large, small) = (walk.get("blocks_9")?, walk.get("blocks_6")?);
    if large > 0 || small == 0 {
        println!("# before: {before:?}\n# made: {made:?}\n# after: {walk:?}");
    }
    ensure!(large == 0 && small > 0, "{large} blocks of 2 MiB, {small} of 256 KiB are left");
    Ok(())
}

fn fallback() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    if !falls_back(&load)? {
        return Ok(Outcome::Skipped("this kernel has no flag to give up the space below 4 GiB".into()));
    }
    let (before, _) = Report::around(&load, "default", TRAFFIC)?;
    let configured =
        |report: &Report| Ok::<_, anyhow::Error>(report.device(EDU)?["policy"]["configured"].clone());
    ensure!(configured(&before)? == "sac-first", "configured {} at first", configured(&before)?);
    ensure!(before.device(EDU)?["fell_back"] == false, "it fell back in empty space");
    ensure!(before.finding("fell-back-64-bit", EDU)?.is_none(), "a fallback in empty space");

    // Filling the space makes the kernel give up; start once more with a device that has not.
    fragment(&load)?;
    load.run("sac on")?;
    let (report, truth) = Report::around(&load, "default", TRAFFIC)?;
    load.clean()?;
    let device = report.device(EDU)?;
    ensure!(device["fell_back"] == true, "no fallback");
    ensure!(configured(&report)? == "full-range", "configured {} at the end", configured(&report)?);
    ensure!(
        known(device, "alloc.sac_failed")? == 1,
        "{} failures, not one",
        known(device, "alloc.sac_failed")?
    );
    let (high, truth) = (known(device, "alloc.high")?, truth.get("high")?);
    ensure!(high == truth && high > 0, "{high} addresses above 4 GiB, module {truth}");
    named(&report, "fell-back-64-bit", "warning", "ran out of space below 4 GiB during the interval")
}

/// The report has this finding about the device, as bad as this, and its text says this.
fn named(report: &Report, id: &str, severity: &str, text: &str) -> Result<Outcome> {
    let all = report.findings()?;
    let finding = report.finding(id, EDU)?.with_context(|| format!("no finding {id}, only {all:?}"))?;
    ensure!(finding["severity"] == severity, "{id} is of severity {}", finding["severity"]);
    let says = finding["text"].as_str().unwrap_or_default();
    ensure!(says.contains(text), "{id} says: {says}");
    Ok(Outcome::Passed)
}
