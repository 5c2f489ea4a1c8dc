//! How far the figures can be trusted, in counts and in sentences.

use crate::sample;
use serde::{Deserialize, Serialize};

/// A metric that has no value, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Name of the metric, or the common prefix of several.
    pub metric: String,
    /// Why, as a sentence without full stop.
    pub why: String,
}

/// Data quality of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    /// Program runs the kernel skipped.
    pub recursion_misses: u64,
    /// Calls counted without latency.
    pub frames_lost: u64,
    /// Calls of allocator functions outside any device's allocation.
    pub inner_unowned: u64,
    /// Events dropped over the rate limit.
    pub events_limited: u64,
    /// Faults dropped over their rate limit.
    pub faults_limited: u64,
    /// Events dropped because the ring was full.
    pub events_lost: u64,
    /// Calls counted for "other" because no device slot was left.
    pub no_slot: u64,
    /// Run time of our programs per allocation, ns; `None` unless it was measured and there were allocations.
    pub added_ns_per_alloc: Option<f64>,
    /// One allocation in this many is timed; 0 = none.
    pub alloc_sampling: u32,
    /// One tree search in this many is timed, in place of allocations; 0 = none.
    pub search_sampling: u32,
    /// One free in this many is timed; 0 = none.
    pub free_sampling: u32,
    /// What the counts above mean for the figures: one sentence each; empty if everything is exact.
    pub notes: Vec<String>,
    /// Metrics without a value.
    pub unknown: Vec<Unknown>,
}

impl Quality {
    /// False if no probe was attached: then not even the sampling is known.
    pub fn is_measured(&self) -> bool {
        self.alloc_sampling > 0 || self.search_sampling > 0
    }

    pub(super) fn new(counts: &sample::Quality, unknown: Vec<Unknown>) -> Self {
        let sample::Quality {
            recursion_misses,
            missed: _,
            frames_lost,
            inner_unowned,
            events_limited,
            faults_limited,
            events_lost,
            no_slot,
            faults_from_log: _,
            own_run_ns,
            own_run_allocs,
            alloc_sampling,
            search_sampling,
            free_sampling,
        } = *counts;
        Self {
            recursion_misses,
            frames_lost,
            inner_unowned,
            events_limited,
            faults_limited,
            events_lost,
            no_slot,
            added_ns_per_alloc: (own_run_allocs > 0).then(|| own_run_ns as f64 / own_run_allocs as f64),
            alloc_sampling,
            search_sampling,
            free_sampling,
            notes: notes(counts),
            unknown,
        }
    }
}

fn notes(counts: &sample::Quality) -> Vec<String> {
    let all = [
        (counts.recursion_misses, "probe runs were skipped by the kernel: what they count are lower bounds"),
        (
            counts.frames_lost,
            "calls were counted, but not timed and not looked into: percentiles, slow and SAC counts leave them out",
        ),
        (counts.no_slot, "calls belong to devices without a slot of their own: see device \"other\""),
        (counts.events_limited, "single events were over the rate limit and only counted"),
        (counts.faults_limited, "faults were over the rate limit: there are more than shown"),
        (
            counts.events_lost,
            "events were lost in a full buffer: faults and fallbacks may be more than shown",
        ),
        (
            counts.inner_unowned,
            "allocator calls belong to no call that was seen: users outside the DMA layer, or skipped probe runs",
        ),
    ];
    let counted =
        all.into_iter().filter(|&(count, _)| count > 0).map(|(count, text)| format!("{count} {text}"));
    let log = "faults are taken from the kernel log, which is rate limited: there may be more".to_owned();
    counted.chain(counts.faults_from_log.then_some(log)).collect()
}

/// The metric prefixes that `counts` make approximate for every device.
pub(super) fn approximate(counts: &sample::Quality) -> Vec<&'static str> {
    let missed = counts.missed.iter().filter(|(_, runs)| **runs > 0);
    let mut prefixes: Vec<&str> = missed.flat_map(|(metric, _)| touched(metric)).copied().collect();
    if counts.frames_lost > 0 {
        prefixes.extend(touched("alloc.latency_ns"));
        prefixes.extend(["free.latency_ns", "map.latency_ns"]);
    }
    // There notes of searches wait for their allocation, and some of these may have had none.
    if counts.search_sampling > 0 && counts.inner_unowned > 0 {
        prefixes.extend(touched("alloc.latency_ns"));
        prefixes.push("alloc.search_ns");
    }
    if counts.faults_from_log || counts.faults_limited + counts.events_lost > 0 {
        prefixes.push("faults");
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

/// What is a lower bound or incomplete when runs of the programs for `metric` were skipped.
fn touched(metric: &str) -> &'static [&'static str] {
    match metric {
        "alloc.count" => &["alloc", "cache", "policy.effective_high_ratio"],
        // The entry of an allocation: what happens inside finds no call to belong to.
        "alloc.latency_ns" => &[
            "alloc.latency_ns",
            "alloc.slow",
            "alloc.slow_ratio",
            "alloc.sac_attempts",
            "alloc.sac_failed",
            "alloc.tree_failed",
            "cache",
        ],
        // It also says whether a search is an attempt below 4 GiB.
        "alloc.slow" => &[
            "alloc.slow",
            "alloc.slow_ratio",
            "alloc.search_ns",
            "alloc.sac_attempts",
            "alloc.sac_failed",
            "alloc.tree_failed",
            "cache",
        ],
        "alloc.search_ns" => &["alloc.search_ns"],
        // Of recordings by older versions, whose program for it also said whether a search that fails is one below 4 GiB.
        "alloc.sac_attempts" => &["alloc.sac_attempts", "alloc.sac_failed"],
        "cache.flushes" => &["cache.flushes"],
        "free.count" => &["free"],
        "free.latency_ns" => &["free.latency_ns"],
        "map.latency_ns" => &["map"],
        "lock.wait_ns" => &["lock"],
        "faults.count" => &["faults"],
        "low_space.peak_used_bytes" => &["low_space.peak_used_bytes"],
        "flush_queue.timer_ns" => &["flush_queue"],
        _ => &[],
    }
}
