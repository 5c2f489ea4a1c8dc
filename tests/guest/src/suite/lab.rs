//! The lab itself: the machine is what every other suite takes it for.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{Outcome, Test};

/// Each device under its fixed address.
const NIC: &str = "0000:00:03.0";
const NVME: &str = "0000:00:04.0";
const EDU: &str = "0000:00:05.0";

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("lab.translated_domains", translated_domains),
    ("lab.disk_io_is_mapped", disk_io_is_mapped),
    ("lab.network_traffic_is_mapped", network_traffic_is_mapped),
    ("lab.edu_is_behind_the_iommu", edu_is_behind_the_iommu),
    ("lab.file_systems", file_systems),
];

fn translated_domains() -> Result<Outcome> {
    domains_are(&["DMA", "DMA-FQ"])
}

/// Passes if the disk and the NIC are in domains of one of these types.
pub(crate) fn domains_are(kinds: &[&str]) -> Result<Outcome> {
    for device in [NIC, NVME] {
        let path = format!("/sys/bus/pci/devices/{device}/iommu_group/type");
        let kind = fs::read_to_string(&path).with_context(|| format!("{device} has no IOMMU group"))?;
        ensure!(kinds.contains(&kind.trim()), "the domain of {device} is of type {}", kind.trim());
    }
    Ok(Outcome::Passed)
}

fn edu_is_behind_the_iommu() -> Result<Outcome> {
    let device = Path::new("/sys/bus/pci/devices").join(EDU);
    ensure!(device.exists(), "there is no device {EDU}");
    ensure!(device.join("iommu_group").exists(), "{EDU} has no IOMMU group");
    Ok(Outcome::Passed)
}

fn disk_io_is_mapped() -> Result<Outcome> {
    mapped_during(&["dd", "if=/dev/nvme0n1", "of=/dev/null", "bs=128k", "count=50", "iflag=direct"], 50)
}

fn network_traffic_is_mapped() -> Result<Outcome> {
    mapped_during(&["ping", "-c", "3", "-i", "0.2", "10.0.2.2"], 3)
}

fn file_systems() -> Result<Outcome> {
    for path in [
        "/sys/kernel/tracing/events",
        "/sys/kernel/debug/tracing",
        "/sys/fs/bpf",
        "/dev/pts/ptmx",
        "/dev/fd/0",
    ] {
        ensure!(Path::new(path).exists(), "{path} is missing");
    }
    Ok(Outcome::Passed)
}

/// Runs a command and expects the kernel to trace at least so many IOMMU mappings meanwhile.
fn mapped_during(argv: &[&str], least: usize) -> Result<Outcome> {
    let tracing = Path::new("/sys/kernel/tracing");
    // VT-d on 5.10 maps in a driver of its own, which has its own events.
    let names = ["iommu/map", "intel_iommu/map_single", "intel_iommu/map_sg"];
    let events: Vec<_> = names
        .iter()
        .map(|name| tracing.join("events").join(name).join("enable"))
        .filter(|path| path.exists())
        .collect();
    ensure!(!events.is_empty(), "this kernel has no event for IOMMU mappings");
    fs::write(tracing.join("trace"), "")?;
    events.iter().try_for_each(|event| fs::write(event, "1"))?;
    let output = Command::new("/bin/busybox").args(argv).output();
    events.iter().try_for_each(|event| fs::write(event, "0"))?;
    let output = output?;
    if !output.status.success() {
        bail!("{}: {}", argv.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    let trace = fs::read_to_string(tracing.join("trace"))?;
    let mappings = trace.lines().filter(|line| !line.starts_with('#')).count();
    fs::write(tracing.join("trace"), "")?;
    ensure!(mappings >= least, "{mappings} mappings during {}, expected {least} at least", argv[0]);
    Ok(Outcome::Passed)
}
