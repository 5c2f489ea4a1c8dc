//! What the maps take of the kernel's memory, worked out as the kernel does it.

use std::mem::size_of;

use aya_obj::generated::bpf_map_type;
use iova_common::agg::DeviceAgg;
use iova_common::frames;

use super::entries::Entries;
use super::object::ring_bytes;
use super::slots::Demand;
use super::{Extras, Profile, attach};

/// `struct htab_elem` without key and value, and `struct bucket` (kernel/bpf/hashtab.c).
const HASH_ELEMENT: u64 = 48;
const HASH_BUCKET: u64 = 16;
/// `struct stack_map_bucket` without its data, and a pointer to one (kernel/bpf/stackmap.c).
const STACK_BUCKET: u64 = 24;
const POINTER: u64 = 8;
/// Pages of a ring buffer that hold no data: its own, and one for each side's position (kernel/bpf/ringbuf.c).
const RING_PAGES: u64 = 3;
const PAGE: u64 = 4096;

/// What the maps of a measurement take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Slots for devices.
    pub slots: u32,
    /// The counters and latencies of an allocation, per slot and CPU, bytes.
    pub value_bytes: u64,
    /// CPUs there can be.
    pub cpus: usize,
    /// All maps, bytes.
    pub bytes: u64,
}

impl Footprint {
    /// The largest part: the counters of devices, on all CPUs.
    pub fn slot_bytes(&self) -> u64 {
        u64::from(self.slots) * self.value_bytes * self.cpus as u64
    }
}

/// What the maps of `iova report` would take here; `None` if this binary has no programs, or the CPUs are not known.
pub fn footprint(demand: Demand, profile: Profile) -> Option<Footprint> {
    on_cpus(demand, profile, aya::util::nr_cpus().ok()?)
}

fn on_cpus(demand: Demand, profile: Profile, cpus: usize) -> Option<Footprint> {
    let object = aya_obj::Object::parse(attach::OBJECT).ok()?;
    let config = attach::config(profile, demand.strict);
    let entries = Entries::new(demand, profile, &config, Extras::default(), cpus);
    let bytes = object.maps.iter().map(|(name, map)| {
        let kind = map.map_type().try_into().ok();
        let value = if name == frames::SECTION { entries.frames_bytes() } else { map.value_size() };
        let count = entries.of(name).unwrap_or(map.max_entries());
        kind.map_or(0, |kind| map_bytes(kind, map.key_size(), value, count, cpus))
    });
    let value_bytes = aligned(size_of::<DeviceAgg>() as u32);
    Some(Footprint { slots: entries.slots.devices, value_bytes, cpus, bytes: bytes.sum() })
}

/// One map: what `map_mem_usage` of its kind says (6.4 and later), without the few hundred bytes of its own structure.
fn map_bytes(kind: bpf_map_type, key: u32, value: u32, entries: u32, cpus: usize) -> u64 {
    let (count, cpus) = (u64::from(entries), cpus as u64);
    match kind {
        bpf_map_type::BPF_MAP_TYPE_ARRAY => count * aligned(value),
        // Each CPU's value begins at a multiple of 8.
        bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY => count * (aligned(value) * cpus + POINTER),
        bpf_map_type::BPF_MAP_TYPE_HASH => {
            // One more for each CPU, for updates in place.
            let elements = (count + cpus) * (HASH_ELEMENT + aligned(key) + aligned(value));
            elements + count.next_power_of_two() * HASH_BUCKET
        }
        // One place stays free.
        bpf_map_type::BPF_MAP_TYPE_QUEUE => (count + 1) * u64::from(value),
        bpf_map_type::BPF_MAP_TYPE_RINGBUF => {
            // Its pages are mapped twice in a row.
            let pages = u64::from(ring_bytes(entries)) / PAGE;
            (pages + RING_PAGES) * PAGE + (2 * pages + RING_PAGES) * POINTER
        }
        bpf_map_type::BPF_MAP_TYPE_STACK_TRACE => {
            count * (STACK_BUCKET + u64::from(value)) + count.next_power_of_two() * POINTER
        }
        _ => 0,
    }
}

fn aligned(bytes: u32) -> u64 {
    u64::from(bytes).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bpf_map_type::{
        BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_QUEUE,
        BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_STACK_TRACE,
    };

    #[test]
    fn every_kind_of_map() {
        assert_eq!(map_bytes(BPF_MAP_TYPE_ARRAY, 4, 1112, 24, 256), 24 * 1112);
        assert_eq!(map_bytes(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 12, 3, 4), 3 * (16 * 4 + 8));
        assert_eq!(map_bytes(BPF_MAP_TYPE_HASH, 8, 24, 64, 2), 66 * 80 + 64 * 16);
        assert_eq!(map_bytes(BPF_MAP_TYPE_QUEUE, 0, 4, 4096, 2), 4097 * 4);
        assert_eq!(map_bytes(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 2), 4 * 4096 + 5 * 8);
        assert_eq!(map_bytes(BPF_MAP_TYPE_STACK_TRACE, 4, 1016, 1, 2), 24 + 1016 + 8);
    }

    #[test]
    fn a_large_host() {
        // 300 devices of which 120 have a driver, 256 CPUs.
        let devices = |mapping, idle| {
            let demand = Demand { mapping, idle, domains: mapping, strict: true };
            let config = attach::config(Profile::Default, true);
            let entries = Entries::new(demand, Profile::Default, &config, Extras::default(), 256);
            let value = size_of::<DeviceAgg>() as u32;
            map_bytes(BPF_MAP_TYPE_PERCPU_ARRAY, 4, value, entries.slots.devices, 256)
        };
        assert_eq!(devices(300, 0), 317 * (1400 * 256 + 8));
        assert_eq!(devices(120, 180), 166 * (1400 * 256 + 8));
    }

    #[test]
    fn the_readme_has_its_figures() {
        let readme = include_str!("../../../README.md");
        for (mapping, idle, cpus) in [(3, 4, 2), (40, 40, 64), (120, 180, 256), (300, 0, 256)] {
            let demand = Demand { mapping, idle, domains: mapping, strict: true };
            let of = |profile| on_cpus(demand, profile, cpus);
            // A build without the programs has nothing to count: IOVA_BPF_OBJECT=… cargo test.
            let Some(light) = of(Profile::Light) else { return };
            let text = |footprint: Option<Footprint>| {
                let mib = footprint.unwrap().bytes as f64 / f64::from(1 << 20);
                if mib < 100.0 { format!("{mib:.1} MiB") } else { format!("{mib:.0} MiB") }
            };
            let profiles = [Profile::Light, Profile::Default, Profile::Full].map(|profile| text(of(profile)));
            let row = format!("| {mapping} + {idle} | {cpus} | {} | {} |", light.slots, profiles.join(" | "));
            assert!(readme.contains(&row), "README.md has not: {row}");
        }
    }
}
