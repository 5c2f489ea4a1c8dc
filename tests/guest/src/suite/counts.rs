//! Counts of a device against the load module's own: equal, to the last allocation.
//!
//! What the module asks for it counts itself. What happens inside an allocation it counts with kprobes of its own,
//! which share nothing with the tracer: of its calls of `alloc_iova_fast`, those without cache flush (S) are attempts
//! below 4 GiB, those with (F) are for the full range. A device with a limit above 4 GiB makes one call per map, and
//! one more for each attempt that failed: failed attempts = F + S - maps, whatever its threads race for.
//!
//! Threads are pinned, one to a CPU. Where the kernel may preempt a task inside a program (7.3, `PREEMPT_LAZY`), it
//! skips that program for whoever runs on the CPU meanwhile (`prog->active`, kernel/bpf/trampoline.c), thousands of
//! times in a row; no program can see that. It counts them, and the report then marks what is a lower bound:
//! `counts.more_threads_than_cpus` checks that. An interrupt that allocates for another device may cost a run as well
//! (`nest`), so the other tests try again when that has made a figure too low.

use anyhow::{Context, Result, bail, ensure};

use crate::load::{Answer, EDU, Load};
use crate::measure::{Report, by_order, marked, number};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("counts.200000_pairs_default", || exact("default", PAIRS)),
    ("counts.full", || exact("full", FEW_PAIRS)),
    ("counts.scatter_gather", || exact("default", SCATTER_GATHER)),
];

/// Counts that do not depend on the IOMMU.
pub(crate) const INSIDE: &[(&str, Test)] = &[
    ("counts.200000_pairs_light", || exact("light", PAIRS)),
    ("counts.more_threads_than_cpus", crowded),
    ("counts.failed_allocations", failed_allocations),
    ("counts.failed_below_4g", || failed_below_4g("default")),
    ("counts.failed_below_4g_light", || failed_below_4g("light")),
    ("counts.coherent", || exact("default", COHERENT)),
];

/// For kernels that preempt a task inside a program.
pub(crate) const PREEMPTED: &[(&str, Test)] = &[("counts.skipped_programs_are_marked", skipped)];

/// Six sizes of six orders: one that is rounded up, and one that no cache holds.
const PAIRS: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=200000 threads=2 pin";
const FEW_PAIRS: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=20000 threads=2 pin";
const CROWDED: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=20000 threads=6";
const SCATTER_GATHER: &str = "loop mask=64 sizes=4K,12K,64K,260K count=4000 threads=2 pin mode=sg";
const COHERENT: &str = "loop mask=64 sizes=4K,12K,64K,260K count=1000 threads=2 pin mode=coherent";

/// How often a test may try until the kernel skips nothing.
const ATTEMPTS: u32 = 3;

fn exact(profile: &str, text: &str) -> Result<Outcome> {
    let load = Load::new(EDU)?;
    repeated(profile, &load, text, |truth| {
        ensure!(truth.get("failed")? == 0, "the space should have been large enough");
        Ok(())
    })
}

/// More threads than CPUs, so that they preempt each other: exact, or marked where it is not.
fn crowded() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    let (report, truth) = watched(&load, "default", CROWDED)?;
    agree(&report, &truth)
}

/// The kernel does skip programs, says so, and every figure that is too low for it is marked and bounded.
fn skipped() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    for _ in 0..ATTEMPTS {
        let (report, truth) = watched(&load, "default", CROWDED)?;
        if let Outcome::Skipped(lower) = agree(&report, &truth)? {
            println!("# {lower}");
        }
        let runs = report.skipped()?;
        println!("# {runs} program runs skipped, {}", report.quality());
        if runs == 0 {
            continue;
        }
        let device = report.device(EDU)?;
        let marks = device["approximate"].as_array().map_or(0, Vec::len);
        ensure!(marks > 0, "{runs} program runs were skipped, and nothing is marked");
        let notes = report.quality()["notes"].to_string();
        ensure!(notes.contains("skipped by the kernel"), "no note tells of {runs} skipped runs: {notes}");
        return Ok(Outcome::Passed);
    }
    bail!("the kernel skipped no program in {ATTEMPTS} runs: is it preemptible?")
}

fn repeated(
    profile: &str,
    load: &Load,
    text: &str,
    expected: impl Fn(&Answer) -> Result<()>,
) -> Result<Outcome> {
    let mut outcome = Outcome::Passed;
    for _ in 0..ATTEMPTS {
        let (report, truth) = watched(load, profile, text)?;
        expected(&truth)?;
        outcome = agree(&report, &truth)?;
        if matches!(outcome, Outcome::Passed) {
            break;
        }
    }
    Ok(outcome)
}

