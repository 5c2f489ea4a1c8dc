//! Reports for tests.

use crate::compat::report::{
    Answer, AnswerKind, CompatReport, DeviceReport, Domain, Faults, IommuFacts, IommuKind, KernelName, Proof,
    ReportId, SCHEMA, SCHEMA_VERSION, Step, StepResult, Trial, Usage, WorkKind,
};
use crate::inventory::Configured;
use crate::policy::Policy;
use crate::policy::verify::Purpose;

pub(crate) fn report(host: u8, devices: Vec<DeviceReport>) -> CompatReport {
    CompatReport {
        schema: SCHEMA.to_owned(),
        schema_version: SCHEMA_VERSION,
        id: ReportId([host; 16]),
        kernel: KernelName::of("6.12.95+deb13-amd64", None).unwrap(),
        iommu: vec![IommuFacts { kind: IommuKind::IntelVtD, width: Some(48) }],
        product: None,
        devices,
    }
}

pub(crate) fn device(proofs: Vec<Proof>) -> DeviceReport {
    DeviceReport {
        device: "1b36:0010".parse().unwrap(),
        subsystem: Some("1af4:1100".parse().unwrap()),
        revision: Some("02".parse().unwrap()),
        class: Some("010802".parse().unwrap()),
        path: vec!["1b36:000c".parse().unwrap()],
        driver: Some("nvme".parse().unwrap()),
        mask_bits: Some(64),
        coherent_mask_bits: Some(64),
        domain: Domain::Strict,
        placement: Some(Configured::SacFirst),
        policy: Some(Policy::Stock),
        usage: Some(Usage {
            observed_ms: 10_000,
            allocations: 1000,
            bytes: 4_096_000,
            width: Some(32),
            ..Usage::default()
        }),
        trials: vec![Trial {
            policy: Policy::Dac(36),
            kept: 1,
            reverted: 0,
            quarantined: 0,
            faults: Faults::default(),
        }],
        proofs,
    }
}

pub(crate) fn step(width: u8, purpose: Purpose, result: StepResult) -> Step {
    Step { width, purpose, result, addresses: 100, runs: 1, bytes: 1 << 20, worked_ms: 60_000, faults: 0 }
}

pub(crate) fn proof(steps: Vec<Step>, answer: Answer) -> Proof {
    let kernel = KernelName::of("6.12.95", None);
    Proof { kernel, work: WorkKind::Read, free_bits: 32, steps, answer: Some(answer) }
}

/// One that came to the end.
pub(crate) fn verified(bits: u8) -> Proof {
    let steps =
        vec![step(32, Purpose::Baseline, StepResult::Passed), step(bits, Purpose::Walk, StepResult::Passed)];
    let answer = Answer { verdict: AnswerKind::Verified, bits, at_most: None, basis: None, whole: true };
    proof(steps, answer)
}
