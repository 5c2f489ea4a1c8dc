//! The per-CPU caches: not used, of the wrong size, or holding the space.

use super::thresholds::{
    CACHED_SHARE, FLUSHES_PER_SECOND_CRITICAL, FREE_SHARE_LOW, MAX_CACHED_ORDER, MIN_CALLS, ONE_ORDER_SHARE,
    SLOW_CRITICAL, SLOW_WARNING, UNCACHED_INFO, UNCACHED_WARNING, WRONG_ORDER_USE, WRONG_SIZE_CACHED,
};
use super::{Finding, Severity, sac, space};
use crate::metric::Unit;
use crate::model::{Device, Domain, OrderCount, Report};

const SPACE_FACTS: &[&str] = &[
    "low_space.cached_bytes",
    "low_space.capacity_bytes",
    "low_space.live_bytes",
    "low_space.free_bytes",
    "low_space.largest_gap_bytes",
];
const CALL_FACTS: &[&str] = &[
    "alloc.slow",
    "alloc.slow_ratio",
    "alloc.count",
    "free.count",
    "alloc.latency_ns.p50",
    "alloc.latency_ns.p99",
    "alloc.latency_ns.max",
];

/// How the caches of a domain can be emptied without anything but sysfs.
fn empty_caches(domain: &Domain) -> String {
    let group = domain.group.map_or_else(|| "N".to_owned(), |group| group.to_string());
    format!(
        "The caches are flushed only when an allocation fails in the full range, never by an attempt below 4 GiB. A \
         fresh domain starts empty: unbind the driver, write DMA to /sys/kernel/iommu_groups/{group}/type, bind again."
    )
}
const REBIND_RISK: &str =
    "The device is offline while its driver is unbound. Leaves lazy mode: write DMA-FQ afterwards.";

/// What is free is scarce, and what is not used is plenty.
pub(super) fn holds_space(report: &Report, domain: &Domain) -> Option<Finding> {
    let low = &domain.low_space;
    let (cached, capacity, free) = (low.cached_bytes?, low.capacity_bytes?.max(1), low.free_bytes?);
    let share = cached as f64 / capacity as f64;
    // Where the module holds the rest, nobody misses it.
    if share < CACHED_SHARE || low.held_bytes > Some(0) {
        return None;
    }
    let scarce = (free as f64 / capacity as f64) < FREE_SHARE_LOW || space::refused(report, domain);
    if !scarce {
        return None;
    }
    let text = format!(
        "Caches hold {} of the space below 4 GiB ({}) while only {} are free: freed, but not available.",
        Unit::Bytes.render(Some(cached as f64)),
        Unit::Ratio.render(Some(share)),
        Unit::Bytes.render(Some(free as f64)),
    );
    let severity = if space::refused(report, domain) { Severity::Critical } else { Severity::Warning };
    Some(
        Finding::new("cache-holds-space", severity, text)
            .domain(domain)
            .domain_facts(domain, SPACE_FACTS)
            .action(empty_caches(domain))
            .risk(REBIND_RISK),
    )
}

/// After an MTU change the caches are full of the old size, which nobody asks for any more.
pub(super) fn wrong_size(report: &Report, domain: &Domain) -> Option<Finding> {
    let (capacity, granule) = (domain.low_space.capacity_bytes?.max(1), domain.granule_bytes?);
    let bytes = |entry: &OrderCount| (entry.count * granule) << entry.order;
    let total: u64 = domain.cached_by_order.iter().map(bytes).sum();
    let most = domain.cached_by_order.iter().max_by_key(|entry| bytes(entry))?;
    let dominant = bytes(most) as f64 >= ONE_ORDER_SHARE * total as f64;
    if !dominant || (bytes(most) as f64) < WRONG_SIZE_CACHED * capacity as f64 {
        return None;
    }
    let wanted = requests(report, domain);
    let all: u64 = wanted.iter().sum();
    let of_this_size = wanted.get(most.order as usize).copied().unwrap_or(0);
    let hurts = space::refused(report, domain)
        || report.devices_of(domain).any(|dev| excess_slow(report, dev) >= SLOW_WARNING);
    if all < MIN_CALLS || of_this_size as f64 >= WRONG_ORDER_USE * all as f64 {
        return None;
    }
    let (order, _) = wanted.iter().enumerate().max_by_key(|&(_, count)| count)?;
    let size = |order: u32| Unit::Bytes.render(Some((granule << order) as f64));
    let text = format!(
        "The caches hold {} addresses of {}, but the devices now ask for {}: left over from another request size, \
         as after an MTU change.",
        Unit::Count.render(Some(most.count as f64)),
        size(most.order),
        size(order as u32),
    );
    Some(
        Finding::new("wrong-size-cached", if hurts { Severity::Warning } else { Severity::Info }, text)
            .domain(domain)
            .domain_facts(domain, SPACE_FACTS)
            .action(empty_caches(domain))
            .risk(REBIND_RISK),
    )
}

