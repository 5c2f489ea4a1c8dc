use super::gain::{Gain, Walks};
use crate::model::{Bucket, Latency};
use iova_common::hist;

/// So many samples of each latency, ns.
fn latency(parts: &[(u64, u64)]) -> Latency {
    let bucket = |&(ns, count): &(u64, u64)| Bucket { from_ns: hist::lower(hist::index(ns)), count };
    let sum = |get: fn(&(u64, u64)) -> u64| parts.iter().map(get).sum();
    Latency {
        samples: Some(sum(|part| part.1)),
        sum: Some(sum(|part| part.0 * part.1)),
        buckets: parts.iter().map(bucket).collect(),
        ..Latency::default()
    }
}

#[test]
fn vain_attempts_are_the_slowest_calls() {
    let measured = latency(&[(1_000, 800), (8_000, 100), (1_000_000, 100)]);
    let gain = Gain::without_slowest("alloc.latency_ns.mean", &measured, (100, 1000)).unwrap();
    assert_eq!(gain.now as u64, 101_600);
    // What stays has a mean of about 1800 ns, a median of 1000 and a p99 of 8000.
    assert!(gain.best > 1_000.0 && gain.best < 1_800.0, "{gain:?}");
    assert!(gain.worst > 2_400.0 && gain.worst < 3_300.0, "{gain:?}");
    assert!(gain.share() > 0.97);
}

#[test]
fn a_part_that_was_timed_stands_for_the_whole() {
    let measured = latency(&[(1_000, 900), (1_000_000, 100)]);
    let whole = Gain::without_slowest("alloc.latency_ns.mean", &measured, (100, 1000));
    assert_eq!(Gain::without_slowest("alloc.latency_ns.mean", &measured, (6400, 64_000)), whole);
}

#[test]
fn where_nearly_all_is_in_vain_nothing_is_promised() {
    let measured = latency(&[(1_000, 50), (1_000_000, 950)]);
    assert_eq!(Gain::without_slowest("alloc.latency_ns.mean", &measured, (950, 1000)), None);
    assert_eq!(Gain::without_slowest("alloc.latency_ns.mean", &Latency::default(), (1, 10)), None);
}

#[test]
fn a_search_that_finds_something_may_walk_as_well() {
    let measured = latency(&[(1_000, 900), (1_000_000, 100)]);
    let walks = Walks { nodes: 10_000, left: 512 };
    let plain = Gain::without_slowest("alloc.latency_ns.mean", &measured, (100, 1000)).unwrap();
    let gain = Gain::without_walks("alloc.latency_ns.mean", &measured, (100, 1000), &walks).unwrap();
    // 100 ns a node.
    assert_eq!(gain.best, plain.best);
    assert!((gain.worst - plain.worst - 51_200.0).abs() < 600.0, "{gain:?} {plain:?}");
    assert!(gain.how.contains("past 512 addresses"));
}
