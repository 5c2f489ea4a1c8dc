//! Reading the maps: sums over CPUs, and 32-bit buckets widened to 64.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData};
use aya::util::nr_cpus;
use iova_common::agg::{DeviceAgg, DeviceInfo, DomainAgg, Latency, MapAgg, ORDERS, QualityAgg, SLOT_OTHER};
use iova_common::config::Config;
use iova_common::hist::BUCKETS;

use super::hooks::{HOOKS, Role};
use super::{ProbeError, Profile, Tracer, events, sys};
use crate::sample::{
    AllocCounters, DeviceCounters, DomainCounters, FreeCounters, Histogram, Quality, Sample, Watched,
};

/// Bytes read per call at most: a page of CPUs times devices, so that memory stays small on large machines.
const CHUNK_BYTES: usize = 1 << 20;

/// Running totals: what the kernel's 32-bit buckets can't hold, and who owned a slot that is closed now.
pub(super) struct Totals {
    cpus: usize,
    slots: u32,
    config: Config,
    devices: BTreeMap<u32, DeviceTotals>,
    domains: BTreeMap<u64, [Wide; 2]>,
    watched: Vec<Wide>,
    infos: BTreeMap<u32, DeviceInfo>,
    /// Slots of devices that are still there. None is given out twice.
    alive: BTreeSet<u32>,
}

#[derive(Default)]
struct DeviceTotals {
    alloc: Wide,
    free: Wide,
    map: Wide,
}

/// A histogram whose buckets are read modulo 2^32.
struct Wide {
    last: Vec<u32>,
    total: Histogram,
}

impl Default for Wide {
    fn default() -> Self {
        Self { last: vec![0; BUCKETS], total: Histogram::default() }
    }
}

impl Wide {
    fn update(&mut self, now: &Latency) -> Histogram {
        for ((last, total), now) in self.last.iter_mut().zip(&mut self.total.buckets).zip(&now.buckets) {
            *total += u64::from(now.wrapping_sub(*last));
            *last = *now;
        }
        self.total.sum = now.sum;
        self.total.max = now.max;
        self.total.clone()
    }
}

impl Totals {
    pub(super) fn new(slots: u32, config: &Config) -> Result<Self, ProbeError> {
        let cpus = nr_cpus().map_err(|(_, error)| error)?;
        Ok(Self {
            cpus,
            slots,
            config: *config,
            devices: BTreeMap::new(),
            domains: BTreeMap::new(),
            watched: Vec::new(),
            infos: BTreeMap::new(),
            alive: BTreeSet::new(),
        })
    }
}

/// A struct of counters that can be summed over CPUs.
trait Counters: Copy {
    /// All zero.
    const ZERO: Self;
    /// Adds one CPU's counters.
    fn add(&mut self, cpu: &Self);
}

const NO_LATENCY: Latency = Latency { sum: 0, max: 0, buckets: [0; BUCKETS], pad: 0 };

fn add_latency(total: &mut Latency, cpu: &Latency) {
    total.sum += cpu.sum;
    total.max = total.max.max(cpu.max);
    for (total, cpu) in total.buckets.iter_mut().zip(&cpu.buckets) {
        *total = total.wrapping_add(*cpu);
    }
}

macro_rules! counters {
    ($name:ident { $($count:ident),* ; $($latency:ident),* ; $($rest:ident : $zero:expr),* }) => {
        impl Counters for $name {
            const ZERO: Self = Self { $($count: 0,)* $($latency: NO_LATENCY,)* $($rest: $zero,)* };
            fn add(&mut self, cpu: &Self) {
                $(self.$count += cpu.$count;)*
                $(add_latency(&mut self.$latency, &cpu.$latency);)*
            }
        }
    };
}

impl Counters for Latency {
    const ZERO: Self = NO_LATENCY;
    fn add(&mut self, cpu: &Self) {
        add_latency(self, cpu);
    }
}

counters!(MapAgg { ; latency ; });
counters!(DomainAgg {
    low_added, low_removed, high_added, high_removed, nodes_added, nodes_removed, low_reserved, cpu_cache_flushes ;
    lock_wait, fq_timer ;
});
counters!(QualityAgg { frames_lost, inner_unowned, events_limited, faults_limited, events_lost, no_slot, no_domain_slot ; ; });

impl Counters for DeviceAgg {
    const ZERO: Self = Self {
        dev: 0,
        alloc_by_order: [0; ORDERS],
        alloc_bytes: 0,
        alloc_failed: 0,
        alloc_high: 0,
        alloc_slow: 0,
        sac_attempts: 0,
        sac_failed: 0,
        tree_failed: 0,
        cache_flushes: 0,
        free_count: 0,
        free_bytes: 0,
        alloc_latency: NO_LATENCY,
        free_latency: NO_LATENCY,
    };

