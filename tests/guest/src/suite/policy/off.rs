//! The switch that ends everything, and what outlives a device.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use iova_common::policy::{cause, lease_state};

use super::device::{self, EDU, NIC, NVME};
use super::lease::{Control, records_of};
use crate::Outcome;
use crate::load::Load;

fn switch(to: &str) -> Result<()> {
    fs::write(device::OFF, to).with_context(|| format!("writing {to} to {}", device::OFF))
}

/// A lease, a policy and a cap; then none, until they are allowed again.
pub(super) fn ends_everything() -> Result<Outcome> {
    device::module()?;
    let stock = [NIC, NVME, EDU].map(device::Device::shows);
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    let control = Control::open()?;
    let stage = control.stage_dac(EDU, 60_000)?;
    NVME.must("policy", "dac:40")?;
    NIC.must("cap", "44")?;
    switch("1")?;
    let status = control.status(stage.cookie)?;
    ensure!((status.state, status.cause) == (lease_state::ENDED, cause::OFF), "{status:?}");
    let state = EDU.get("state")?;
    ensure!(state == "idle", "switched off, the state is {state}");
    let staged = control.stage_dac(EDU, 60_000).is_ok();
    EDU.unbind()?;
    for (device, stock) in [NIC, NVME, EDU].into_iter().zip(stock) {
        let (shows, stock) = (device.shows()?, stock?);
        ensure!(shows.starts_with("policy stock, cap 0"), "{shows}");
        ensure!(device.0 == EDU.0 || shows == stock, "{stock}; switched off {shows}");
    }
    ensure!(!staged, "a lease began while all was off");
    NVME.refuses("policy", "dac:40", libc::EPERM)?;
    NVME.refuses("cap", "40", libc::EPERM)?;
    switch("0")?;
    ensure!(NVME.get("state")? == "idle", "allowed again, the state is {}", NVME.get("state")?);
    NVME.must("policy", "dac:40")?;
    NVME.must("policy", "stock")?;
    let ended = records_of(NVME)?.iter().any(|record| record.cause == cause::OFF);
    ensure!(ended, "it is not on record");
    Ok(Outcome::Passed)
}

fn quarantine() -> Result<()> {
    let control = Control::open()?;
    let stage = control.stage_dac(EDU, 60_000)?;
    control.quarantine(stage.cookie).context("ABORT")
}

/// A device that was reset by removing and rescanning it is still quarantined and capped.
pub(super) fn outlives_the_device() -> Result<Outcome> {
    device::module()?;
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    quarantine()?;
    EDU.must("cap", "44")?;
    let before = EDU.state()?;
    EDU.replug()?;
    let (state, cap) = (EDU.state()?, EDU.get("cap")?);
    switch("1")?;
    switch("0")?;
    EDU.must("state", "idle")?;
    ensure!(before == "quarantined fault", "before it was removed: {before}");
    ensure!(state == before, "{before}; back again {state}");
    ensure!(cap == "44", "back again its cap is {cap}");
    let returned = records_of(EDU)?.iter().any(|record| record.cause == cause::RETURNED);
    ensure!(returned, "its return is not on record");
    EDU.replug()?;
    let shows = EDU.shows()?;
    ensure!(
        shows.starts_with("policy stock, cap 0") && shows.ends_with("idle"),
        "lifted, it came back as {shows}"
    );
    Ok(Outcome::Passed)
}

/// In an identity domain nothing can be capped; the next domain may be another one.
pub(super) fn cap_waits_for_a_domain() -> Result<Outcome> {
    device::modprobe("iova_policy")?;
    device::modprobe("iova_load")?;
    EDU.bind("iova_load")?;
    EDU.must("cap", "40")?;
    ensure!(EDU.get("cap")? == "40", "the cap is {}", EDU.get("cap")?);
    let refused = EDU.state()?;
    EDU.unbind()?;
    ensure!(refused == "refused identity", "in passthrough the state is {refused}");
    let group = Path::new("/sys/bus/pci/devices").join(EDU.0).join("iommu_group/type");
    fs::write(&group, "DMA").with_context(|| format!("writing DMA to {}", group.display()))?;
    EDU.bind("iova_load")?;
    Load::new(EDU.0)?.run("loop sizes=4K count=1 mask=64")?;
    let (effective, state) = (EDU.get("effective")?, EDU.get("state")?);
    EDU.unbind()?;
    ensure!(effective.ends_with(":40"), "in a DMA domain, in effect is {effective}");
    ensure!(state == "active", "in a DMA domain the state is {state}");
    Ok(Outcome::Passed)
}
