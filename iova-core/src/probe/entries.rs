//! How many entries the maps have for which that depends on the machine, or on what is measured.

use std::mem::size_of;

use iova_common::agg::{DeviceAgg, DomainAgg, Latency, MapAgg, ORDERS};
use iova_common::config::Config;
use iova_common::frames;

use super::slots::{Demand, MOST, Slots};
use super::{Extras, Profile, calls};

/// Stacks of slow calls that are kept apart.
const STACKS: u32 = 1024;

/// What of the maps is in use.
#[derive(Clone, Copy)]
struct Wanted {
    /// Every free is timed.
    frees: bool,
    /// Some frees are timed.
    free_samples: bool,
    /// Profile `full`: `dma_map`, waits for locks, stacks.
    full: bool,
}

/// The slots, and what follows from them.
pub(super) struct Entries {
    pub(super) slots: Slots,
    /// CPUs that open calls are kept for, as many as one more than a mask.
    frame_cpus: u32,
    /// Map and number of entries. One that is not in use has a single entry.
    pub(super) list: [(&'static str, u32); 12],
}

impl Wanted {
    fn new(profile: Profile, config: &Config) -> Self {
        let timed = config.free_latency != 0;
        let every = config.free_sample_mask == 0;
        Self { frees: timed && every, free_samples: timed && !every, full: profile >= Profile::Full }
    }

    /// The values of a device in the per-CPU maps, on one CPU.
    fn device_bytes(self) -> usize {
        let of = |wanted: bool, bytes: usize| if wanted { bytes } else { 0 };
        size_of::<DeviceAgg>() + of(self.frees, size_of::<Latency>()) + of(self.full, size_of::<MapAgg>())
    }

    /// The same of a domain.
    fn domain_bytes(self) -> usize {
        size_of::<DomainAgg>() + if self.full { size_of::<Latency>() } else { 0 }
    }
}

impl Entries {
    /// `cpus`: those that there can be.
    pub(super) fn new(
        demand: Demand,
        profile: Profile,
        config: &Config,
        extras: Extras,
        cpus: usize,
    ) -> Self {
        let wanted = Wanted::new(profile, config);
        let slot_bytes = (wanted.device_bytes() + wanted.domain_bytes()) * cpus;
        let slots = demand.slots(slot_bytes as u64);
        let Slots { devices, domains } = slots;
        let one_of = |wanted: bool, entries| if wanted { entries } else { 1 };
        let list = [
            ("DEVICES", devices),
            ("DEVICE_SLOTS", table(devices)),
            ("FREES", one_of(wanted.frees, devices)),
            ("FREE_SAMPLES", one_of(wanted.free_samples, devices)),
            ("MAPS", one_of(wanted.full, devices)),
            ("DOMAINS", domains),
            ("DOMAIN_SLOTS", table(domains)),
            ("FQ_TIMERS", domains),
            ("LOCK_WAITS", one_of(wanted.full, domains)),
            ("WATCHED", one_of(extras.watch.is_some(), ORDERS as u32)),
            ("STACKS", one_of(wanted.full, STACKS)),
            ("CALLS", calls::ring_bytes(extras.calls)),
        ];
        Self { slots, frame_cpus: frame_cpus(cpus), list }
    }

    /// Bytes of the section with open calls.
    pub(super) fn frames_bytes(&self) -> u32 {
        self.frame_cpus * frames::BYTES as u32
    }

    /// The entries of a map, if they are not those of the object.
    pub(super) fn of(&self, map: &str) -> Option<u32> {
        self.list.iter().find(|(name, _)| *name == map).map(|(_, entries)| *entries)
    }
}

/// CPUs that open calls are kept for: a power of two, so that a mask keeps to it.
pub(super) fn frame_cpus(cpus: usize) -> u32 {
    cpus.next_power_of_two().min(frames::MOST) as u32
}

/// Entries of a hash table with so many slots, half of it free, so that few keys share a bucket.
fn table(slots: u32) -> u32 {
    (2 * slots).next_power_of_two().min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::attach::config;

    fn entries(profile: Profile) -> Entries {
        let demand = Demand { mapping: 3, idle: 4, domains: 3, strict: true };
        Entries::new(demand, profile, &config(profile, true), Extras::default(), 2)
    }

    #[test]
    fn what_a_profile_does_not_measure_takes_one_entry() {
        let of = |profile, map| entries(profile).of(map);
        for (profile, frees, samples, full) in
            [(Profile::Light, 1, 1, 1), (Profile::Default, 1, 24, 1), (Profile::Full, 24, 1, 24)]
        {
            assert_eq!(of(profile, "DEVICES"), Some(24), "{profile}");
            assert_eq!((of(profile, "FREES"), of(profile, "FREE_SAMPLES")), (Some(frees), Some(samples)));
            assert_eq!(of(profile, "MAPS"), Some(full), "{profile}");
            assert_eq!(of(profile, "STACKS"), Some(if full > 1 { STACKS } else { 1 }), "{profile}");
        }
        assert_eq!(of(Profile::Full, "QUALITY"), None);
    }

    #[test]
    fn a_table_has_room_for_every_slot() {
        assert_eq!([1, 17, 24, 64].map(table), [2, 64, 64, 128]);
        assert_eq!([MOST / 2, MOST - 1, MOST].map(table), [MOST; 3]);
    }
}
