//! Devices that go and come back while they are exported.

use anyhow::{Result, ensure};

use super::{Exporter, TCP, device, scrape::Scrape};
use crate::Outcome;
use crate::load::{EDU, Load};
use crate::policy::device::Device;
use crate::robust::{NVME, hotplug};

const DISK: &str = "/dev/nvme0n1";
/// What a driver itself may map while it starts and stops.
const DRIVER: f64 = 3000.0;

pub(super) fn removed_and_added() -> Result<Outcome> {
    let load = Load::new(NVME)?;
    let exporter = Exporter::start(TCP, &[])?;
    load.run("loop sizes=4K count=5000")?;
    let before = exporter.fresh()?;
    let made = allocations(&before)?;
    ensure!(made >= 5000.0, "{made} allocations, the module made 5000");
    ensure!(has_space(&before)? && is_there(&before)?, "the disk is not there from the start");
    hotplug::unplug(NVME, DISK)?;
    let gone = exporter.until("the end of the disk", |scrape| Ok(!has_space(scrape)? && !is_there(scrape)?));
    // Others need it, whatever came of this.
    hotplug::plug(DISK)?;
    let gone = gone?;
    gone.follows(&before)?;
    // Counters stay for the last scrape of whoever comes seldom.
    ensure!(allocations(&gone)? >= allocations(&before)?, "the counters of the disk went with it");
    gone.value("iova_low_space_live_bytes", &device(EDU))?;
    let back = exporter.until("the disk's return", |scrape| Ok(has_space(scrape)? && is_there(scrape)?))?;
    back.follows(&gone)?;
    let settled = exporter.fresh()?;
    load.run("loop sizes=4K count=4000")?;
    let after = exporter.fresh()?;
    after.follows(&settled)?;
    let made = allocations(&after)? - allocations(&settled)?;
    ensure!((4000.0..4000.0 + DRIVER).contains(&made), "{made} allocations, the module made 4000");
    let name = after.all("iova_alloc_total", "name=\"nvme0n1\",driver=\"nvme\"").count();
    ensure!(name == 1, "the disk has lost its name");
    exporter.end()?;
    Ok(Outcome::Passed)
}

/// A device that comes and goes more often than there are slots to spare is counted to the end, and in its own name.
pub(super) fn often(times: u32) -> Result<Outcome> {
    if std::env::var("IOVA_LAB_IOMMU").is_ok_and(|iommu| iommu == "virtio") {
        return Ok(Outcome::Skipped("the virtio IOMMU takes a device in only when a driver does".into()));
    }
    let exporter = Exporter::start(TCP, &[])?;
    for round in 0..times {
        Device(EDU).replug()?;
        Load::new(EDU)?.run("loop sizes=4K count=10 mask=64")?;
        // Slots come back when a reading has found their devices gone; the kernel has as many to spare as come and go meanwhile.
        if round % 4 == 3 {
            exporter.fresh()?;
        }
    }
    let before = exporter.fresh()?;
    Load::new(EDU)?.run("loop sizes=4K count=500 mask=64")?;
    let after = exporter.fresh()?;
    after.follows(&before)?;
    let counted = |scrape: &Scrape| scrape.value("iova_alloc_total", &device(EDU));
    let made = counted(&after)? - counted(&before)?;
    println!("# after {times} hot-plugs {made} of 500 allocations are counted; in all {}", counted(&after)?);
    ensure!(made >= 500.0, "{made} allocations are counted, the module made 500");
    let other = after.one("iova_alloc_total", "device=\"other\"")?;
    ensure!(other.unwrap_or_default() == 0.0, "{other:?} allocations are counted as \"other\"");
    exporter.end()?;
    Ok(Outcome::Passed)
}

/// Of all that was ever at the disk's address; there is one such series at any time.
fn allocations(scrape: &Scrape) -> Result<f64> {
    scrape.value("iova_alloc_total", &device(NVME))
}

fn has_space(scrape: &Scrape) -> Result<bool> {
    Ok(scrape.one("iova_low_space_live_bytes", &device(NVME))?.is_some())
}

fn is_there(scrape: &Scrape) -> Result<bool> {
    Ok(scrape.one("iova_device_info", &device(NVME))?.is_some())
}
