//! Why a metric has no value: what the profile leaves out, what the kernel does not offer, what could not be read.

use super::Source;
use iova_core::inventory::Inventory;
use iova_core::model::Unknown;
use iova_core::probe::Profile;
use iova_core::sample::Sample;
use iova_core::snapshot::Snapshot;

/// What the lesser profiles do not measure, and the first that does.
const LEFT_OUT: &[(&str, Profile)] = &[
    ("alloc.latency_ns", Profile::Default),
    ("alloc.sac_attempts", Profile::Default),
    ("flush_queue.timer_ns", Profile::Default),
    // Profile default times frees where a domain is strict.
    ("free.latency_ns", Profile::Full),
    ("map", Profile::Full),
    ("lock", Profile::Full),
    ("slow_calls", Profile::Full),
];

/// Sampling of a measurement, as its samples tell it.
#[derive(Clone, Copy)]
pub(crate) struct Sampling {
    /// Allocations are timed.
    allocs: bool,
    /// Frees are timed.
    frees: bool,
    /// Attempts below 4 GiB are counted.
    attempts: bool,
}

impl Sampling {
    pub(crate) fn of(sample: &Sample) -> Self {
        let quality = &sample.quality;
        // Older versions timed one allocation in 64 in profile light, and did not count attempts there.
        Self {
            allocs: quality.alloc_sampling > 0,
            frees: quality.free_sampling > 0,
            attempts: quality.alloc_sampling <= 1,
        }
    }

    /// True for a metric that is there although the profile may leave it out.
    fn has(self, metric: &str) -> bool {
        match metric {
            "alloc.latency_ns" => self.allocs,
            "alloc.sac_attempts" => self.attempts,
            "free.latency_ns" => self.frees,
            _ => false,
        }
    }
}

/// Everything that has no value in this measurement.
pub(crate) fn all(
    source: &dyn Source,
    profile: Profile,
    sampling: Sampling,
    inventory: &Inventory,
    end: &Snapshot,
) -> Vec<Unknown> {
    let left_out = LEFT_OUT.iter().filter(|(_, from)| profile < *from);
    let mut list: Vec<Unknown> = left_out
        .filter(|(metric, _)| !sampling.has(metric))
        .map(|(metric, from)| unknown(metric, format!("measured from --profile {from} on")))
        .collect();
    list.extend(source.unmeasured());
    list.extend(end.missing.iter().map(|why| unknown("low_space", why.clone())));
    list.extend(inventory.missing.iter().map(|why| unknown("devices", why.clone())));
    list
}

fn unknown(metric: &str, why: String) -> Unknown {
    Unknown { metric: metric.to_owned(), why }
}
