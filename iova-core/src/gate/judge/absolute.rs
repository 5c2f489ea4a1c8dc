//! Rules without a baseline: every run of the candidate has to keep them.

use super::items::Item;
use super::unjudged;
use crate::gate::outcome::{Check, How, Verdict};

/// A lower bound cannot prove that something never happened, so figures that are not exact pass only if that is asked
/// for.
pub(super) fn judge(item: Item, bound: f64, accept_approximate: bool) -> Check {
    let Item { mut check, candidate, relation, .. } = item;
    if candidate.values.is_empty() {
        let why = candidate.why.unwrap_or_else(|| "no run has a value".to_owned());
        return unjudged(check, why);
    }
    check.how = How::EveryRun;
    let broken: Vec<&String> = std::iter::zip(&candidate.values, &candidate.sources)
        .filter(|(value, _)| !relation.holds(**value, bound))
        .map(|(_, source)| source)
        .collect();
    if let Some(first) = broken.first() {
        check.verdict = Verdict::Regression;
        let all = candidate.values.len();
        check.reason = Some(format!("broken in {} of {all} runs, first in {first}", broken.len()));
    } else if candidate.approximate && !accept_approximate {
        check.verdict = Verdict::CannotJudge;
        check.reason =
            Some("kept, but the figure is not exact: accept_approximate = true takes it".to_owned());
    }
    check
}
