//! DMA to an address that nobody mapped: the IOMMU refuses it, and the report says who tried what.

use anyhow::{Context, Result, ensure};

use crate::load::{EDU, Load};
use crate::measure::{Report, known};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[("fault.device_and_address", device_and_address)];

/// Below 2^28, which is all that the device keeps of an address by default.
const ADDRESS: &str = "0xdead000";

/// Tells the edu device to read a page of memory at `$0` and waits until it has tried. Registers: source 0x80,
/// destination 0x88 (its buffer is at 0x40000), count 0x90, command 0x98 (1 = start, reads 1 while busy); see
/// docs/specs/edu in QEMU.
const READ: &str = r#"
set -e
device=/sys/bus/pci/devices/$1
echo 1 > $device/enable
# Command register: memory space and bus master.
printf '\006\000' | dd of=$device/config bs=1 seek=4 conv=notrunc 2> /dev/null
bar=$(cut -d ' ' -f 1 $device/resource | head -n 1)
devmem $((bar + 0x80)) 64 $0
devmem $((bar + 0x88)) 64 0x40000
devmem $((bar + 0x90)) 64 64
devmem $((bar + 0x98)) 64 1
while [ $(($(devmem $((bar + 0x98)) 64) & 1)) = 1 ]; do :; done
"#;

fn device_and_address() -> Result<Outcome> {
    // On virtio, the device is only behind the IOMMU once a driver was offered to it; the load sees to that.
    let _ready = Load::new(EDU)?;
    let before = kernel_log_has_fault()?;
    let report = Report::take(&["--", "/bin/busybox", "sh", "-c", READ, ADDRESS, EDU])?;
    ensure!(report.number("command.exit_code")? == Some(0), "the device could not be driven");
    if on("amd") && !before && !kernel_log_has_fault()? {
        return Ok(Outcome::Skipped(
            "this QEMU's AMD-Vi reports no event to the kernel, which logs none either".into(),
        ));
    }
    let device = report.device(EDU)?;
    let count = known(device, "faults.count")?;
    ensure!(count >= 1, "the report counts no fault: {}", report.quality());
    let first = device.pointer("/faults/first/0").context("the report shows no fault")?;
    ensure!(first["address"] == ADDRESS, "the fault is at {}, not at {ADDRESS}", first["address"]);
    // QEMU's virtio IOMMU doesn't say what the device tried.
    let access = first["access"].as_str();
    ensure!(
        access == Some("read") || access.is_none() && on("virtio"),
        "the fault is a {access:?}, not a read"
    );
    ensure!(report.finding("dma-faults", EDU)?.is_some(), "no finding names it: {:?}", report.findings()?);
    let others = report.devices()?.iter().filter(|device| device["bdf"] != EDU);
    for other in others {
        ensure!(other["faults"]["count"].as_u64().unwrap_or(0) == 0, "{} is blamed too", other["bdf"]);
    }
    Ok(Outcome::Passed)
}

/// Whether this is the machine's IOMMU.
fn on(iommu: &str) -> bool {
    std::env::var("IOVA_LAB_IOMMU").as_deref() == Ok(iommu)
}

/// Whether the kernel itself heard of a fault.
fn kernel_log_has_fault() -> Result<bool> {
    let log = std::process::Command::new("/bin/busybox").arg("dmesg").output()?;
    let log = String::from_utf8_lossy(&log.stdout);
    Ok(["fault addr", "IO_PAGE_FAULT", "fault from EP"].iter().any(|text| log.contains(text)))
}
