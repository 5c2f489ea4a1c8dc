//! From sums and snapshots to [`Figures`].

use super::delta::Counters;
use super::device::{
    Alloc, Cache, Device, Fault, Faults, Free, LARGE_ORDER, Lock, Map, OrderCount, OrderLatency, Policy,
    Presence, SlowCall,
};
use super::domain::{Domain, FlushQueue, LowSpace, Space, consistency_name};
use super::hide;
use super::identity::{Identity, identify};
use super::latency::Latency;
use super::quality::{self, Quality};
use super::report::Figures;
use super::track::{Culprit, FaultLog, Model, RawFault};
use crate::inventory::{self, Configured};
use crate::sample::{AllocCounters, DeviceCounters, DomainCounters, FreeCounters, Histogram};
use crate::snapshot::{DomainState, RangeKind, Snapshot};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// `max32_alloc_pages` covers this much when there is no limit.
const LOW_BYTES: u64 = 1 << 32;

pub(super) fn figures(model: &Model, end: Option<&Snapshot>) -> Figures {
    let counters = by_identity(model);
    let nothing = DeviceCounters::default();
    let mut devices: Vec<Device> = Vec::new();
    for (index, entry) in model.inventory.devices.iter().enumerate() {
        let sum = counters.get(&Identity::Known(index)).map_or(&nothing, AsRef::as_ref);
        devices.push(known(model, index, entry, sum));
    }
    devices.extend(counters.iter().filter_map(|(identity, sum)| stray(*identity, sum)));
    devices.extend(fault_strays(model));

    let mut domains = domains(model, end);
    let approximate = quality::approximate(model.quality_sum());
    for device in &mut devices {
        if model.quality_sum().search_sampling > 0 {
            device.alloc.search_ns = std::mem::take(&mut device.alloc.latency_ns);
        }
        device.approximate.clone_from(&approximate);
        finish(model, device);
    }
    let mut members = by_domain(&mut devices, |device| device.iovad);
    for domain in &domains {
        members.remove(&domain.iovad).into_iter().flatten().for_each(|device| share(domain, device));
    }
    for unknown in &model.unknown {
        hide::hide(&unknown.metric, &mut devices, &mut domains);
    }
    devices.sort_by(|a, b| b.alloc.count.cmp(&a.alloc.count).then_with(|| a.bdf.cmp(&b.bdf)));
    let members = by_domain(devices.iter().enumerate(), |(_, device)| device.iovad);
    let members_of = |domain: &Domain| members.get(&domain.iovad).map_or(&[][..], Vec::as_slice);
    for domain in &mut domains {
        domain.devices = members_of(domain).iter().map(|(_, device)| device.bdf.clone()).collect();
        domain.devices.sort();
    }
    domains.sort_by_cached_key(|domain| members_of(domain).first().map(|&(position, _)| position));
    Figures {
        duration_s: seconds(model),
        quality: Quality::new(model.quality_sum(), model.unknown.clone()),
        devices,
        domains,
    }
}

/// What belongs to each domain, in the given order. With many devices, a search per domain takes too long.
fn by_domain<T>(
    all: impl IntoIterator<Item = T>,
    iovad: impl Fn(&T) -> Option<u64>,
) -> BTreeMap<u64, Vec<T>> {
    let mut map: BTreeMap<u64, Vec<T>> = BTreeMap::new();
    for one in all {
        if let Some(iovad) = iovad(&one) {
            map.entry(iovad).or_default().push(one);
        }
    }
    map
}

fn seconds(model: &Model) -> f64 {
    model.duration_ns() as f64 / 1e9
}

/// Two pointers may turn out to be one device (its group has no other), so sums are added up per identity.
fn by_identity(model: &Model) -> BTreeMap<Identity, Cow<'_, DeviceCounters>> {
    let mut map: BTreeMap<Identity, Cow<'_, DeviceCounters>> = BTreeMap::new();
    for device in model.device_sums() {
        match map.entry(identify(model.roll(), device)) {
            Entry::Vacant(entry) => drop(entry.insert(Cow::Borrowed(device))),
            Entry::Occupied(mut entry) => entry.get_mut().to_mut().add(device),
        }
    }
    map
}