    fn add(&mut self, cpu: &Self) {
        self.dev |= cpu.dev;
        for (total, cpu) in self.alloc_by_order.iter_mut().zip(&cpu.alloc_by_order) {
            *total += cpu;
        }
        self.alloc_bytes += cpu.alloc_bytes;
        self.alloc_failed += cpu.alloc_failed;
        self.alloc_high += cpu.alloc_high;
        self.alloc_slow += cpu.alloc_slow;
        self.sac_attempts += cpu.sac_attempts;
        self.sac_failed += cpu.sac_failed;
        self.tree_failed += cpu.tree_failed;
        self.cache_flushes += cpu.cache_flushes;
        self.free_count += cpu.free_count;
        self.free_bytes += cpu.free_bytes;
        add_latency(&mut self.alloc_latency, &cpu.alloc_latency);
        add_latency(&mut self.free_latency, &cpu.free_latency);
    }
}

/// Reads the first `count` values of a per-CPU array, each summed over CPUs.
fn read_array<T: Counters>(map: BorrowedFd<'_>, count: u32, cpus: usize) -> std::io::Result<Vec<T>> {
    let words = size_of::<T>().div_ceil(8) * cpus;
    let all = count as usize;
    // A batch always starts at the first element, so it is one call for everything or one call per element.
    if words * 8 * all <= CHUNK_BYTES {
        let mut values = vec![0u64; words * all];
        if let Ok(read) = sys::lookup_batch(map, &mut vec![0u32; all], &mut values)
            && read == all
        {
            return Ok(values.chunks_exact(words).map(sum).collect());
        }
    }
    let mut value = vec![0u64; words];
    (0..count)
        .map(|index| {
            sys::lookup(map, index, &mut value)?;
            Ok(sum(&value))
        })
        .collect()
}

fn sum<T: Counters>(value: &[u64]) -> T {
    let mut total = T::ZERO;
    for cpu in value.chunks_exact(size_of::<T>().div_ceil(8)) {
        // SAFETY: `cpu` is 8-byte aligned and at least as long as T, which is repr(C) and valid for any bits.
        total.add(unsafe { &*cpu.as_ptr().cast::<T>() });
    }
    total
}

fn per_cpu<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<BorrowedFd<'a>, ProbeError> {
    match ebpf.map(name) {
        Some(Map::PerCpuArray(data)) => Ok(data.fd().as_fd()),
        _ => Err(ProbeError::NoObject),
    }
}

fn hash<'a, K: aya::Pod, V: aya::Pod>(
    ebpf: &'a Ebpf,
    name: &'static str,
) -> Result<HashMap<&'a MapData, K, V>, ProbeError> {
    HashMap::try_from(ebpf.map(name).ok_or(ProbeError::NoObject)?)
        .map_err(|error| ProbeError::Map { name, error })
}

pub(super) fn sample(tracer: &mut Tracer) -> Result<Sample, ProbeError> {
    let (cpus, slots) = (tracer.totals.cpus, tracer.totals.slots);
    let ns = sys::monotonic_ns();
    let aggs: Vec<DeviceAgg> = read_array(per_cpu(&tracer.ebpf, "DEVICES")?, slots, cpus)?;
    let maps: Vec<MapAgg> = if tracer.profile >= Profile::Full {
        read_array(per_cpu(&tracer.ebpf, "MAPS")?, slots, cpus)?
    } else {
        Vec::new()
    };
    let read = events::take(tracer)?;
    for info in hash::<u64, DeviceInfo>(&tracer.ebpf, "DEVICE_SLOTS")?.iter().filter_map(Result::ok) {
        tracer.totals.infos.insert(info.1.slot, info.1);
    }
    for info in read.devices {
        tracer.totals.infos.entry(info.slot).or_insert(info);
    }
    tracer.totals.alive = alive(tracer)?;
    let devices = devices(tracer, &aggs, &maps);
    let domains = domains(tracer)?;
    let watched = watched(tracer)?;
    let quality = quality(tracer)?;
    Ok(Sample { ns, devices, domains, watched, quality, events: read.events })
}

/// Asked one by one, because a walk through a table that changes may miss some.
fn alive(tracer: &Tracer) -> Result<BTreeSet<u32>, ProbeError> {
    let slots = hash::<u64, DeviceInfo>(&tracer.ebpf, "DEVICE_SLOTS")?;
    let has = |info: &&DeviceInfo| slots.get(&info.dev, 0).is_ok_and(|now| now.slot == info.slot);
    Ok(tracer.totals.infos.values().filter(has).map(|info| info.slot).collect())
}

