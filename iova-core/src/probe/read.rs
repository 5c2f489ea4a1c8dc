//! Reading the maps: sums over CPUs, and 32-bit buckets widened to 64.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{HashMap, Map, MapData};
use iova_common::agg::{DeviceAgg, DeviceInfo, Latency, MapAgg, ORDERS, QualityAgg, Recent, unpack_recent};
use iova_common::config::Config;

use super::hooks::{HOOKS, Role};
use super::object::Object;
use super::sum::{Counters, sum};
use super::totals::{DevicesRead, DomainsRead, Measured};
use super::{ProbeError, Profile, Tracer, events, recycle, sys};
use crate::bpf;
use crate::sample::{DomainCounters, Quality, Sample, Watched};

/// Bytes read per call at most: a page of CPUs times devices, so that memory stays small on large machines.
const CHUNK_BYTES: usize = 1 << 20;

/// A per-CPU array whose values can be had: the kernel's, or a bench's.
pub(super) trait Values {
    /// The value at `index`, of all CPUs.
    fn one(&self, index: u32, value: &mut [u64]) -> std::io::Result<()>;
    /// As many values from the start as there are keys, if that can be done at once; says how many it were.
    fn first(&self, keys: &mut [u32], values: &mut [u64]) -> std::io::Result<usize>;
}

impl Values for BorrowedFd<'_> {
    fn one(&self, index: u32, value: &mut [u64]) -> std::io::Result<()> {
        bpf::lookup(*self, index, value)
    }

    fn first(&self, keys: &mut [u32], values: &mut [u64]) -> std::io::Result<usize> {
        bpf::lookup_batch(*self, keys, values)
    }
}

/// Reads the first `count` values of a per-CPU array, each summed over CPUs.
pub(super) fn read_array<T: Counters>(map: &impl Values, count: u32, cpus: usize) -> std::io::Result<Vec<T>> {
    let words = size_of::<T>().div_ceil(8) * cpus;
    let all = count as usize;
    // A batch always starts at the first element, so it is one call for everything or one call per element.
    if words * 8 * all <= CHUNK_BYTES {
        let mut values = vec![0u64; words * all];
        if let Ok(read) = map.first(&mut vec![0u32; all], &mut values)
            && read == all
        {
            return Ok(values.chunks_exact(words).map(sum).collect());
        }
    }
    let mut value = vec![0u64; words];
    (0..count)
        .map(|index| {
            map.one(index, &mut value)?;
            Ok(sum(&value))
        })
        .collect()
}

fn per_cpu<'a>(object: &'a Object, name: &'static str) -> Result<BorrowedFd<'a>, ProbeError> {
    match object.map(name) {
        Some(Map::PerCpuArray(data)) => Ok(data.fd().as_fd()),
        _ => Err(ProbeError::NoObject),
    }
}

/// An array with one value for all CPUs.
fn shared<'a>(object: &'a Object, name: &'static str) -> Result<BorrowedFd<'a>, ProbeError> {
    match object.map(name) {
        Some(Map::Array(data)) => Ok(data.fd().as_fd()),
        _ => Err(ProbeError::NoObject),
    }
}

pub(super) fn hash<'a, K: aya::Pod, V: aya::Pod>(
    object: &'a Object,
    name: &'static str,
) -> Result<HashMap<&'a MapData, K, V>, ProbeError> {
    HashMap::try_from(object.map(name).ok_or(ProbeError::NoObject)?)
        .map_err(|error| ProbeError::Map { name, error })
}

pub(super) fn sample(tracer: &mut Tracer) -> Result<Sample, ProbeError> {
    let (cpus, slots) = (tracer.cpus, tracer.slots.devices);
    let measured = measured(tracer);
    let ns = sys::monotonic_ns();
    let aggs: Vec<DeviceAgg> = read_array(&per_cpu(&tracer.object, "DEVICES")?, slots, cpus)?;
    let maps: Vec<MapAgg> = if tracer.profile >= Profile::Full {
        read_array(&per_cpu(&tracer.object, "MAPS")?, slots, cpus)?
    } else {
        Vec::new()
    };
    let frees = match tracer.config {
        Config { free_latency: 0, .. } => Vec::new(),
        Config { free_sample_mask: 0, .. } => read_array(&per_cpu(&tracer.object, "FREES")?, slots, cpus)?,
        _ => read_array(&shared(&tracer.object, "FREE_SAMPLES")?, slots, 1)?,
    };
    let read = events::take(tracer)?;
    for info in hash::<u64, DeviceInfo>(&tracer.object, "DEVICE_SLOTS")?.iter().filter_map(Result::ok) {
        tracer.totals.infos.insert(info.1.slot, info.1);
    }
    for info in read.devices {
        tracer.totals.infos.entry(info.slot).or_insert(info);
    }
    tracer.totals.alive = alive(tracer)?;
    let figures = DevicesRead { aggs, frees, maps };
    let devices = tracer.totals.devices(measured, &figures);
    recycle::devices(tracer, measured, &figures)?;
    let domains = domains(tracer, measured)?;
    let watched = watched(tracer)?;
    let quality = quality(tracer)?;
    Ok(Sample { ns, devices, domains, watched, quality, events: read.events })
}

