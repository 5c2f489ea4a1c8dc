//! A/A: the seconds of one recording of the lab, dealt to two sides at random, are no regression.

use crate::render::fixtures;
use iova_core::gate::{Rules, Run, Settings, Verdict, judge};

const TIMES: usize = 1000;
/// Before, the caches are empty: no second is like the next.
const WARM_UP: usize = 3;

/// Counts up from a seed (SplitMix64), so that the deals are the same for ever.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn shuffle(runs: &mut [Run], state: &mut u64) {
    for end in (1..runs.len()).rev() {
        let other = (random(state) % (end as u64 + 1)) as usize;
        runs.swap(end, other);
    }
}

#[test]
fn seconds_of_one_recording_raise_no_more_false_alarms_than_alpha() {
    let steps = fixtures::lab("healthy");
    let mut seconds: Vec<Run> = steps
        .iter()
        .skip(WARM_UP)
        .enumerate()
        .map(|(number, step)| Run::from_report(&step.interval, &format!("second {number}")).unwrap())
        .collect();
    assert!(seconds.len() >= 20, "{} seconds", seconds.len());
    // The line is drawn at the baseline itself, where false alarms are most likely.
    let mut rules = Rules { min_effect: 0.0, ..Rules::default() };
    for check in ["alloc.latency_ns.mean", "alloc.latency_ns.p99", "free.latency_ns.mean", "alloc.slow_ratio"]
    {
        rules.add(&format!("{check} <= baseline"), "test").unwrap();
    }
    let settings = Settings { resamples: 1, ..Settings::default() };
    let mut state = 1;
    let mut alarms = 0;
    let mut tests = 0;
    for _ in 0..TIMES {
        shuffle(&mut seconds, &mut state);
        let (before, now) = (&seconds[..10], &seconds[10..20]);
        let outcome = judge(&rules, Some(before), now, settings).unwrap();
        alarms += usize::from(outcome.verdict == Verdict::Regression);
        tests = outcome.tests;
    }
    println!("{alarms} of {TIMES} with {tests} tests each");
    assert!(tests >= 8 && alarms * 20 <= TIMES, "{alarms} of {TIMES} with {tests} tests each");
}
