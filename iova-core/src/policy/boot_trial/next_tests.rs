use std::path::PathBuf;

use super::super::plan::{LeftOut, Suspect};
use super::*;
use crate::policy::history::Identity;

pub(super) fn bdf(number: u32) -> Bdf {
    Bdf::from_raw(number << 3)
}

pub(super) fn plan(devices: u32, bisect: bool) -> Plan {
    let identity = Identity { id: (0x1234, 0x11e8), subsystem: (0, 0) };
    let suspect = |number| Suspect { bdf: bdf(number), identity, driver: "edu".into(), width: 48 };
    Plan {
        schema_version: 1,
        id: "5f3a".into(),
        kernel: String::new(),
        image: PathBuf::new(),
        initrd: PathBuf::new(),
        more: None,
        suspects: (8..8 + devices).map(suspect).collect(),
        left_out: Vec::new(),
        bisect,
        reboot: false,
        watch_ms: 0,
        command: Vec::new(),
        rounds: Vec::new(),
        answer: None,
    }
}

fn add(plan: &mut Plan, chosen: Vec<Bdf>, outcome: RoundOutcome) {
    let number = u32::try_from(plan.rounds.len()).unwrap() + 1;
    plan.rounds.push(Round {
        number,
        chosen,
        missed: Vec::new(),
        remarks: Vec::new(),
        prepared_in: String::new(),
        boot: None,
        prepared_s: 0,
        outcome: Some(outcome),
    });
}

fn failed() -> RoundOutcome {
    RoundOutcome::Failed { why: "the command failed (exit code 1)".into(), odd: Vec::new() }
}

/// Boots until there is an answer; `judge` says what a boot comes to.
fn play(mut plan: Plan, judge: impl Fn(&[Bdf]) -> RoundOutcome) -> (usize, Answer) {
    loop {
        match next(&plan) {
            Next::Boot(chosen) => {
                let outcome = judge(&chosen);
                add(&mut plan, chosen, outcome);
            }
            Next::Done(answer) => return (plan.rounds.len(), answer),
        }
    }
}

#[test]
fn whichever_of_eight_it_is_four_boots_are_enough() {
    for culprit in 8..16 {
        for bad in [failed(), RoundOutcome::Lost] {
            let judge = |chosen: &[Bdf]| {
                if chosen.contains(&bdf(culprit)) { bad.clone() } else { RoundOutcome::Quiet }
            };
            let (boots, answer) = play(plan(8, true), judge);
            let Answer::Named { devices, how } = answer else { panic!("{answer:?}") };
            assert!(boots <= 4 && how != How::Fault, "{boots} boots, {how:?}");
            assert_eq!(devices.iter().map(|culprit| culprit.bdf).collect::<Vec<_>>(), [bdf(culprit)]);
        }
    }
}

#[test]
fn any_number_of_devices_takes_a_boot_and_its_logarithm() {
    for devices in 1..=40_u32 {
        for culprit in [8, 8 + devices / 2, 7 + devices] {
            let judge = |chosen: &[Bdf]| {
                if chosen.contains(&bdf(culprit)) { failed() } else { RoundOutcome::Quiet }
            };
            let (boots, answer) = play(plan(devices, true), judge);
            assert!(boots <= 1 + devices.next_power_of_two().ilog2() as usize, "{boots} for {devices}");
            assert!(matches!(answer, Answer::Named { devices, .. } if devices[0].bdf == bdf(culprit)));
        }
    }
}

#[test]
fn a_fault_names_it_at_once() {
    let named =
        RoundOutcome::Named { devices: vec![Culprit { bdf: bdf(9), evidence: None, at_least: Some(36) }] };
    let (boots, answer) = play(plan(8, true), |_| named.clone());
    assert_eq!(boots, 1);
    assert!(matches!(answer, Answer::Named { how: How::Fault, .. }), "{answer:?}");
}

#[test]
fn nobody_cared() {
    assert_eq!(play(plan(8, true), |_| RoundOutcome::Quiet), (1, Answer::Nobody));
}

#[test]
fn what_does_not_happen_again_is_no_answer() {
    let judge = |chosen: &[Bdf]| if chosen.len() == 8 { failed() } else { RoundOutcome::Quiet };
    let (boots, answer) = play(plan(8, true), judge);
    // Seven were quiet, so it must be the eighth: by elimination, which says so.
    assert_eq!(boots, 4);
    assert!(matches!(answer, Answer::Named { how: How::Elimination, .. }), "{answer:?}");
}

#[test]
fn without_bisecting_one_boot_is_all() {
    let (boots, answer) = play(plan(8, false), |_| failed());
    assert_eq!(boots, 1);
    let Answer::Among { devices, why } = answer else { panic!("{answer:?}") };
    assert!(devices.len() == 8 && why.contains("exit code 1") && why.contains("--bisect"), "{why}");
    let (_, answer) = play(plan(8, false), |_| RoundOutcome::Lost);
    assert!(matches!(answer, Answer::Among { why, .. } if why.starts_with("the machine did not come up")));
}

#[test]
fn what_had_odd_faults_is_tried_first() {
    let mut plan = plan(8, true);
    let all = plan.suspects.iter().map(|suspect| suspect.bdf).collect();
    add(&mut plan, all, RoundOutcome::Failed { why: String::new(), odd: vec![bdf(15)] });
    let Next::Boot(half) = next(&plan) else { panic!() };
    assert_eq!((half.len(), half[0]), (4, bdf(15)));
}

#[test]
fn who_did_not_get_the_range_is_not_blamed() {
    let mut plan = plan(2, true);
    let all = plan.suspects.iter().map(|suspect| suspect.bdf).collect();
    add(&mut plan, all, failed());
    plan.rounds[0].missed = vec![LeftOut { bdf: bdf(8).to_string(), why: "its driver is built in".into() }];
    let Next::Done(Answer::Named { devices, .. }) = next(&plan) else { panic!() };
    assert_eq!(devices[0].bdf, bdf(9));
}