fn known(model: &Model, index: usize, entry: &inventory::Device, sum: &DeviceCounters) -> Device {
    let presence = match (model.added.contains(&index), model.removed.contains(&index)) {
        (true, _) => Presence::Added,
        (_, true) => Presence::Removed,
        _ => Presence::Present,
    };
    let mut device = counted(sum);
    device.bdf.clone_from(&entry.bdf);
    device.id = entry.id.map(inventory::id_text);
    device.name.clone_from(&entry.name);
    device.driver.clone_from(&entry.driver);
    device.functions.clone_from(&entry.functions);
    device.group = Some(entry.group);
    device.domain_type = Some(entry.domain_type);
    device.dma_mask_bits = entry.dma_mask_bits;
    device.coherent_mask_bits = entry.coherent_mask_bits;
    device.bus_dma_limit = entry.bus_dma_limit.filter(|&limit| limit > 0);
    device.presence = presence;
    device.policy = Policy { effective_high_ratio: device.policy.effective_high_ratio, ..Policy::of(entry) };
    // What is gone has no space; another device may have got its memory.
    device.iovad = if presence == Presence::Removed { None } else { entry.iovad.or(device.iovad) };
    device.dev = entry.dev.or(device.dev);
    device.fell_back = device.dev.is_some_and(|dev| model.fell_back.contains(&dev));
    device
}

/// A device of the samples that the inventory does not have: shown only if it did something.
fn stray(identity: Identity, sum: &DeviceCounters) -> Option<Device> {
    if matches!(identity, Identity::Known(_)) {
        return None;
    }
    let (bdf, name, presence) = stray_name(identity, sum.group);
    let device = Device { bdf, name: name.to_owned(), presence, group: sum.group, ..counted(sum) };
    device.active().then_some(device)
}

/// What stands for its address and its name.
pub(super) fn stray_name(identity: Identity, group: Option<u32>) -> (String, &'static str, Presence) {
    match identity {
        Identity::OneOfGroup(group) => {
            (format!("group {group}"), "one of several devices of the group", Presence::OneOfGroup)
        }
        Identity::Known(_) | Identity::Unknown(_) => {
            let bdf = group.map_or_else(|| "unknown".to_owned(), |group| format!("group {group}?"));
            (bdf, "device in no inventory (removed, or added again)", Presence::Unknown)
        }
        Identity::Other => ("other".to_owned(), "devices without a slot of their own", Presence::Other),
    }
}

fn counted(sum: &DeviceCounters) -> Device {
    let alloc = alloc(&sum.alloc);
    let successes = alloc.count.saturating_sub(alloc.failed);
    let slow_ratio = alloc.slow_ratio;
    Device {
        dev: (sum.dev != 0).then_some(sum.dev),
        iovad: (sum.iovad != 0).then_some(sum.iovad),
        policy: Policy { effective_high_ratio: ratio(alloc.high, successes), ..Policy::default() },
        map: map(sum, &alloc),
        free: free(&sum.free),
        cache: Cache { hit_ratio: slow_ratio.map(|slow| 1.0 - slow), flushes: Some(sum.alloc.cache_flushes) },
        alloc,
        ..Device::default()
    }
}

fn alloc(sum: &AllocCounters) -> Alloc {
    let count = sum.by_order.iter().sum();
    let calls = count + sum.sac_failed.unwrap_or(0);
    Alloc {
        count,
        per_second: None,
        failed: sum.failed,
        bytes: sum.bytes,
        slow: Some(sum.slow),
        // Both are read without stopping the machine, so a call may be in one and not yet in the other.
        slow_ratio: ratio(sum.slow.min(calls), calls),
        sac_attempts: sum.sac_attempts,
        sac_failed: sum.sac_failed,
        tree_failed: Some(sum.tree_failed),
        high: sum.high,
        latency_ns: Latency::new(Some(&sum.latency)),
        search_ns: Latency::default(),
        by_order: orders(&sum.by_order, false),
        latency_by_order: Vec::new(),
        large_latency_ns: Latency::default(),
    }
}

fn watched(alloc: &mut Alloc, orders: &[Histogram]) {
    if orders.is_empty() {
        return;
    }
    let all = || (0..).zip(orders);
    let latency = |(order, histogram)| OrderLatency { order, latency_ns: Latency::new(Some(histogram)) };
    alloc.latency_by_order = all().map(latency).filter(|entry| entry.latency_ns.samples > Some(0)).collect();
    let mut large = Histogram::default();
    all().filter(|(order, _)| *order >= LARGE_ORDER).for_each(|(_, histogram)| large.add(histogram));
    alloc.large_latency_ns = Latency::new(Some(&large));
}

fn free(sum: &FreeCounters) -> Free {
    Free { count: Some(sum.count), bytes: Some(sum.bytes), latency_ns: Latency::new(sum.latency.as_ref()) }
}

