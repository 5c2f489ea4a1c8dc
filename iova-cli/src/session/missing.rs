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
    ("flush_queue.timer_ns", Profile::Default),
    ("free.latency_ns", Profile::Full),
    ("map", Profile::Full),
    ("lock", Profile::Full),
    ("slow_calls", Profile::Full),
];

/// What a sample says of how it was measured.
#[derive(Clone, Copy)]
pub(crate) struct Sampling {
    /// Frees are timed.
    frees: bool,
}

impl Sampling {
    pub(crate) fn of(sample: &Sample) -> Self {
        Self { frees: sample.quality.free_sampling > 0 }
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
        // Profile default times them where a domain is strict.
        .filter(|(metric, _)| *metric != "free.latency_ns" || !sampling.frees)
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
