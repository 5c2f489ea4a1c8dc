//! Running totals: 32-bit buckets widened to 64, and who owned which slot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

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

/// Devices that are gone and still told of: more have no reader.
const CLOSED: usize = 256;

/// Addresses whose generations are kept, about: those of devices that nothing is told of go.
const GENERATIONS: usize = 4096;

/// Histograms widened to 64 bits, and the owners of slots.
#[derive(Default)]
pub(super) struct Totals {
    devices: BTreeMap<u32, DeviceTotals>,
    /// The last figures of devices whose slots were given back, oldest first.
    closed: VecDeque<DeviceCounters>,
    /// The generation of the last device at an address.
    generations: BTreeMap<u64, u32>,
    /// By address and slot: another domain may come to the same address.
    domains: BTreeMap<(u64, u32), [Wide; 2]>,
    watched: Vec<Wide>,
    pub(super) infos: BTreeMap<u32, DeviceInfo>,
    /// Slots of devices that are still there.
    pub(super) alive: BTreeSet<u32>,
}

#[derive(Default)]
struct DeviceTotals {
    generation: u32,
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
        let mut counters: Vec<_> = self.closed.iter().cloned().collect();
        counters.extend(self.by_slot(measured, read).into_iter().map(|(_, device)| device));
        counters
    }

    fn by_slot(&mut self, measured: Measured, read: &DevicesRead) -> Vec<(u32, DeviceCounters)> {
        let Self { devices, infos, alive, generations, .. } = self;
        let mut counters = Vec::new();
        for (slot, agg) in (0..).zip(&read.aggs) {
            let used = agg.free_count != 0 || agg.alloc_by_order.iter().any(|n| *n != 0);
            let info = match infos.get(&slot) {
                Some(info) => *info,
                None if used => DeviceInfo { dev: agg.dev, group: -1, slot, iovad: 0 },
                None => continue,
            };
            let totals = devices
                .entry(slot)
                .or_insert_with(|| DeviceTotals::of(next_generation(generations, slot, info.dev)));
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
            let device = DeviceCounters {
                dev: if slot == SLOT_OTHER { 0 } else { info.dev },
                iovad: info.iovad,
                group: u32::try_from(info.group).ok(),
                generation: totals.generation,
                gone: slot != SLOT_OTHER && !alive.contains(&slot),
                alloc,
                free,
                map,
            };
            counters.push((slot, device));
        }
        counters
    }

    /// Keeps the last figures of devices whose slots are given back: they can be another device's from now on.
    pub(super) fn close(&mut self, slots: &[u32], measured: Measured, read: &DevicesRead) {
        let all = self.by_slot(measured, read);
        self.closed
            .extend(all.into_iter().filter(|(slot, _)| slots.contains(slot)).map(|(_, device)| device));
        let beyond = self.closed.len().saturating_sub(CLOSED);
        self.closed.drain(..beyond);
        for slot in slots {
            self.devices.remove(slot);
            self.infos.remove(slot);
        }
        if self.generations.len() > GENERATIONS {
            let told: BTreeSet<u64> =
                self.infos.values().map(|info| info.dev).chain(self.closed.iter().map(|it| it.dev)).collect();
            self.generations.retain(|dev, _| told.contains(dev));
        }
    }

    /// The same for domains, of which nothing is told any more.
    pub(super) fn close_domains(&mut self, domains: &[(u64, u32)]) {
        domains.iter().for_each(|domain| drop(self.domains.remove(domain)));
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
            let [waits, runs] = self.domains.entry((iovad, slot)).or_default();
            let slot = slot as usize;
            let Some(agg) = read.aggs.get(slot) else { continue };
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

impl DeviceTotals {
    fn of(generation: u32) -> Self {
        Self { generation, ..Self::default() }
    }
}

/// Number of devices that were at this address before.
fn next_generation(generations: &mut BTreeMap<u64, u32>, slot: u32, dev: u64) -> u32 {
    if slot == SLOT_OTHER {
        return 0;
    }
    let next = generations.get(&dev).map_or(0, |last| last + 1);
    generations.insert(dev, next);
    next
}

#[cfg(test)]
mod tests {
    use iova_common::hist::BUCKETS;

    use super::super::sum::Counters as _;
    use super::*;

    const ALL: Measured = Measured {
        sac_attempts: true,
        sac_failed: true,
        free_latency: false,
        map: false,
        lock_wait: true,
        fq_timer: true,
    };

    fn read(counts: &[u64]) -> DevicesRead {
        let agg = |bytes: &u64| {
            let mut agg = DeviceAgg { alloc_bytes: *bytes, ..DeviceAgg::ZERO };
            agg.alloc_by_order[0] = *bytes;
            agg.alloc_latency.buckets[3] = *bytes as u32;
            agg
        };
        DevicesRead { aggs: counts.iter().map(agg).collect(), frees: Vec::new(), maps: Vec::new() }
    }

    fn comes(totals: &mut Totals, dev: u64, slot: u32) {
        totals.infos.insert(slot, DeviceInfo { dev, slot, ..DeviceInfo::default() });
        totals.alive.insert(slot);
    }

    /// Address, generation, gone, bytes, samples.
    fn told(totals: &mut Totals, read: &DevicesRead) -> Vec<(u64, u32, bool, u64, u64)> {
        let devices = totals.devices(ALL, read);
        devices
            .iter()
            .map(|it| (it.dev, it.generation, it.gone, it.alloc.bytes, it.alloc.latency.buckets[3]))
            .collect()
    }

    #[test]
    fn a_slot_that_comes_back_is_another_devices() {
        let mut totals = Totals::default();
        comes(&mut totals, 0xa, 1);
        assert_eq!(told(&mut totals, &read(&[0, 7])), [(0xa, 0, false, 7, 7)]);
        totals.alive.clear();
        assert_eq!(told(&mut totals, &read(&[0, 9])), [(0xa, 0, true, 9, 9)]);
        totals.close(&[1], ALL, &read(&[0, 9]));
        assert_eq!(told(&mut totals, &read(&[0, 0])), [(0xa, 0, true, 9, 9)]);
        // One at the same address, in the same slot.
        comes(&mut totals, 0xa, 1);
        assert_eq!(told(&mut totals, &read(&[0, 2])), [(0xa, 0, true, 9, 9), (0xa, 1, false, 2, 2)]);
    }

    #[test]
    fn what_is_told_of_the_gone_has_an_end() {
        let mut totals = Totals::default();
        for dev in 1..=(GENERATIONS as u64 + 10) {
            comes(&mut totals, dev, 1);
            totals.alive.clear();
            totals.close(&[1], ALL, &read(&[0, dev]));
        }
        let devices = totals.devices(ALL, &read(&[0, 0]));
        assert_eq!((devices.len(), devices.last().map(|it| it.dev)), (CLOSED, Some(GENERATIONS as u64 + 10)));
        assert!(totals.generations.len() <= GENERATIONS + 1);
    }

    #[test]
    fn a_domain_at_a_known_address_begins_at_nothing() {
        let mut totals = Totals::default();
        let timer = |count| Latency { sum: u64::from(count), buckets: [count; BUCKETS], ..Latency::ZERO };
        let mut runs = |timers: Vec<Latency>, slot| {
            let read = DomainsRead { aggs: vec![DomainAgg::ZERO; 2], waits: Vec::new(), timers };
            totals.domains(ALL, &read, &[(0xa, slot)], 1)[0].fq_timer.as_ref().unwrap().buckets[0]
        };
        assert_eq!(runs(vec![timer(5), timer(0)], 0), 5);
        assert_eq!(runs(vec![timer(5), timer(2)], 1), 2);
    }
}
