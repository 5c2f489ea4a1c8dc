//! For the bench of `iova top`: all that turns the values of per-CPU maps into a [`Sample`], with a kernel that is
//! played.

use std::cell::RefCell;
use std::io;

use iova_common::agg::{DeviceAgg, DeviceInfo, DomainAgg, Latency, MapAgg};

use super::read::{Values, read_array};
use super::sum::Counters;
use super::totals::{DevicesRead, DomainsRead, Measured, Totals};
use crate::sample::{Quality, Sample};

/// Buckets that a device's latencies fill.
const FILLED: usize = 100;
/// One device of so many suffers.
pub const SUFFERS: usize = 8;

/// A map of the kernel: a value per slot and CPU.
struct Map<T> {
    /// Slot by slot, in each the CPUs that have counted something.
    values: Vec<T>,
    busy: usize,
    /// The kernel copies into a buffer of its own first.
    buffer: RefCell<Vec<u64>>,
}

impl<T: Counters> Map<T> {
    fn new(slots: usize, busy: usize) -> Self {
        Self { values: vec![T::ZERO; slots * busy], busy, buffer: RefCell::default() }
    }

    fn words() -> usize {
        size_of::<T>() / 8
    }
}

impl<T: Counters> Values for Map<T> {
    fn one(&self, index: u32, value: &mut [u64]) -> io::Result<()> {
        let first = index as usize * self.busy;
        let values = self.values.get(first..first + self.busy).ok_or(io::ErrorKind::NotFound)?;
        // SAFETY: T is a repr(C) struct of integers, aligned and sized as words.
        let words =
            unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len() * Self::words()) };
        let mut buffer = self.buffer.borrow_mut();
        buffer.clear();
        buffer.extend_from_slice(words);
        let (counted, idle) = value.split_at_mut(words.len());
        counted.copy_from_slice(&buffer);
        idle.fill(0);
        Ok(())
    }

    fn first(&self, _: &mut [u32], _: &mut [u64]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Devices that never rest, on a kernel that is played.
pub struct Reader {
    totals: Totals,
    slots: u32,
    cpus: usize,
    devices: Map<DeviceAgg>,
    /// One value for all CPUs, unless `full`.
    frees: Map<Latency>,
    maps: Map<MapAgg>,
    domains: Map<DomainAgg>,
    waits: Map<Latency>,
    /// One value for all CPUs.
    timers: Map<Latency>,
    /// Profile `full`, or `default`.
    full: bool,
    round: u32,
}

impl Reader {
    /// One slot per device, given by its `struct device` and `struct iova_domain`. Of the `cpus` only the first `busy`
    /// count anything: what all of them count takes more memory than what is measured.
    pub fn new(devices: &[(u64, u64)], cpus: usize, busy: usize, full: bool) -> Self {
        let mut totals = Totals::default();
        for (slot, &(dev, iovad)) in (1..).zip(devices) {
            totals.infos.insert(slot, DeviceInfo { dev, iovad, group: slot.cast_signed(), slot });
            totals.alive.insert(slot);
        }
        let slots = devices.len() + 1;
        Self {
            totals,
            slots: slots as u32,
            cpus,
            devices: Map::new(slots, busy),
            frees: Map::new(slots, if full { busy } else { 1 }),
            maps: Map::new(if full { slots } else { 0 }, busy),
            domains: Map::new(slots, busy),
            waits: Map::new(if full { slots } else { 0 }, busy),
            timers: Map::new(slots, 1),
            full,
            round: 0,
        }
    }

    /// How often it was passed.
    pub fn seconds(&self) -> u64 {
        u64::from(self.round)
    }

    /// What happens until the next reading.
    pub fn pass(&mut self) {
        self.round += 1;
        let (round, busy) = (self.round, self.devices.busy);
        let mix = |index: usize| (index as u32).wrapping_mul(2_654_435_761) ^ round.wrapping_mul(40_503);
        for (index, value) in self.devices.values.iter_mut().enumerate().skip(busy) {
            let count = count(&mut value.alloc_latency, index / busy, mix(index));
            count_all(value, count, (index / busy).is_multiple_of(SUFFERS));
        }
        for (index, value) in self.maps.values.iter_mut().enumerate().skip(busy) {
            count(&mut value.latency, index / busy + 8, mix(index));
        }
        let shared = if self.full { busy } else { 1 };
        for (index, value) in self.frees.values.iter_mut().enumerate().skip(shared) {
            count(value, index / shared, mix(index));
        }
        for value in self.domains.values.iter_mut().skip(busy) {
            (value.low_added, value.low_removed) = (value.low_added + 900, value.low_removed + 890);
        }
        for (index, value) in self.waits.values.iter_mut().enumerate().skip(busy) {
            count(value, index / busy, mix(index));
        }
        for (slot, value) in self.timers.values.iter_mut().enumerate().skip(1) {
            count(value, slot, mix(slot));
        }
    }

    /// Reads all counters, as the tracer does.
    pub fn read(&mut self, ns: u64) -> io::Result<Sample> {
        let (slots, cpus) = (self.slots, self.cpus);
        let devices: Vec<DeviceAgg> = read_array(&self.devices, slots, cpus)?;
        let full = self.full;
        let maps: Vec<MapAgg> = if full { read_array(&self.maps, slots, cpus)? } else { Vec::new() };
        let measured = Measured {
            sac_attempts: true,
            sac_failed: true,
            free_latency: true,
            map: full,
            lock_wait: full,
            fq_timer: true,
        };
        let frees = read_array(&self.frees, slots, if full { cpus } else { 1 })?;
        let devices = self.totals.devices(measured, &DevicesRead { aggs: devices, frees, maps });
        let waits = if full { slots } else { 0 };
        let read = DomainsRead {
            aggs: read_array(&self.domains, slots, cpus)?,
            waits: read_array(&self.waits, waits, cpus)?,
            timers: read_array(&self.timers, slots, 1)?,
        };
        let known: Vec<(u64, u32)> = self.totals.infos.values().map(|info| (info.iovad, info.slot)).collect();
        let domains = self.totals.domains(measured, &read, &known, cpus as u64);
        let quality = Quality { alloc_sampling: 1, free_sampling: 1, ..Quality::default() };
        Ok(Sample { ns, devices, domains, quality, ..Sample::default() })
    }
}

/// Calls of all durations around those usual for this slot; says how many.
fn count(latency: &mut Latency, slot: usize, mixed: u32) -> u64 {
    let mut calls = 0;
    let first = 40 + slot % 24;
    for (index, bucket) in latency.buckets.iter_mut().skip(first).take(FILLED).enumerate() {
        let more = 1 + (mixed.rotate_left(index as u32) & 0xff) / (1 + index as u32);
        *bucket = bucket.wrapping_add(more);
        calls += u64::from(more);
    }
    latency.sum += calls * 900;
    latency.max = latency.max.max(u64::from(mixed >> 12));
    calls
}

fn count_all(value: &mut DeviceAgg, calls: u64, suffers: bool) {
    for (order, count) in value.alloc_by_order.iter_mut().take(8).enumerate() {
        *count += calls >> (order + 1);
    }
    value.alloc_bytes += calls * 8192;
    value.alloc_slow += if suffers { calls / 2 } else { calls / 200 };
    value.sac_attempts += calls;
    value.sac_failed += if suffers { calls / 5 } else { 0 };
    value.alloc_high += if suffers { calls / 5 } else { 0 };
    value.free_count += calls;
    value.free_bytes += calls * 8192;
}
