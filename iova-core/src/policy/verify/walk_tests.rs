//! Whole walks of devices with known widths.

use super::*;
use crate::policy::Policy;
use crate::policy::classify::{LiveSet, classify};
use crate::policy::verify::{Addresses, Work};
use crate::policy::verify::{Bound, Seen, judge, least};

fn ladder(widths: std::ops::RangeInclusive<u8>, proved: u8) -> Ladder {
    let top = *widths.end();
    let closed = (33..*widths.start()).collect();
    Ladder { proved, widths: widths.collect(), closed, top, bound: Bound::Iommu }
}

fn record(width: u8, purpose: Purpose, outcome: Outcome) -> StepRecord {
    StepRecord {
        number: 1,
        width,
        purpose,
        policy: Policy::Stock,
        began_s: 0,
        lasted_s: 1.0,
        addresses: Addresses::default(),
        work: Work::default(),
        faults: vec![],
        pcie_errors: None,
        alias: None,
        outcome,
    }
}

/// A device that keeps `bits`, behind an IOMMU that tells of faults or not.
fn device(bits: u32, tells: bool) -> impl FnMut(u8, usize) -> Outcome {
    move |width, _| {
        let live = least(width) | 0x7fff_f000;
        let mut seen = Seen { width, ..Seen::default() };
        seen.addresses =
            Addresses { count: 1, lowest: Some(live), highest: Some(live), ..Addresses::default() };
        let came = if bits >= 64 { live } else { live & ((1 << bits) - 1) };
        if width > 32 && came != live {
            seen.work.failure = Some("nothing arrived".into());
            let mut set = LiveSet::default();
            set.add(live, live | 0xfff);
            seen.faults.extend(tells.then(|| classify(came, &set)));
        }
        judge(&seen)
    }
}

fn walk(ladder: &Ladder, mut device: impl FnMut(u8, usize) -> Outcome) -> (Verdict, Vec<(u8, Purpose)>) {
    let mut steps = Vec::new();
    loop {
        match next(Some(ladder), &steps) {
            Next::Done(verdict) => {
                return (verdict, steps.iter().map(|step| (step.width, step.purpose)).collect());
            }
            Next::Step { width, purpose } => {
                let outcome = device(width, steps.len());
                steps.push(record(width, purpose, outcome));
            }
        }
        assert!(steps.len() < 100);
    }
}

#[test]
fn every_width_is_found_exactly_by_faults() {
    for ladder in [ladder(33..=48, 32), ladder(36..=48, 32)] {
        for bits in 32..48 {
            let (verdict, steps) = walk(&ladder, device(bits, true));
            let bits = bits as u8;
            assert_eq!(
                verdict,
                Verdict::Limit { at_least: bits, at_most: bits, basis: Basis::Fault },
                "{steps:?}"
            );
            assert!(steps.iter().all(|step| step.0 <= bits.max(36) + 1), "{bits}: {steps:?}");
        }
        let (verdict, steps) = walk(&ladder, device(64, true));
        assert_eq!(verdict, Verdict::Verified { bits: 48, short: None });
        assert_eq!(steps.len(), ladder.widths.len() + 1);
    }
}

#[test]
fn without_faults_the_data_tells_and_only_after_a_second_look() {
    let (verdict, steps) = walk(&ladder(36..=48, 32), device(40, false));
    assert_eq!(verdict, Verdict::Limit { at_least: 40, at_most: 40, basis: Basis::Data });
    let end: Vec<_> = steps.iter().rev().take(3).rev().copied().collect();
    assert_eq!(end, [(41, Purpose::Walk), (40, Purpose::Control), (41, Purpose::Repeat)]);
    let (verdict, _) = walk(&ladder(36..=48, 32), device(33, false));
    assert_eq!(verdict, Verdict::Limit { at_least: 32, at_most: 35, basis: Basis::Data });
}

#[test]
fn what_fails_anyway_proves_nothing() {
    let always = |_, _| Outcome::Failed { why: "the command failed".into() };
    let (verdict, steps) = walk(&ladder(33..=48, 32), always);
    assert!(matches!(verdict, Verdict::CannotProve { bits: 32, .. }), "{verdict:?}");
    assert_eq!(steps, [(32, Purpose::Baseline)]);

    let once = |_, step| if step == 3 { Outcome::Failed { why: "x".into() } } else { Outcome::Passed };
    let (verdict, steps) = walk(&ladder(33..=48, 32), once);
    assert!(matches!(verdict, Verdict::CannotProve { bits: 34, .. }), "{verdict:?} {steps:?}");

    let worse = |_, step| if step >= 3 { Outcome::Failed { why: "x".into() } } else { Outcome::Passed };
    let (verdict, _) = walk(&ladder(33..=48, 32), worse);
    assert!(matches!(verdict, Verdict::CannotProve { bits: 34, .. }), "{verdict:?}");
}

#[test]
fn a_step_that_tried_nothing_ends_the_walk() {
    let spills = |width, _| {
        if width > 40 { Outcome::Unreached { why: "too much mapped".into() } } else { Outcome::Passed }
    };
    let (verdict, _) = walk(&ladder(33..=48, 32), spills);
    assert!(matches!(verdict, Verdict::Verified { bits: 40, short: Some(_) }), "{verdict:?}");
}

#[test]
fn what_is_proved_for_free_is_not_walked() {
    let (verdict, steps) = walk(&ladder(39..=41, 38), device(64, true));
    assert_eq!(verdict, Verdict::Verified { bits: 41, short: None });
    assert_eq!(steps.len(), 4);
    let nothing = Ladder { widths: vec![], top: 38, ..ladder(39..=39, 38) };
    assert_eq!(walk(&nothing, device(64, true)).0, Verdict::Verified { bits: 38, short: None });
}

#[test]
fn mangled_addresses_are_a_limit_too() {
    let mangles = |width, _| if width > 40 { Outcome::Mangled } else { Outcome::Passed };
    let (verdict, _) = walk(&ladder(33..=48, 32), mangles);
    assert_eq!(verdict, Verdict::Limit { at_least: 40, at_most: 40, basis: Basis::Mangled });
}

#[test]
fn without_a_ladder_there_is_only_the_first_step() {
    assert_eq!(next(None, &[]), Next::Step { width: 32, purpose: Purpose::Baseline });
    let first = record(32, Purpose::Baseline, Outcome::Failed { why: "no driver".into() });
    assert!(matches!(next(None, &[first]), Next::Done(Verdict::CannotProve { .. })));
}
