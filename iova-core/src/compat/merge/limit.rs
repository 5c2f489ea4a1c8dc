//! What speaks against a width, and whether it is credible enough for a cap.

use serde::Serialize;

use crate::compat::report::{AnswerKind, DeviceReport, Faults, Proof, ReportId, StepResult};
use crate::compat::words::{EvidenceKind, Failure};
use crate::policy::Policy;
use crate::policy::verify::{Basis, FIRST, Purpose};

/// One host's observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Limit {
    /// Bits that are known to come through all the same.
    pub bits: u8,
    /// A cap follows; else it only keeps the device from being widened.
    pub credible: bool,
    /// What it rests on.
    pub evidence: EvidenceKind,
    /// What goes wrong above.
    pub failure: Failure,
    /// Who.
    pub id: ReportId,
    /// What was seen, half a sentence.
    pub what: &'static str,
}

/// Of a verification: its limit, or a failure that it could not explain.
pub(super) fn of(id: ReportId, proof: &Proof) -> Option<Limit> {
    let answer = proof.answer?;
    let limit = |failure, credible, what| {
        let evidence = EvidenceKind::Verified;
        Some(Limit { bits: answer.bits.clamp(FIRST, 63), credible, evidence, failure, id, what })
    };
    let has = |purpose: Option<Purpose>, result| {
        proof.steps.iter().any(|step| step.result == result && purpose.is_none_or(|it| it == step.purpose))
    };
    let control = controlled(proof);
    match (answer.verdict, answer.basis) {
        (AnswerKind::Limit, Some(Basis::Fault)) => {
            let credible = control && has(None, StepResult::Truncated);
            limit(Failure::Truncated, credible, "the address of a fault had lost its high bits")
        }
        (AnswerKind::Limit, Some(Basis::Mangled)) => {
            let credible = control && has(None, StepResult::Mangled);
            limit(Failure::Mangled, credible, "the address of a fault had other high bits")
        }
        (AnswerKind::Limit, _) => {
            let again = has(Some(Purpose::Control), StepResult::Passed)
                && has(Some(Purpose::Repeat), StepResult::Failed);
            limit(
                Failure::Unknown,
                control && again,
                "data did not arrive, twice, and did in between with fewer bits",
            )
        }
        _ if proof.steps.iter().any(|step| step.width > FIRST && step.result == StepResult::Failed) => {
            limit(Failure::Unknown, false, "the work failed at a wider step, and nothing shows why")
        }
        _ => None,
    }
}

/// The same work came out right with fewer bits: so it is the width, not the work.
fn controlled(proof: &Proof) -> bool {
    let least = proof.steps.iter().filter(|step| {
        matches!(step.result, StepResult::Truncated | StepResult::Mangled | StepResult::Failed)
    });
    let Some(least) = least.map(|step| step.width).min() else { return false };
    proof.steps.iter().any(|step| step.result == StepResult::Passed && step.width < least && step.runs > 0)
}

/// Of normal use and of trials: faults at addresses that are live ones without, or with other, high bits. Under a `dac`
/// policy nothing else is mapped where such an address points, so it is no chance.
pub(super) fn in_use(id: ReportId, device: &DeviceReport) -> impl Iterator<Item = Limit> {
    let used = device.usage.and_then(|usage| usage.faults).map(|faults| {
        (faults, device.policy, "in normal use, faults had the low 32 bits of live addresses above 4 GiB")
    });
    let tried = device.trials.iter().map(|trial| {
        let what = "under a policy on trial, a fault had the low 32 bits of a live address above 4 GiB";
        (trial.faults, Some(trial.policy), what)
    });
    let all = used.into_iter().chain(tried).filter(|(faults, ..)| faults.low_32_alias);
    all.map(move |(faults, policy, what)| alias(id, faults, policy, what))
}

fn alias(id: ReportId, faults: Faults, policy: Option<Policy>, what: &'static str) -> Limit {
    let passes = faults.passes.map_or(FIRST, |passes| passes.at_least);
    let mangled = faults.mangled > 0;
    Limit {
        bits: if mangled { FIRST } else { passes.clamp(FIRST, 63) },
        credible: matches!(policy, Some(Policy::Dac(_))),
        evidence: EvidenceKind::Report,
        failure: if mangled { Failure::Mangled } else { Failure::Truncated },
        id,
        what,
    }
}
