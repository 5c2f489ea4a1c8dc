//! Why a metric has no value: what the profile leaves out, what the kernel does not offer, what could not be read.

use super::Source;
use iova_core::model::Unknown;
use iova_core::probe::Profile;
use iova_core::snapshot::Snapshot;

/// What `profile` does not measure, though the tool could.
fn left_out(profile: Profile) -> Vec<Unknown> {
    let unknown = |metric: &str, from: Profile| Unknown {
        metric: metric.to_owned(),
        why: format!("measured from --profile {from} on"),
    };
    let mut list = Vec::new();
    if profile < Profile::Default {
        list.extend(
            ["alloc.sac_attempts", "alloc.sac_failed", "free.latency_ns", "flush_queue.timer_ns"]
                .map(|metric| unknown(metric, Profile::Default)),
        );
    }
    if profile < Profile::Full {
        list.extend(["map", "lock", "slow_calls"].map(|metric| unknown(metric, Profile::Full)));
    }
    list
}

/// Everything that has no value in this measurement.
pub(super) fn all(source: &dyn Source, profile: Profile, end: &Snapshot) -> Vec<Unknown> {
    let mut list = left_out(profile);
    list.extend(source.unmeasured());
    let unread = |why: &String| Unknown { metric: "low_space".to_owned(), why: why.clone() };
    list.extend(end.missing.iter().map(unread));
    list
}