/// A device confined to 32 bits whose space is full: large maps fail, small ones still fit.
fn failed_allocations() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    load.run("fill32 mask=32 size=1M")?;
    // On 5.10 VT-d logs each failure: few are enough.
    let outcome = repeated("default", &load, "loop mask=32 sizes=1M,4K,2M,8K count=100", |truth| {
        let failed = truth.get("failed")?;
        ensure!(failed == 50, "half of the maps are large and should have failed, but {failed} did");
        Ok(())
    });
    load.clean()?;
    outcome
}

/// A device that may use more than 32 bits, when the space below 4 GiB has no room for its larger maps.
fn failed_below_4g(profile: &str) -> Result<Outcome> {
    let load = Load::new(EDU)?;
    load.run("fill32 mask=64 size=1M leave=1")?;
    let text = "loop mask=64 sizes=4K,2M,64K,4M count=4000 threads=2 pin";
    let outcome = repeated(profile, &load, text, |truth| {
        ensure!(truth.get("high")? > 0, "no map had to go above 4 GiB");
        Ok(())
    });
    load.clean()?;
    outcome
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

fn agree(report: &Report, truth: &Answer) -> Result<Outcome> {
    let device = report.device(EDU)?;
    let missing = may_miss(report)?;
    let (mut wrong, mut lower) = (Vec::new(), Vec::new());
    for Figure { name, reported, truth } in figures(report, truth)? {
        let reported = reported.with_context(|| format!("{name} is null"))?;
        let least = if marked(device, name) { truth.saturating_sub(missing) } else { truth };
        let list = if (least..=truth).contains(&reported) { &mut lower } else { &mut wrong };
        if reported != truth {
            list.push(format!("{name} {reported}, module {truth}"));
        }
    }
    let (ours, theirs) = (by_order(&device["alloc"], "by_order")?, truth.by_order(""));
    let bounded = |(ours, theirs): (&(u64, u64), &(u64, u64))| ours.0 == theirs.0 && ours.1 <= theirs.1;
    let bounded = marked(device, "alloc.by_order") && ours.iter().zip(&theirs).all(bounded);
    if ours != theirs {
        let list = if bounded { &mut lower } else { &mut wrong };
        list.push(format!("alloc.by_order {ours:?}, module {theirs:?}"));
    }
    ensure!(wrong.is_empty(), "{}; quality {}", wrong.join("; "), report.quality());
    if lower.is_empty() {
        return Ok(Outcome::Passed);
    }
    let lower = lower.join("; ");
    Ok(Outcome::Skipped(format!(
        "the kernel skipped programs, which the report counts ({missing}) and marks: {lower}"
    )))
}

/// By how much a marked figure may be too low: by each program run that the kernel skipped, and by what happened inside
/// each call whose task moved to another CPU, which is two calls of `alloc_iova_fast` at most.
fn may_miss(report: &Report) -> Result<u64> {
    let lost = report.number("quality.frames_lost")?.context("quality.frames_lost is null")?;
    Ok(report.skipped()? + 2 * lost)
}

fn figures(report: &Report, truth: &Answer) -> Result<Vec<Figure>> {
    let (sac, full) = (truth.get("probe_sac")?, truth.get("probe_full")?);
    let sac_failed = (sac + full).checked_sub(truth.get("maps")?).context("fewer calls than maps")?;
    // The module derives both from the outside, where it can.
    if truth.get("sac_exact")? == 1 && truth.get("sac_attempts")? != sac {
        bail!("the module contradicts itself: {} attempts, its probe saw {sac}", truth.get("sac_attempts")?);
    }
    let device = report.device(EDU)?;
    let figure = |(name, truth)| Ok(Figure { name, reported: number(device, name)?, truth });
    let mut figures = vec![
        ("alloc.count", truth.get("maps")?),
        ("alloc.failed", truth.get("failed")?),
        ("alloc.high", truth.get("high")?),
        ("alloc.slow", truth.get("probe_slow")?),
        ("alloc.sac_attempts", sac),
        ("alloc.sac_failed", sac_failed),
        ("free.count", truth.get("unmaps")?),
        ("cache.flushes", truth.get("probe_flushes")?),
    ];
    // Bytes that were missed are no number of events.
    if report.skipped()? == 0 {
        figures.push(("free.bytes", truth.get("bytes")?));
    }
    figures.into_iter().map(figure).collect()
}
