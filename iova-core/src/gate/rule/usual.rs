//! The rules of those who give none.

use super::Rule;
use crate::gate::run::{Kind, Run};
use std::collections::BTreeSet;

/// For each device that was busy on both sides. A percentile of a histogram moves in steps of up to 12.5 %; a mean is
/// exact. Few, because each more makes all others harder to prove.
const DEVICE: [&str; 6] = [
    "alloc.latency_ns.mean <= 1.05 x baseline",
    "alloc.latency_ns.p99 <= 1.15 x baseline",
    "free.latency_ns.mean <= 1.05 x baseline",
    "cache.hit_ratio >= baseline - 0.02",
    "alloc.failed <= baseline",
    "faults.count <= baseline",
];

/// For each value: 0.5 % if it repeats, else as a mean.
const REPEATS: &str = "<= 1.005 x baseline";
const VARIES: &str = "<= 1.05 x baseline";

/// The usual rules for what the runs have.
pub(super) fn rules(runs: &[&Run]) -> Vec<Rule> {
    let has = |kind: Kind| runs.iter().flat_map(|run| &run.subjects).any(|subject| subject.kind == kind);
    let mut texts: Vec<String> = Vec::new();
    if has(Kind::Device) {
        texts.extend(DEVICE.map(str::to_owned));
    }
    let exact = runs.iter().all(|run| run.exact);
    let bound = if exact { REPEATS } else { VARIES };
    texts.extend(value_names(runs).into_iter().map(|name| format!("{name} {bound}")));
    texts.iter().filter_map(|text| Rule::parse(text, None, Vec::new()).ok()).collect()
}

/// Names of the plain values that any run has.
pub(in crate::gate) fn value_names<'a>(runs: &[&'a Run]) -> BTreeSet<&'a str> {
    let values = runs.iter().flat_map(|run| &run.subjects).filter(|subject| subject.kind == Kind::Values);
    values.flat_map(|subject| subject.values.keys()).map(AsRef::as_ref).collect()
}
