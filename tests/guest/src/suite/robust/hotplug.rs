//! Devices that go and come back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::run::{Running, allocations, device};
use super::{IDLE, NIC, NVME, load};
use crate::Outcome;

/// Drivers probe in the background.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a driver itself may map while it starts and stops.
const DRIVER: u64 = 3000;

/// Both devices go and come back twice; each time the module makes another number of mappings. A new device may be
/// where the old one was in memory: figures must not mix all the same.
pub(super) fn removed_and_added() -> Result<Outcome> {
    let running = Running::measure(&["--format", "json"])?;
    for count in [20_000, 40_000] {
        for (bdf, appears) in [(NVME, "/dev/nvme0n1"), (NIC, "/sys/class/net/eth0")] {
            load::pairs(bdf, count)?;
            replug(bdf, appears)?;
        }
    }
    for bdf in [NVME, NIC] {
        load::pairs(bdf, 10_000)?;
    }
    // No driver ever used it.
    replug(IDLE, &format!("/sys/bus/pci/devices/{IDLE}"))?;
    load::network_up()?;
    let report = running.end()?.code(0)?.json()?;
    for bdf in [NVME, NIC] {
        check(&report, bdf, 20_000, 10_000)?;
    }
    let idle = |presence| device(&report, IDLE, presence).and_then(allocations);
    ensure!(idle("removed")? == 0, "allocations of an idle device");
    // The virtio IOMMU takes a device in only when a driver does.
    if Path::new("/sys/bus/pci/devices").join(IDLE).join("iommu_group").exists() {
        ensure!(idle("added")? == 0, "allocations of an idle device");
    } else {
        ensure!(idle("added").is_err(), "a device is listed that is behind no IOMMU");
    }
    Ok(Outcome::Passed)
}

/// Lockdown hides which `struct device` is whose, and the load module is not signed.
pub(super) fn in_lockdown() -> Result<Outcome> {
    let read = |count: &str| {
        load::busybox(&[
            "dd",
            "if=/dev/nvme0n1",
            "of=/dev/null",
            "bs=4k",
            "iflag=direct",
            &format!("count={count}"),
        ])
    };
    let running = Running::measure(&["--format", "json"])?;
    read("6000")?;
    replug(NVME, "/dev/nvme0n1")?;
    read("500")?;
    check(&running.end()?.code(0)?.json()?, NVME, 6000, 500)?;
    Ok(Outcome::Passed)
}

fn replug(bdf: &str, appears: &str) -> Result<()> {
    unplug(bdf, appears)?;
    plug(appears)
}

/// Takes a device away.
pub(crate) fn unplug(bdf: &str, appears: &str) -> Result<()> {
    fs::write(format!("/sys/bus/pci/devices/{bdf}/remove"), "1")?;
    ensure!(!Path::new(appears).exists(), "{appears} is still there without its device");
    Ok(())
}

/// Brings back what was taken away.
pub(crate) fn plug(appears: &str) -> Result<()> {
    fs::write("/sys/bus/pci/rescan", "1")?;
    let deadline = Instant::now() + PATIENCE;
    while !Path::new(appears).exists() {
        ensure!(Instant::now() < deadline, "{appears} did not come back");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Neither the old nor the new device has allocations of the other.
fn check(report: &Value, bdf: &str, before: u64, after: u64) -> Result<()> {
    for (presence, made) in [("removed", before), ("added", after)] {
        let count = allocations(device(report, bdf, presence)?)?;
        ensure!(
            (made..made + DRIVER).contains(&count),
            "{presence} {bdf}: {count} allocations, the module made {made}"
        );
    }
    let found = |word: &str| {
        let findings = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |finding: &Value| finding["text"].as_str().is_some_and(|text| text.contains(word));
        findings.iter().any(|finding| finding["id"] == "hotplug" && finding["device"] == bdf && text(finding))
    };
    ensure!(found("was removed") && found("was added"), "no word of the removal: {}", report["findings"]);
    Ok(())
}