fn measured(tracer: &Tracer) -> Measured {
    let has = |role| tracer.has(role);
    Measured {
        sac_attempts: has(Role::Search) && tracer.sac_known,
        sac_failed: has(Role::Search),
        free_latency: has(Role::FreeLatency),
        map: has(Role::Map) && has(Role::MapEntry),
        lock_wait: has(Role::LockWait) && has(Role::LockWaitBegin),
        fq_timer: has(Role::FqTimer) && has(Role::FqTimerEntry),
    }
}

/// Asked one by one, because a walk through a table that changes may miss some.
fn alive(tracer: &Tracer) -> Result<BTreeSet<u32>, ProbeError> {
    let slots = hash::<u64, DeviceInfo>(&tracer.object, "DEVICE_SLOTS")?;
    let has = |info: &&DeviceInfo| slots.get(&info.dev, 0).is_ok_and(|now| now.slot == info.slot);
    Ok(tracer.totals.infos.values().filter(has).map(|info| info.slot).collect())
}

fn domains(tracer: &mut Tracer, measured: Measured) -> Result<Vec<DomainCounters>, ProbeError> {
    let known: Vec<(u64, u32)> =
        hash::<u64, u32>(&tracer.object, "DOMAIN_SLOTS")?.iter().filter_map(Result::ok).collect();
    recycle::domains(tracer, &known)?;
    let used = known.iter().map(|(_, slot)| slot + 1).max().unwrap_or(0).min(tracer.slots.domains);
    let aggs = read_array(&per_cpu(&tracer.object, "DOMAINS")?, used, tracer.cpus)?;
    let waits = if measured.lock_wait { used } else { 0 };
    let waits = read_array(&per_cpu(&tracer.object, "LOCK_WAITS")?, waits, tracer.cpus)?;
    let timers = read_array(&shared(&tracer.object, "FQ_TIMERS")?, used, 1)?;
    let read = DomainsRead { aggs, waits, timers };
    let online = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    Ok(tracer.totals.domains(measured, &read, &known, online))
}

fn watched(tracer: &mut Tracer) -> Result<Option<Watched>, ProbeError> {
    let dev = tracer.config.watch_dev;
    if dev == 0 {
        return Ok(None);
    }
    let now: Vec<Latency> = read_array(&per_cpu(&tracer.object, "WATCHED")?, ORDERS as u32, tracer.cpus)?;
    Ok(Some(Watched { dev, by_order: tracer.totals.watched(&now) }))
}

/// High addresses that the watched device got lately, first and last byte.
pub(super) fn recent(tracer: &Tracer) -> Result<Vec<(u64, u64)>, ProbeError> {
    let words = size_of::<Recent>() / 8;
    let mut values = vec![0u64; words * tracer.cpus];
    per_cpu(&tracer.object, "RECENT")?.one(0, &mut values)?;
    // The first word of each CPU is where its next one goes.
    let ranges = values.chunks_exact(words).flat_map(|cpu| cpu.iter().skip(1));
    Ok(ranges.filter_map(|&packed| unpack_recent(packed)).collect())
}

/// Sets what was counted in a slot to zero, on all CPUs. `T` is the map's value.
pub(super) fn empty<T>(tracer: &Tracer, name: &'static str, slot: u32) -> Result<(), ProbeError> {
    let (map, values) = match tracer.object.map(name) {
        Some(Map::PerCpuArray(data)) => (data.fd().as_fd(), tracer.cpus),
        Some(Map::Array(data)) => (data.fd().as_fd(), 1),
        _ => return Err(ProbeError::NoObject),
    };
    // Each CPU's value begins at a multiple of 8.
    Ok(bpf::update(map, slot, &vec![0; size_of::<T>().next_multiple_of(8) * values])?)
}

/// What could not be counted.
pub(super) fn lost(tracer: &Tracer) -> Result<QualityAgg, ProbeError> {
    let lost: Vec<QualityAgg> = read_array(&per_cpu(&tracer.object, "QUALITY")?, 1, tracer.cpus)?;
    Ok(lost.first().copied().unwrap_or_default())
}

fn quality(tracer: &Tracer) -> Result<Quality, ProbeError> {
    let lost = lost(tracer)?;
    let missed = missed(&tracer.object);
    let weight = tracer.scale.total(&tracer.object);
    let Config { alloc_entry, free_sample_mask, free_latency, .. } = tracer.config;
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
        own_run_ns: weight.run_ns,
        own_run_allocs: weight.allocs,
        alloc_sampling: alloc_entry as u32,
        search_sampling: u32::from(alloc_entry == 0),
        free_sampling: if free_latency == 0 { 0 } else { free_sample_mask as u32 + 1 },
    })
}

/// Skipped runs, by what is not measured then.
fn missed(object: &Object) -> BTreeMap<&'static str, u64> {
    let mut missed = BTreeMap::new();
    for (name, program) in object.programs() {
        let Some(hook) = HOOKS.iter().find(|hook| hook.runs(name)) else { continue };
        let Some(runs) = bpf::recursion_misses(program) else { continue };
        *missed.entry(hook.role.metric()).or_insert(0) += runs;
    }
    missed
}
