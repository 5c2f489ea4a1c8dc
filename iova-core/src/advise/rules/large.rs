//! Requests larger than what the per-CPU caches hold.

use super::super::{Advice, Gain, Setting, Sureness};
use super::{about, draft};
use crate::finding::{Severity, limited_disk, thresholds::MAX_CACHED_ORDER};
use crate::model::{Device, Report};

/// What the caches hold at most: 2^5 pages (drivers/iommu/iova.c, IOVA_RANGE_CACHE_MAX_SIZE).
const KIB: u32 = 128;

/// A disk whose large requests decide what the allocator costs.
pub(super) fn disk(report: &Report, device: &Device) -> Option<Advice> {
    let finding = about(report, device, &["uncached-sizes"]);
    let finding = *finding.iter().find(|finding| finding.severity >= Severity::Warning)?;
    smaller(device, finding.id, &finding.text)
}

/// The same where such requests find no room below 4 GiB.
pub(super) fn cliff(report: &Report, device: &Device) -> Option<Advice> {
    let finding = *about(report, device, &["low-space-cliff"]).first()?;
    smaller(device, finding.id, &finding.text)
}

fn smaller(device: &Device, finding: &'static str, text: &str) -> Option<Advice> {
    let disk = limited_disk(device)?;
    let draft = draft("small-requests", device, Setting::MaxSectors { disk: disk.to_owned(), kib: KIB });
    let file = format!("/sys/block/{disk}/queue/max_sectors_kb");
    let large: u64 = device
        .alloc
        .by_order
        .iter()
        .filter(|entry| entry.order > MAX_CACHED_ORDER)
        .map(|entry| entry.count)
        .sum();
    Some(Advice {
        text: text.to_owned(),
        findings: vec![finding],
        gain: gain(device, large),
        now: vec![format!("cat {file}  # note what it is"), format!("echo {KIB} > {file}")],
        risk: Some("More commands per byte: compare the throughput before and after.".to_owned()),
        revert: format!("echo the old value > {file}"),
        sure: Sureness::Medium,
        why: "That caches answer such requests is certain; what more commands cost the disk is not measured."
            .to_owned(),
        ..draft
    })
}

/// Those requests are answered as those that are cached now.
fn gain(device: &Device, large: u64) -> Option<Gain> {
    let mut gain = Gain::without_slowest(
        "alloc.latency_ns.mean",
        &device.alloc.latency_ns,
        (large, device.alloc.count),
    )?;
    gain.how = "the large requests, in pieces, then take as long each as the others: between their median and their p99"
        .to_owned();
    Some(gain)
}
