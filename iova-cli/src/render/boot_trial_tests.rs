//! Whole outputs of `iova verify --boot` against checked-in ones.

use super::{Json, Render, Text, fixtures};
use crate::commands::verify::BootTrial;
use crate::term::Term;
use iova_core::kernel::Root;
use iova_core::model::{HostFigures, SacControl};
use iova_core::policy::boot_trial::{Answer, Culprit, How, LeftOut, Plan, Round, RoundOutcome, Suspect};
use iova_core::policy::{Bdf, Evidence, Relation};

const PLAIN: Term = Term { width: 80, color: false, unicode: true };

fn bdf(slot: u32) -> Bdf {
    Bdf::from_raw(slot << 3)
}

fn round(number: u32, chosen: &[u32], outcome: RoundOutcome) -> Round {
    Round {
        number,
        chosen: chosen.iter().map(|slot| bdf(*slot)).collect(),
        missed: vec![],
        remarks: vec![],
        prepared_in: "b1".into(),
        boot: Some("b2".into()),
        prepared_s: 1_700_000_000,
        outcome: Some(outcome),
    }
}

fn plan(rounds: Vec<Round>, answer: Option<Answer>) -> Plan {
    let suspect = |slot| Suspect {
        bdf: bdf(slot),
        identity: "1234:11e8:1af4:1100".parse().unwrap(),
        driver: "edu".into(),
        width: 48,
    };
    Plan {
        schema_version: 1,
        id: "5f3a".into(),
        kernel: "6.12".into(),
        image: "/boot/vmlinuz-6.12".into(),
        initrd: "/boot/initrd.img-6.12".into(),
        more: None,
        suspects: (8..12).map(suspect).collect(),
        left_out: vec![LeftOut {
            bdf: "0000:00:1f.2".into(),
            why: "its driver ahci is built into the kernel, and bound before a module is there".into(),
        }],
        bisect: true,
        reboot: true,
        watch_ms: 0,
        command: vec!["./check.sh".into()],
        rounds,
        answer,
    }
}

fn shown(plan: &Plan, closed: bool) -> BootTrial {
    let host = HostFigures::new(&fixtures::inventory(), SacControl::DeviceFlag);
    BootTrial::new(host, plan, None, &Root::at("/nonexistent"), closed)
}

fn failed() -> RoundOutcome {
    RoundOutcome::Failed { why: "the command failed (exit code 1)".into(), odd: vec![] }
}

#[test]
fn found_by_halves() {
    let mut first = round(1, &[8, 9, 10, 11], failed());
    first.missed = vec![LeftOut { bdf: bdf(11).to_string(), why: "no driver was bound to it".into() }];
    let rounds = vec![first, round(2, &[8, 9], RoundOutcome::Quiet), round(3, &[10], RoundOutcome::Lost)];
    let culprit = Culprit { bdf: bdf(10), evidence: None, at_least: None };
    let answer = Answer::Named { devices: vec![culprit], how: How::Alone };
    let trial = shown(&plan(rounds, Some(answer)), false);
    insta::assert_snapshot!("boot_trial_halves", Text::new(PLAIN).boot_trial(&trial).unwrap());
    insta::assert_snapshot!("boot_trial_halves_json", Json.boot_trial(&trial).unwrap());
}

#[test]
fn found_by_a_fault() {
    let relation = Relation::Truncated { width: 40, live: 0xbfff_7fff_f000 };
    let evidence = Some(Evidence { address: 0xff_7fff_f000, relation });
    let devices = vec![Culprit { bdf: bdf(9), evidence, at_least: Some(40) }];
    let named = RoundOutcome::Named { devices: devices.clone() };
    let mut plan = plan(vec![round(1, &[8, 9, 10, 11], named)], None);
    plan.answer = Some(Answer::Named { devices, how: How::Fault });
    insta::assert_snapshot!("boot_trial_fault", Text::new(PLAIN).boot_trial(&shown(&plan, false)).unwrap());
}

#[test]
fn nothing_found() {
    let mut quiet = round(1, &[8, 9, 10, 11], RoundOutcome::Quiet);
    quiet.remarks = vec!["the beginning of the kernel's log is gone".into()];
    let plan = plan(vec![quiet], Some(Answer::Nobody));
    insta::assert_snapshot!("boot_trial_nobody", Text::new(PLAIN).boot_trial(&shown(&plan, false)).unwrap());
}
