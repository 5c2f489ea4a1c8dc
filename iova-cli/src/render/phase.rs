//! The figures of a trial's phases, as every face shows them.

use crate::commands::policy::Phase;
use iova_core::metric::Unit;

/// A figure of a phase, with its name.
pub(crate) type Figure = (&'static str, fn(&Phase) -> String);

pub(crate) fn count(value: impl Into<Option<u64>>) -> String {
    Unit::Count.render(value.into().map(|value| value as f64))
}

pub(crate) fn ns(value: Option<u64>) -> String {
    Unit::Nanoseconds.render(value.map(|value| value as f64))
}

/// What of a trial stands side by side.
pub(crate) const FIGURES: &[Figure] = &[
    ("time", |phase| Unit::Seconds.render(Some(phase.duration_s))),
    ("allocations", |phase| count(phase.alloc.count)),
    ("p50", |phase| ns(phase.alloc.latency_ns.p50)),
    ("p90", |phase| ns(phase.alloc.latency_ns.p90)),
    ("p99", |phase| ns(phase.alloc.latency_ns.p99)),
    ("max", |phase| ns(phase.alloc.latency_ns.max)),
    ("slow", |phase| Unit::Ratio.render(phase.alloc.slow_ratio)),
    ("high", |phase| Unit::Ratio.render(phase.policy.effective_high_ratio)),
    ("SAC failures", |phase| count(phase.alloc.sac_failed)),
    ("no address", |phase| count(phase.alloc.failed)),
    ("faults", |phase| count(phase.faults.count)),
];

/// What no cache can serve: it stands apart, because the summary has it by size.
pub(crate) const LARGE: Figure = ("p99 of large", |phase| ns(phase.alloc.large_latency_ns.p99));
