//! Interrupts that allocate for one device inside the allocation of another, on one CPU: never mixed up.
//!
//! A timer of the load module maps for one device while a thread on the same CPU maps for another. The sizes differ, so
//! an allocation that lands at the wrong device shows in its orders. The thread's programs are never skipped, because
//! nothing that it interrupts runs programs: its figures are exact. The interrupt's are too on kernels without a check
//! for recursion (5.10); later ones skip a program that was just running on that CPU, and count it
//! (`__bpf_prog_enter_recur`, kernel/bpf/trampoline.c): then a figure may be lower by that, and the report marks it.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::load::{Answer, EDU, Load, SATA};
use crate::measure::{Report, by_order, known, list, marked};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("nest.hard_interrupt", || nested("default", "size=12K other_size=96K")),
    ("nest.hard_interrupt_light", || nested("light", "size=260K other_size=96K")),
    ("nest.soft_interrupt_full", soft),
];

/// With PREEMPT_RT nothing may map in a hard interrupt, since the allocator's locks sleep. A soft one is a thread there.
pub(crate) const SOFT: &[(&str, Test)] = &[("nest.soft_interrupt_full", soft)];

fn soft() -> Result<Outcome> {
    nested("full", "size=260K other_size=1M context=soft")
}

/// So many interrupts have to hit inside a map or an unmap.
const LEAST: u64 = 1000;

fn nested(profile: &str, what: &str) -> Result<Outcome> {
    // Both may use more than 32 bits, so that both make attempts below 4 GiB.
    Load::new(SATA)?.run("loop mask=64 sizes=4K count=1")?;
    let load = Load::new(EDU)?;
    let text = format!("nest other={SATA} mask=64 count=10000 nested={LEAST} period_ns=20000 {what}");
    let (report, truth) = Report::around(&load, profile, &format!("probe on; {text}; probe off"))?;
    let inside = truth.get("nested_map")? + truth.get("nested_unmap")?;
    ensure!(inside >= LEAST, "only {inside} interrupts hit inside a call");
    outer(&report, &truth)?;
    inner(&report, &truth)?;
    nobody_else(&report, &truth)?;
    Ok(Outcome::Passed)
}

/// The thread's device: exact, whatever came in between.
fn outer(report: &Report, truth: &Answer) -> Result<()> {
    let mut wanted = figures(truth, "")?;
    wanted.push(("alloc.slow", truth.get("probe_slow")?));
    let device = report.device(EDU)?;
    let ours = by_order(&device["alloc"], "by_order")?;
    ensure!(ours == truth.by_order(""), "{EDU}: orders {ours:?}, module {:?}", truth.by_order(""));
    for (name, truth) in wanted {
        let ours = known(device, name)?;
        ensure!(ours == truth, "{EDU}: {name} {ours}, module {truth}; quality {}", report.quality());
    }
    Ok(())
}

/// The interrupt's device: exact, or lower by what the kernel skipped and the report marks.
fn inner(report: &Report, truth: &Answer) -> Result<()> {
    let device = report.device(SATA)?;
    let skipped = report.skipped()?;
    let wanted = figures(truth, "other_")?.into_iter();
    // Bytes are counted where frees are, so they are as many as those, whether some are missing or not.
    for (name, truth) in wanted.filter(|(name, _)| *name != "free.bytes") {
        let ours = known(device, name)?;
        let missing = truth.checked_sub(ours).filter(|&missing| missing <= skipped);
        let quality = report.quality();
        ensure!(missing.is_some(), "{SATA}: {name} {ours}, module {truth}; quality {quality}");
        ensure!(
            missing == Some(0) || marked(device, name),
            "{SATA}: {name} {ours}, module {truth}, not marked"
        );
    }
    let (frees, bytes) = (known(device, "free.count")?, known(device, "free.bytes")?);
    let size = truth.get("other_bytes")? / truth.get("other_unmaps")?;
    ensure!(bytes == frees * size, "{SATA}: {frees} frees of {size} bytes each are {bytes} bytes");
    let orders = by_order(&device["alloc"], "by_order")?;
    let truth = truth.by_order("other_");
    ensure!(orders.len() == 1 && orders[0].0 == truth[0].0, "{SATA}: orders {orders:?}, module {truth:?}");
    Ok(())
}

fn figures(truth: &Answer, prefix: &str) -> Result<Vec<(&'static str, u64)>> {
    let get = |key: &str| truth.get(&format!("{prefix}{key}"));
    Ok(vec![
        ("alloc.count", get("maps")?),
        ("alloc.failed", get("failed")?),
        ("alloc.high", get("high")?),
        ("alloc.sac_attempts", get("sac_attempts")?),
        ("alloc.sac_failed", get("sac_failed")?),
        ("free.count", get("unmaps")?),
        ("free.bytes", get("bytes")?),
    ])
}

/// No device but the two has an allocation of these orders.
fn nobody_else(report: &Report, truth: &Answer) -> Result<()> {
    let orders: Vec<u64> =
        truth.by_order("").iter().chain(&truth.by_order("other_")).map(|(order, _)| *order).collect();
    let other = |device: &&Value| device["bdf"] != EDU && device["bdf"] != SATA;
    for device in report.devices()?.iter().filter(other) {
        for entry in list(&device["alloc"], "by_order")? {
            let order = known(entry, "order")?;
            ensure!(!orders.contains(&order), "{} has allocations of order {order}", device["bdf"]);
        }
    }
    Ok(())
}