fn map(sum: &DeviceCounters, alloc: &Alloc) -> Map {
    let latency = Latency::new(sum.map.as_ref());
    // Allocations may be sampled and maps not, so both sums are made of mean and count.
    let allocator = alloc.latency_ns.mean.map(|mean| mean as f64 * alloc.count as f64);
    let total = sum.map.as_ref().map(|map| map.sum as f64).filter(|&total| total > 0.0);
    Map {
        count: latency.samples,
        allocator_share: allocator.zip(total).map(|(allocator, total)| allocator / total),
        latency_ns: latency,
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn orders(counts: &[u64], zeros: bool) -> Vec<OrderCount> {
    let counts = counts.iter().enumerate();
    counts
        .filter(|&(_, &count)| zeros || count > 0)
        .map(|(order, &count)| OrderCount { order: order as u32, count })
        .collect()
}

/// The policy words of text and JSON.
pub fn configured_name(configured: Configured) -> &'static str {
    match configured {
        Configured::SacFirst => "sac-first",
        Configured::FullRange => "full-range",
        Configured::Low => "32-bit",
    }
}

/// What a device shares with others, or gets from events.
fn finish(model: &Model, device: &mut Device) {
    if model.duration_ns() > 0 {
        device.alloc.per_second = Some(device.alloc.count as f64 / seconds(model));
    }
    if let Some(dev) = device.dev {
        watched(&mut device.alloc, model.watched(dev));
    }
    device.faults = faults(model, device);
    let calls = model.slow_calls.iter().filter(|call| device.dev == Some(call.dev));
    device.slow_calls = calls
        .map(|call| SlowCall {
            duration_ns: call.duration_ns,
            size_bytes: call.size,
            stack: call.stack.clone(),
        })
        .collect();
}

/// What is its domain's.
fn share(domain: &Domain, device: &mut Device) {
    device.low_space = domain.low_space.clone();
    device.lock = domain.lock.clone();
    if domain.consistency == Some("approximate") {
        device.approximate.push("low_space");
    }
}

/// Bus addresses that fault without being in the inventory: a source id of a bridge, or of a device not enumerated.
fn fault_strays(model: &Model) -> Vec<Device> {
    let known = |bdf: &str| model.inventory.devices.iter().any(|device| same_address(&device.bdf, bdf));
    let strays = model.faults.keys().filter_map(|culprit| match culprit {
        Culprit::Bdf(bdf) if !known(bdf) => Some(bdf.clone()),
        _ => None,
    });
    let name = "source of faults, in no inventory";
    strays
        .map(|bdf| Device { bdf, name: name.into(), presence: Presence::Unknown, ..Device::default() })
        .collect()
}

/// The IOMMU may leave out the PCI segment.
pub(super) fn same_address(full: &str, reported: &str) -> bool {
    full == reported || full.strip_suffix(reported).is_some_and(|segment| segment.ends_with(':'))
}

fn faults(model: &Model, device: &Device) -> Faults {
    let mut faults = Faults { count: Some(0), first: Vec::new() };
    let mine = |culprit: &Culprit| match culprit {
        Culprit::Pointer(dev) => device.dev == Some(*dev),
        Culprit::Bdf(bdf) => same_address(&device.bdf, bdf),
    };
    for (_, FaultLog { count, first }) in model.faults.iter().filter(|(culprit, _)| mine(culprit)) {
        faults.count = faults.count.map(|sum| sum + count);
        faults.first.extend(first.iter().map(fault));
    }
    faults
}

fn fault(raw: &RawFault) -> Fault {
    let access = raw.read.map(|read| if read { "read" } else { "write" });
    Fault { address: format!("{:#x}", raw.addr), access, reason: raw.reason }
}

fn domains(model: &Model, end: Option<&Snapshot>) -> Vec<Domain> {
    let states = end.or(model.start.as_ref());
    let mut domains: Vec<Domain> = states
        .map(|snapshot| snapshot.domains.iter().map(|state| seen(state, snapshot.ns)).collect())
        .unwrap_or_default();
    let members = by_domain(&model.inventory.devices, |device| device.iovad);
    let mut sums: BTreeMap<u64, &DomainCounters> = model.domain_sums().map(|sum| (sum.iovad, sum)).collect();
    for domain in &mut domains {
        if let Some(sum) = sums.remove(&domain.iovad) {
            add_counters(domain, sum);
        }
    }
    for (iovad, sum) in sums {
        if iovad != 0 && members.contains_key(&iovad) {
            let mut domain = Domain { iovad, ..Domain::default() };
            add_counters(&mut domain, sum);
            domains.push(domain);
        }
    }
    let starts = by_domain(model.start.iter().flat_map(|start| &start.domains), |state| Some(state.iovad));
    for domain in &mut domains {
        let members = members.get(&domain.iovad).map_or(&[][..], Vec::as_slice);
        let start = starts.get(&domain.iovad).and_then(|states| states.first()).copied();
        domain.group = domain.group.or(members.first().map(|device| device.group));
        domain.low_space.tell_held(held(members));
        domain.low_space.peak_used_bytes = start.and_then(|start| peak(model, start, domain));
        domain.newly_cached = newly_cached(start, domain);
    }
    domains
}

/// What the module holds in a domain: only one of a device alone, so this is one number.
fn held(members: &[&inventory::Device]) -> u64 {
    let managed = members.iter().filter_map(|device| device.managed.as_ref());
    managed.map(|managed| managed.held_bytes).sum()
}

fn newly_cached(start: Option<&DomainState>, domain: &Domain) -> u64 {
    let before: u64 = start.iter().flat_map(|state| state.cached_by_order).sum();
    let after: u64 = domain.cached_by_order.iter().map(|entry| entry.count).sum();
    after.saturating_sub(before)
}

fn add_counters(domain: &mut Domain, sum: &DomainCounters) {
    let measured = |histogram: &Option<Histogram>| Latency::new(histogram.as_ref());
    let wait_ns = measured(&sum.lock_wait);
    domain.cache_flushes = sum.cache_flushes;
    domain.lock = Lock { waits: wait_ns.samples, wait_ns };
    domain.flush_queue.timer_ns = measured(&sum.fq_timer);
}

/// Start of the interval plus the most that the tree grew, and never less than what the end shows.
fn peak(model: &Model, start: &DomainState, domain: &Domain) -> Option<u64> {
    let low = &start.low;
    let grown = model.peak_low_pages.get(&domain.iovad).copied().unwrap_or(0);
    let pages = (low.live + low.cached + low.pending).saturating_add_signed(grown);
    let used = (pages * start.granule).saturating_sub(domain.low_space.held_bytes?);
    Some(used.max(domain.low_space.used_bytes()?))
}

/// Pages at or above 4 GiB that are in somebody's hands: a 64-bit bridge window is reserved there, and no use.
fn high_in_use(state: &DomainState) -> u64 {
    let first_high = LOW_BYTES / state.granule.max(1);
    let in_use = state.ranges.iter().filter(|range| range.kind != RangeKind::Reserved);
    in_use.map(|range| (range.pfn_hi + 1).saturating_sub(range.pfn_lo.max(first_high))).sum()
}

fn seen(state: &DomainState, seen_ns: u64) -> Domain {
    let bytes = |pages: u64| pages * state.granule;
    let low = &state.low;
    let used = low.live + low.cached + low.pending;
    let total = used + low.reserved + low.free;
    let capacity = total.saturating_sub(low.reserved);
    Domain {
        group: state.group,
        granule_bytes: Some(state.granule),
        consistency: Some(consistency_name(state.consistency)),
        low_space: LowSpace {
            capacity_bytes: Some(bytes(capacity)),
            reserved_bytes: Some(bytes(low.reserved)),
            live_bytes: Some(bytes(low.live)),
            held_bytes: None,
            cached_bytes: Some(bytes(low.cached)),
            pending_bytes: Some(bytes(low.pending)),
            free_bytes: Some(bytes(low.free)),
            largest_gap_bytes: Some(bytes(low.largest_gap)),
            pressure: None,
            peak_used_bytes: None,
        },
        high_bytes: Some(bytes(high_in_use(state))),
        nodes: Some(state.nodes),
        max32_alloc_bytes: Some(bytes(state.max32_alloc_pages)).filter(|&limit| limit < LOW_BYTES),
        aligned_blocks: orders(&low.aligned_blocks[..=20], true),
        cached_by_order: orders(&state.cached_by_order, false),
        depot_by_order: orders(&state.depot_by_order, false),
        flush_queue: FlushQueue {
            lazy: Some(state.lazy),
            entries: Some(state.fq_entries),
            timer_ns: Latency::default(),
        },
        space: Space { granule: state.granule, ranges: state.ranges.clone(), seen_ns },
        iovad: state.iovad,
        ..Domain::default()
    }
}