fn devices(tracer: &mut Tracer, aggs: &[DeviceAgg], maps: &[MapAgg]) -> Vec<DeviceCounters> {
    let (fast, search) = (tracer.has(Role::Fast), tracer.has(Role::Search));
    let free_latency = tracer.has(Role::FreeLatency);
    let map_latency = tracer.has(Role::Map) && tracer.has(Role::MapEntry);
    let Totals { devices, infos, alive, .. } = &mut tracer.totals;
    let mut counters = Vec::new();
    for (slot, agg) in (0..).zip(aggs) {
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
            sac_attempts: fast.then_some(agg.sac_attempts),
            sac_failed: search.then_some(agg.sac_failed),
            tree_failed: agg.tree_failed,
            cache_flushes: agg.cache_flushes,
            latency: totals.alloc.update(&agg.alloc_latency),
        };
        let free = FreeCounters {
            count: agg.free_count,
            bytes: agg.free_bytes,
            latency: free_latency.then(|| totals.free.update(&agg.free_latency)),
        };
        let map = maps.get(slot as usize).filter(|_| map_latency).map(|agg| totals.map.update(&agg.latency));
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

/// Slots are given out in order, so of several at one address the last is the newest, and the others are gone.
fn number_generations(counters: &mut [DeviceCounters]) {
    let mut newest: BTreeMap<u64, usize> = BTreeMap::new();
    for index in 0..counters.len() {
        let Some(before) = newest.insert(counters[index].dev, index) else { continue };
        counters[before].gone = true;
        counters[index].generation = counters[before].generation + 1;
    }
}

fn domains(tracer: &mut Tracer) -> Result<Vec<DomainCounters>, ProbeError> {
    let (cpus, slots) = (tracer.totals.cpus, tracer.totals.slots);
    let (lock, timer) = (
        tracer.has(Role::LockWait) && tracer.has(Role::LockWaitBegin),
        tracer.has(Role::FqTimer) && tracer.has(Role::FqTimerEntry),
    );
    let aggs: Vec<DomainAgg> = read_array(per_cpu(&tracer.ebpf, "DOMAINS")?, slots, cpus)?;
    let known: Vec<(u64, u32)> =
        hash::<u64, u32>(&tracer.ebpf, "DOMAIN_SLOTS")?.iter().filter_map(Result::ok).collect();
    let online = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut counters = Vec::new();
    for (iovad, slot) in known {
        let Some(agg) = aggs.get(slot as usize) else { continue };
        let [waits, runs] = tracer.totals.domains.entry(iovad).or_default();
        counters.push(DomainCounters {
            iovad,
            low_pages_delta: agg.low_added.wrapping_sub(agg.low_removed).cast_signed(),
            high_pages_delta: agg.high_added.wrapping_sub(agg.high_removed).cast_signed(),
            nodes_delta: agg.nodes_added.wrapping_sub(agg.nodes_removed).cast_signed(),
            cache_flushes: agg.cpu_cache_flushes / online,
            lock_wait: lock.then(|| waits.update(&agg.lock_wait)),
            fq_timer: timer.then(|| runs.update(&agg.fq_timer)),
        });
    }
    Ok(counters)
}

fn watched(tracer: &mut Tracer) -> Result<Option<Watched>, ProbeError> {
    let dev = tracer.totals.config.watch_dev;
    if dev == 0 {
        return Ok(None);
    }
    let now: Vec<Latency> = read_array(per_cpu(&tracer.ebpf, "WATCHED")?, ORDERS as u32, tracer.totals.cpus)?;
    let totals = &mut tracer.totals.watched;
    totals.resize_with(now.len(), Wide::default);
    let by_order = totals.iter_mut().zip(&now).map(|(total, now)| total.update(now)).collect();
    Ok(Some(Watched { dev, by_order }))
}

fn quality(tracer: &Tracer) -> Result<Quality, ProbeError> {
    let lost: Vec<QualityAgg> = read_array(per_cpu(&tracer.ebpf, "QUALITY")?, 1, tracer.totals.cpus)?;
    let lost = lost.first().copied().unwrap_or_default();
    let missed = missed(&tracer.ebpf);
    let Config { alloc_sample_mask, free_sample_mask, free_latency, .. } = tracer.totals.config;
    Ok(Quality {
        recursion_misses: missed.values().sum(),
        missed,
        frames_lost: lost.frames_lost,
        inner_unowned: lost.inner_unowned,
        events_limited: lost.events_limited,
        faults_limited: lost.faults_limited,
        events_lost: lost.events_lost,
        no_slot: lost.no_slot + lost.no_domain_slot,
        faults_from_log: tracer.log.is_some(),
        alloc_sampling: alloc_sample_mask + 1,
        free_sampling: if free_latency == 0 { 0 } else { free_sample_mask + 1 },
    })
}

/// Skipped runs, by what is not measured then.
fn missed(ebpf: &Ebpf) -> BTreeMap<&'static str, u64> {
    let mut missed = BTreeMap::new();
    for (name, program) in ebpf.programs() {
        let Some(hook) = HOOKS.iter().find(|hook| hook.program == name) else { continue };
        let Some(runs) = program.fd().ok().and_then(|fd| sys::recursion_misses(fd.as_fd())) else { continue };
        *missed.entry(hook.role.metric()).or_insert(0) += runs;
    }
    missed
}
