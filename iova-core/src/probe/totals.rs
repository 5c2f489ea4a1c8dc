//! Running totals: 32-bit buckets widened to 64, and who owned which slot.

use std::collections::{BTreeMap, BTreeSet};

use iova_common::agg::{DeviceAgg, DeviceInfo, DomainAgg, Latency, MapAgg, SLOT_OTHER};

use crate::sample::{AllocCounters, DeviceCounters, DomainCounters, FreeCounters, Histogram};

/// What the attached programs measure at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) sac_attempts: bool,
    pub(super) sac_failed: bool,
    pub(super) free_latency: bool,
    pub(super) map: bool,
    pub(super) lock_wait: bool,
    pub(super) fq_timer: bool,
}

/// What was read of the devices, by slot.
pub(super) struct DevicesRead {
    pub(super) aggs: Vec<DeviceAgg>,
    /// Frees; empty unless the profile times them.
    pub(super) frees: Vec<Latency>,
    /// Map calls; empty unless the profile has them.
    pub(super) maps: Vec<MapAgg>,
}

/// What was read of the domains, by slot.
pub(super) struct DomainsRead {
    pub(super) aggs: Vec<DomainAgg>,
    /// Waits for the tree's lock; empty unless the profile has them.
    pub(super) waits: Vec<Latency>,
    /// Runs of the flush-queue timer.
    pub(super) timers: Vec<Latency>,
}

/// What the kernel's 32-bit buckets can't hold, and who owned a slot that is closed now.
#[derive(Default)]
pub(super) struct Totals {
    devices: BTreeMap<u32, DeviceTotals>,
    domains: BTreeMap<u64, [Wide; 2]>,
    watched: Vec<Wide>,
    pub(super) infos: BTreeMap<u32, DeviceInfo>,
    /// Slots of devices that are still there. None is given out twice.
    pub(super) alive: BTreeSet<u32>,
}

#[derive(Default)]
struct DeviceTotals {
    alloc: Wide,
    free: Wide,
    map: Wide,
}

/// A histogram whose buckets are read modulo 2^32. `None` until something is measured.
#[derive(Default)]
struct Wide(Option<Histogram>);

impl Wide {
    fn update(&mut self, now: &Latency) -> Histogram {
        let total = self.0.get_or_insert_default();
        for (total, now) in total.buckets.iter_mut().zip(&now.buckets) {
            // The low half is what was read last.
            *total += u64::from(now.wrapping_sub(*total as u32));
        }
        (total.sum, total.max) = (now.sum, now.max);
        total.clone()
    }
}

impl Totals {
    pub(super) fn devices(&mut self, measured: Measured, read: &DevicesRead) -> Vec<DeviceCounters> {
        let Self { devices, infos, alive, .. } = self;
        let mut counters = Vec::new();
        for (slot, agg) in (0..).zip(&read.aggs) {
            let used = agg.free_count != 0 || agg.alloc_by_order.iter().any(|n| *n != 0);
            let info = match infos.get(&slot) {
                Some(info) => *info,
                None if used => DeviceInfo { dev: agg.dev, group: -1, slot, iovad: 0 },
                None => continue,
            };
            let totals = devices.entry(slot).or_default();
            let alloc = AllocCounters {
                by_order: agg.alloc_by_order,
                bytes: agg.alloc_bytes,
                failed: agg.alloc_failed,
                high: agg.alloc_high,
                slow: agg.alloc_slow,
                sac_attempts: measured.sac_attempts.then_some(agg.sac_attempts),
                sac_failed: measured.sac_failed.then_some(agg.sac_failed),
                tree_failed: agg.tree_failed,
                cache_flushes: agg.cache_flushes,
                latency: totals.alloc.update(&agg.alloc_latency),
            };
            let frees = read.frees.get(slot as usize).filter(|_| measured.free_latency);
            let free = FreeCounters {
                count: agg.free_count,
                bytes: agg.free_bytes,
                latency: frees.map(|now| totals.free.update(now)),
            };
            let map = read.maps.get(slot as usize).filter(|_| measured.map);
            let map = map.map(|agg| totals.map.update(&agg.latency));
            counters.push(DeviceCounters {
                dev: if slot == SLOT_OTHER { 0 } else { info.dev },
                iovad: info.iovad,
                group: u32::try_from(info.group).ok(),
                generation: 0,
                gone: slot != SLOT_OTHER && !alive.contains(&slot),
                alloc,
                free,
                map,
            });
        }
        number_generations(&mut counters);
        counters
    }

    /// `known`: the domains and their slots; `online`: CPUs whose caches one flush empties.
    pub(super) fn domains(
        &mut self,
        measured: Measured,
        read: &DomainsRead,
        known: &[(u64, u32)],
        online: u64,
    ) -> Vec<DomainCounters> {
        let mut counters = Vec::new();
        for &(iovad, slot) in known {
            let slot = slot as usize;
            let Some(agg) = read.aggs.get(slot) else { continue };
            let [waits, runs] = self.domains.entry(iovad).or_default();
            counters.push(DomainCounters {
                iovad,
                low_pages_delta: agg.low_added.wrapping_sub(agg.low_removed).cast_signed(),
                high_pages_delta: agg.high_added.wrapping_sub(agg.high_removed).cast_signed(),
                nodes_delta: agg.nodes_added.wrapping_sub(agg.nodes_removed).cast_signed(),
                cache_flushes: agg.cpu_cache_flushes / online,
                lock_wait: read.waits.get(slot).filter(|_| measured.lock_wait).map(|now| waits.update(now)),
                fq_timer: read.timers.get(slot).filter(|_| measured.fq_timer).map(|now| runs.update(now)),
            });
        }
        counters
    }

    /// Latencies per order of the watched device.
    pub(super) fn watched(&mut self, now: &[Latency]) -> Vec<Histogram> {
        self.watched.resize_with(now.len(), Wide::default);
        self.watched.iter_mut().zip(now).map(|(total, now)| total.update(now)).collect()
    }
}

/// Slots are given out in order, so of several at one address the last is the newest, and the others are gone.
fn number_generations(counters: &mut [DeviceCounters]) {
    let mut newest: BTreeMap<u64, usize> = BTreeMap::new();
    for index in 0..counters.len() {
        let Some(before) = newest.insert(counters[index].dev, index) else { continue };
        counters[before].gone = true;
        counters[index].generation = counters[before].generation + 1;
    }
}