/// Cacheable requests of all devices of the domain, per order.
fn requests(report: &Report, domain: &Domain) -> Vec<u64> {
    let mut wanted = vec![0; MAX_CACHED_ORDER as usize + 1];
    for entry in report.devices_of(domain).flat_map(|device| &device.alloc.by_order) {
        if let Some(sum) = wanted.get_mut(entry.order as usize) {
            *sum += entry.count;
        }
    }
    wanted
}

fn uncacheable(device: &Device) -> u64 {
    let large = device.alloc.by_order.iter().filter(|entry| entry.order > MAX_CACHED_ORDER);
    large.map(|entry| entry.count).sum()
}

/// Share of the cacheable calls that searched the tree without need: large requests always do, failed attempts do, and
/// a device whose mappings grow takes fresh addresses, because nothing was freed that could be cached; and so do caches
/// that are still filling.
fn excess_slow(report: &Report, device: &Device) -> f64 {
    let large = uncacheable(device);
    let (Some(slow), Some(freed)) = (device.alloc.slow, device.free.count) else { return 0.0 };
    let grown = device.alloc.count.saturating_sub(freed);
    let filling = report.domain_of(device).map_or(0, |domain| domain.newly_cached);
    let vain = device.alloc.sac_failed.unwrap_or(0);
    let calls = device.alloc.count.saturating_sub(large);
    let slow = slow.saturating_sub(large + grown + vain + filling);
    if calls < MIN_CALLS { 0.0 } else { slow as f64 / calls as f64 }
}

pub(super) fn slow_path(report: &Report, device: &Device) -> Option<Finding> {
    let share = excess_slow(report, device);
    if share < SLOW_WARNING {
        return None;
    }
    let severity = if share >= SLOW_CRITICAL { Severity::Critical } else { Severity::Warning };
    let text = format!(
        "The caches miss {} of the requests they could answer: each miss searches the tree under the domain's lock.",
        Unit::Ratio.render(Some(share))
    );
    Some(
        Finding::new("slow-path", severity, text).device(device).device_facts(device, CALL_FACTS).action(
            "Check that maps and unmaps run on the same CPUs (interrupt affinity, queues per CPU): an address freed \
             on one CPU is cached there. Measure again after warm-up; the first use of each size always misses.",
        ),
    )
}

pub(super) fn uncached_sizes(_: &Report, device: &Device) -> Option<Finding> {
    let (large, all) = (uncacheable(device), device.alloc.count);
    let share = large as f64 / all.max(1) as f64;
    if large < MIN_CALLS / 10 || share < UNCACHED_INFO {
        return None;
    }
    let severity = if share >= UNCACHED_WARNING { Severity::Warning } else { Severity::Info };
    let text = format!(
        "{} of the requests ({}) are larger than 128 KiB: no cache holds such sizes, so every map and unmap of them \
         takes the domain's lock.",
        Unit::Ratio.render(Some(share)),
        Unit::Count.render(Some(large as f64)),
    );
    let action = sac::limit_requests(device).unwrap_or_else(|| {
        "Let the driver map at most 128 KiB at once, where it has such a setting.".to_owned()
    });
    Some(
        Finding::new("uncached-sizes", severity, text)
            .device(device)
            .device_facts(device, CALL_FACTS)
            .action(action)
            .risk("Smaller requests mean more commands per byte: compare the throughput before and after."),
    )
}

pub(super) fn flushes(report: &Report, device: &Device) -> Option<Finding> {
    let flushes = device.cache.flushes.filter(|&flushes| flushes > 0)?;
    let per_second = flushes as f64 / report.duration_s.max(0.001);
    let severity =
        if per_second >= FLUSHES_PER_SECOND_CRITICAL { Severity::Critical } else { Severity::Warning };
    let text = format!(
        "{} allocations found nothing in their whole range and flushed the caches of all CPUs ({} per second).",
        Unit::Count.render(Some(flushes as f64)),
        Unit::PerSecond.render(Some(per_second)),
    );
    Some(
        Finding::new("cache-flushes", severity, text)
            .device(device)
            .device_facts(device, &["cache.flushes", "alloc.failed", "low_space.pressure", "dma_mask_bits"])
            .action("The device's range is full: see the findings on its 32-bit space, and reduce what it maps at once."),
    )
}
