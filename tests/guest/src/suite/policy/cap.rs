//! `cap:N`: with the space below 4 GiB full, addresses go above it, but never above N bits.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::device::{self, EDU, PATIENCE};
use crate::Outcome;
use crate::load::{Answer, Load};
use crate::measure::{Report, known};

/// Half of them of one page and given back, half of two pages and held: each is a new address.
const HALF: u64 = 50_000;

pub(super) fn low() -> Result<Outcome> {
    // Nothing is above, so there has to be room for what is held.
    capped(32, "fill32 size=1M keep=pressure leave=250000")
}

pub(super) fn middle() -> Result<Outcome> {
    capped(36, "fill32 size=1M keep=pressure")
}

pub(super) fn high() -> Result<Outcome> {
    capped(43, "fill32 size=1M keep=pressure")
}

fn capped(width: u32, pressure: &str) -> Result<Outcome> {
    device::module()?;
    EDU.replug()?;
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    // Before the cap, which is the mask itself where nothing else can be used.
    load.run("loop sizes=4K count=1 mask=64")?;
    EDU.must("policy", &format!("cap:{width}"))?;
    load.run(pressure)?;
    let result = allocate(&load, width);
    EDU.unbind()?;
    result?;
    if width > 32 {
        stock_goes_beyond(width)?;
    }
    Ok(Outcome::Passed)
}

/// So many that all kinds of addresses come, none of which may be above `width` bits.
pub(super) fn allocate(load: &Load, width: u32) -> Result<()> {
    let (report, truth) = Report::around(load, "light", &format!("mtu from=4K to=8K count={HALF} keep=new"))?;
    let device = report.device(EDU.0)?;
    let (seen, failed) = (known(device, "alloc.count")?, known(device, "alloc.failed")?);
    ensure!(seen >= 2 * HALF && truth.get("maps")? == 2 * HALF, "only {seen} allocations were traced");
    ensure!(failed == 0 && truth.get("failed")? == 0, "{failed} allocations failed");
    let top = address(&truth, "top")?;
    println!(
        "# cap of {width}: {seen} allocations, {} above 4 GiB, the highest ends at {top:#x}",
        truth.get("high")?
    );
    ensure!(top < 1 << width, "an address above {width} bits: {top:#x}");
    let high = known(device, "alloc.high")?;
    if width == 32 {
        ensure!(high == 0, "the tracer saw {high} addresses above 32 bits");
        return full(load);
    }
    ensure!(high > HALF, "only {high} above 4 GiB: the pressure was none");
    Ok(())
}

/// With no space left, an allocation fails rather than to be put above the cap. The caches' housekeeping
/// (`iova_depot_work_func()`, drivers/iommu/iova.c, 6.12) gives space back on its own, so it may take more than one
/// filling until none is left.
fn full(load: &Load) -> Result<()> {
    let start = Instant::now();
    loop {
        load.run("drain timeout_ms=60000; flush; fill32 size=4M keep=rest")?;
        let answer = load.run("loop sizes=4M count=3")?;
        ensure!(answer.get("high")? == 0, "{answer:?}");
        if answer.get("failed")? == 3 {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "the space is never full: {answer:?}");
    }
}

/// The same without the cap is put above it: the test would have seen that. In a new domain, because the search for a
/// high address begins where the last one was freed.
fn stock_goes_beyond(width: u32) -> Result<()> {
    EDU.replug()?;
    let load = Load::new(EDU.0)?;
    load.run("fill32 size=1M keep=pressure mask=64")?;
    let top = address(&load.run("loop sizes=1M count=10")?, "top")?;
    load.clean()?;
    ensure!(top >= 1 << width, "stock ends at {top:#x}: the cap has nothing to do");
    Ok(())
}

fn address(answer: &Answer, key: &str) -> Result<u64> {
    let text = answer.text(key)?;
    let digits = text.strip_prefix("0x").with_context(|| format!("{key}={text}"))?;
    Ok(u64::from_str_radix(digits, 16)?)
}
