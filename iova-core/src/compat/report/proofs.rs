//! What of a verification's journal goes into a report.

use super::{Answer, AnswerKind, MAX_STEPS, Proof, Step, StepResult, WorkKind};
use crate::policy::verify::{Begun, Outcome, Past, StepRecord, Verdict};

/// Of one journal; `None` without a step: nothing was tried then.
pub(super) fn proof(past: &Past) -> Option<Proof> {
    let begun = past.begun.as_ref().filter(|_| !past.steps.is_empty())?;
    let mut steps: Vec<Step> = past.steps.iter().map(step).collect();
    steps.truncate(MAX_STEPS);
    Some(Proof {
        kernel: begun.kernel,
        work: work(begun),
        free_bits: begun.proved.min(64),
        steps,
        answer: past.answer.as_ref().map(answer),
    })
}

fn work(begun: &Begun) -> WorkKind {
    match (&begun.scratch, begun.command.is_empty()) {
        (_, false) => WorkKind::Command,
        (Some(_), true) => WorkKind::Scratch,
        (None, true) => WorkKind::Read,
    }
}

fn step(step: &StepRecord) -> Step {
    Step {
        width: step.width,
        purpose: step.purpose,
        result: match step.outcome {
            Outcome::Passed => StepResult::Passed,
            Outcome::Truncated { .. } => StepResult::Truncated,
            Outcome::Mangled => StepResult::Mangled,
            Outcome::Failed { .. } => StepResult::Failed,
            Outcome::Unreached { .. } => StepResult::Unreached,
        },
        addresses: step.addresses.count,
        runs: step.work.runs,
        bytes: step.work.bytes,
        worked_ms: step.work.ms,
        faults: u32::try_from(step.faults.len()).unwrap_or(u32::MAX),
    }
}

fn answer(verdict: &Verdict) -> Answer {
    let plain = |verdict, bits, whole| Answer { verdict, bits, at_most: None, basis: None, whole };
    match verdict {
        Verdict::Verified { bits, short } => plain(AnswerKind::Verified, *bits, short.is_none()),
        Verdict::CannotProve { bits, .. } => plain(AnswerKind::CannotProve, *bits, false),
        Verdict::Limit { at_least, at_most, basis } => Answer {
            at_most: Some(*at_most),
            basis: Some(*basis),
            ..plain(AnswerKind::Limit, *at_least, true)
        },
    }
}
