//! What the history keeps of a trial.
//!
//! Nothing is written between staging and the end: the device on trial may be the disk that the history is on.

use super::meter::Phase;
use super::verdict::Verdict;
use crate::commands::policy::journal::Journal;
use iova_core::policy::Policy;
use iova_core::policy::history::Action;
use std::collections::BTreeMap;

pub(super) fn begin(journal: &Journal, policy: Policy) {
    journal.note(Action::Try, policy, |_| {});
}

pub(super) fn end(journal: &Journal, policy: Policy, verdict: &Verdict, before: &Phase, after: &Phase) {
    let action = match verdict.outcome() {
        super::Outcome::Kept => Action::Confirm,
        super::Outcome::Reverted => Action::Revert,
        super::Outcome::Quarantined => Action::Quarantine,
    };
    journal.note(action, policy, |entry| {
        let given = match verdict {
            Verdict::Kept { reason, .. } => reason.clone().or_else(|| entry.reason.clone()),
            _ => entry.reason.clone(),
        };
        let sentence = verdict.sentence();
        entry.reason = Some(given.map_or_else(|| sentence.clone(), |given| format!("{given} ({sentence})")));
        entry.before = figures(before);
        entry.after = figures(after);
        if let Verdict::Fault { evidence, .. } = verdict {
            entry.evidence = Some(*evidence);
        }
    });
}

/// By metric name; what is not known is left out.
fn figures(phase: &Phase) -> BTreeMap<String, f64> {
    let alloc = &phase.alloc;
    let number = |value: Option<u64>| value.map(|value| value as f64);
    let all = [
        ("duration_s", Some(phase.duration_s)),
        ("alloc.count", number(Some(alloc.count))),
        ("alloc.failed", number(Some(alloc.failed))),
        ("alloc.slow_ratio", alloc.slow_ratio),
        ("alloc.sac_failed", number(alloc.sac_failed)),
        ("alloc.latency_ns.p50", number(alloc.latency_ns.p50)),
        ("alloc.latency_ns.p99", number(alloc.latency_ns.p99)),
        ("alloc.latency_ns.max", number(alloc.latency_ns.max)),
        ("alloc.large_latency_ns.p99", number(alloc.large_latency_ns.p99)),
        ("policy.effective_high_ratio", phase.policy.effective_high_ratio),
        ("faults.count", number(phase.faults.count)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
