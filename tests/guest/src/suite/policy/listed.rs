//! The module's own list, built with QEMU's devices in it (tests/compat) and enabled by a parameter.

use anyhow::{Result, ensure};
use iova_common::policy::cause;

use super::device::{self, Device, EDU, NIC, NVME, SATA};
use super::lease::records_of;
use super::uevent::Listener;
use super::{cap, disk, tool};
use crate::Outcome;
use crate::load::Load;

/// Device and cap. Entries that fit the disk and the SATA controller but for revision and subsystem are narrower.
const CAPS: [(Device, &str); 4] = [(NIC, "0"), (NVME, "40"), (EDU, "36"), (SATA, "0")];
const EDU_BITS: u32 = 36;

/// Other tests come after it, so in the end there is the usual module.
pub(super) fn caps() -> Result<Outcome> {
    device::module()?;
    let stock = NVME.get("effective")?;
    device::rmmod("iova_policy")?;
    let result = without_a_word().and_then(|()| enabled());
    device::rmmod("iova_policy")?;
    result?;
    device::module()?;
    ensure!(NVME.get("effective")? == stock, "{stock}; the module left {}", NVME.get("effective")?);
    Ok(Outcome::Passed)
}

fn without_a_word() -> Result<()> {
    device::insert_listed(&[])?;
    for (device, _) in CAPS {
        let shown = device.shows()?;
        ensure!(shown.contains("cap 0,") && shown.ends_with("state idle"), "{}: {shown}", device.0);
    }
    device::rmmod("iova_policy")
}

fn enabled() -> Result<()> {
    let io = disk::Load::start(2);
    device::insert_listed(&["list=1"])?;
    for (device, cap) in CAPS {
        ensure!(device.get("cap")? == cap, "{}: {}", device.0, device.shows()?);
    }
    bound_already()?;
    io.stop()?.is_clean()?;
    local_word_narrows()?;
    there_before_the_add_event()?;
    keeps_to_it()
}

/// The disk has its driver, and work, while the module is loaded.
fn bound_already() -> Result<()> {
    let shown = NVME.shows()?;
    ensure!(shown.contains("policy stock,") && shown.ends_with("state active"), "{shown}");
    ensure!(NVME.get("effective")? == "sac-first:40", "{shown}");
    ensure!(NVME.get("origin")? == "kernel", "the origin is {}", NVME.get("origin")?);
    let causes: Vec<u32> = records_of(NVME)?.iter().map(|record| record.cause).collect();
    ensure!(causes == [cause::LIST], "{causes:?}");
    let log = tool::log(NVME)?.to_string();
    ensure!(log.contains("\"list\""), "iova policy log: {log}");
    NVME.refuses("policy", "dac:43", libc::EPERM)?;
    ensure!(NVME.state()? == "refused capped", "{}", NVME.state()?);
    NVME.must("state", "idle")
}

fn local_word_narrows() -> Result<()> {
    NVME.refuses("cap", "43", libc::EPERM)?;
    NVME.refuses("cap", "0", libc::EPERM)?;
    NVME.must("cap", "38")?;
    ensure!(NVME.get("effective")? == "sac-first:38", "{}", NVME.shows()?);
    Ok(())
}

/// Whoever hears of the device first hears of its addition, and finds the cap.
fn there_before_the_add_event() -> Result<()> {
    let listener = Listener::new()?;
    EDU.replug()?;
    let of_edu = |head: &str| head.ends_with(&format!("/{}", EDU.0)) && !head.starts_with("remove@");
    let first = listener.wait(of_edu)?;
    let head = first.first().map_or("", String::as_str);
    ensure!(head.starts_with("add@"), "the first that is heard is {head}");
    ensure!(EDU.get("cap")? == EDU_BITS.to_string(), "{}", EDU.shows()?);
    ensure!(EDU.get("state")? == "pending", "{}", EDU.shows()?);
    Ok(())
}

/// With nothing left below 4 GiB.
fn keeps_to_it() -> Result<()> {
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    load.run("fill32 size=1M keep=pressure")?;
    let result = cap::allocate(&load, EDU_BITS);
    load.clean()?;
    EDU.unbind()?;
    result
}
