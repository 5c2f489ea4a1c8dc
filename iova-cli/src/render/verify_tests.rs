//! Whole outputs of `iova verify` against checked-in ones.

use super::{Json, Render, Text, fixtures};
use crate::commands::policy::Target;
use crate::commands::verify::VerifyReport;
use crate::term::Term;
use iova_core::inventory::DomainType;
use iova_core::model::{HostFigures, SacControl};
use iova_core::policy::verify::{
    Addresses, Basis, Bound, Facts, Ladder, Outcome, Purpose, StepRecord, Verdict, Work, check,
};
use iova_core::policy::{Evidence, Policy, Relation};

const PLAIN: Term = Term { width: 80, color: false, unicode: true };

fn step(width: u8, lowest: u64, outcome: Outcome) -> StepRecord {
    let baseline = width == 32;
    StepRecord {
        number: 1,
        width,
        purpose: if baseline { Purpose::Baseline } else { Purpose::Walk },
        policy: if baseline { Policy::Stock } else { Policy::Dac(width) },
        began_s: 1_700_000_000,
        lasted_s: 31.4,
        addresses: Addresses {
            count: 1046,
            lowest: Some(lowest),
            highest: Some(lowest | 0xf_ffff),
            ..Addresses::default()
        },
        work: Work { runs: 3, bytes: 384 << 20, ms: 30_000, failure: None },
        faults: vec![],
        pcie_errors: None,
        alias: None,
        outcome,
    }
}

fn report() -> VerifyReport {
    let live = 0x17_7ff0_0000;
    let mut last = step(37, live, Outcome::Truncated { at_least: 35, at_most: 36 });
    last.work.failure = Some("reading /dev/nvme0n1 at 0: Input/output error (os error 5)".into());
    last.faults =
        vec![Evidence { address: 0x7_7ff0_0000, relation: Relation::Truncated { width: 36, live } }];
    let answer = Verdict::Limit { at_least: 36, at_most: 36, basis: Basis::Fault };
    VerifyReport {
        schema: "iova.verify",
        schema_version: 1,
        host: HostFigures::new(&fixtures::inventory(), SacControl::DeviceFlag),
        device: Target::from(&fixtures::inventory().devices[2]),
        path: vec!["1b36:0010".into(), "1b36:000c".into()],
        checks: vec![],
        ladder: Some(Ladder {
            proved: 32,
            widths: (36..=48).collect(),
            closed: vec![33, 34, 35],
            top: 48,
            bound: Bound::Iommu,
        }),
        work: "reading its disks past the cache and through it, in 8 streams each, read-only".into(),
        steps: vec![step(32, 0xffe6_0000, Outcome::Passed), step(36, 0xb_7fe8_0000, Outcome::Passed), last],
        sentence: answer.sentence("1 min"),
        answer: Some(answer),
        worked_s: 60.0,
        unmeasured: vec![],
        problems: vec!["nvme did not bind".into()],
        journal: Some("/var/lib/iova/verify/0000:00:04.0.1700000000.done.jsonl".into()),
    }
}

#[test]
fn a_device_that_truncates() {
    insta::assert_snapshot!("verify_truncates", Text::new(PLAIN).verification(&report()).unwrap());
    insta::assert_snapshot!("verify_truncates_json", Json.verification(&report()).unwrap());
}

#[test]
fn conditions() {
    let facts = Facts {
        bdf: "0000:00:04.0".into(),
        driver: Some("nvme".into()),
        unbindable: true,
        mates: vec!["0000:00:04.1".into()],
        domain: Some(DomainType::DmaFq),
        type_writable: true,
        users: vec!["/data".into(), "swap".into()],
        functions: vec!["nvme0n1".into()],
        disks: vec!["nvme0n1".into()],
        mask_bits: Some(64),
        ..Facts::default()
    };
    let text = Text::new(PLAIN).conditions("0000:00:04.0", &check(&facts));
    insta::assert_snapshot!("verify_conditions", text);
}
