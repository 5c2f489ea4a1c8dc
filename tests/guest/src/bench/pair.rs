//! The load: the module's tightest loop of map and unmap, 4 KiB on the NVMe device.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Pairs per run.
pub(crate) const COUNT: u64 = 10_000;
/// The least of so many runs counts: whatever else runs in the guest only ever adds.
pub(crate) const RUNS: usize = 5;

/// Loads or unloads a module: `modprobe` or `rmmod`.
pub(crate) fn module(how: &str, module: &str) -> Result<()> {
    let status = Command::new(how).arg(module).status().with_context(|| format!("cannot start {how}"))?;
    ensure!(status.success(), "{how} {module}: {status}");
    Ok(())
}

/// The NVMe device.
fn device() -> Result<String> {
    let device = fs::read_link("/sys/class/nvme/nvme0/device").context("the guest has no NVMe device")?;
    let name = device.file_name().and_then(|name| name.to_str()).context("the NVMe device has no name")?;
    Ok(name.to_owned())
}

/// Gives the device a domain whose unmaps wait for the IOMMU (`iommu_group_store_type()`, drivers/iommu/iommu.c, 5.15 and later).
pub(crate) fn make_strict() -> Result<()> {
    let bdf = device()?;
    let put = |place: &str, text: &str| fs::write(place, text).with_context(|| format!("writing {place}"));
    put("/sys/bus/pci/drivers/nvme/unbind", &bdf)?;
    put(&format!("/sys/bus/pci/devices/{bdf}/iommu_group/type"), "DMA")?;
    put("/sys/bus/pci/drivers/nvme/bind", &bdf)
}

/// Guest instructions per pair, the least of so many runs.
pub(crate) fn instructions(runs: usize) -> Result<u64> {
    let bdf = device()?;
    let command = format!("bench dev={bdf} size=4K count={COUNT} warmup=500");
    let mut least = u64::MAX;
    for _ in 0..runs {
        least = least.min(run(&command)?);
    }
    Ok((least + 500) / 1000)
}

/// Picoseconds per pair of one run.
fn run(command: &str) -> Result<u64> {
    let mut device = OpenOptions::new().read(true).write(true).open("/dev/iova_load")?;
    device.write_all(command.as_bytes()).with_context(|| format!("iova_load: {command}"))?;
    let mut answer = String::new();
    device.read_to_string(&mut answer)?;
    for line in answer.lines() {
        if let Some(value) = line.strip_prefix("ps_per_pair=") {
            return Ok(value.parse()?);
        }
    }
    bail!("iova_load: {command}: no ps_per_pair in {answer}")
}
