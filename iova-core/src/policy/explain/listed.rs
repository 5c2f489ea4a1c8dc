//! What the compatibility list has to say about a wish.

use super::hazard::{Case, Hazard, hazard};
use crate::compat::Entry;
use crate::finding::Severity;
use crate::policy::Policy;

/// Why the list is against `dac:N`, in one sentence; `None` if it is not, or if the user has overruled it.
pub(super) fn against(case: &Case<'_>) -> Option<String> {
    let Policy::Dac(width) = case.wish.policy else { return None };
    if case.wish.beyond_list {
        return None;
    }
    match &case.facts.listed {
        Err(complaint) => Some(format!(
            "the local records of the compatibility list can't be used, so nobody knows whether they forbid it \
             ({complaint}): mend them (`iova compat lint`), or say --beyond-list"
        )),
        Ok(word) => {
            let cap = word.needed().filter(|cap| cap.width < width)?;
            Some(format!(
                "the compatibility list says {} for {}: try dac:N or cap:N of at most that, or say --beyond-list with a \
                 backup of what it may damage",
                cap.saying(),
                cap.name
            ))
        }
    }
}

/// A wish for more bits than a cap has, or for fewer than the device can use.
pub(super) fn listed(case: &Case<'_>) -> Option<Hazard> {
    let word = case.facts.listed.as_ref().ok()?;
    let policy = case.wish.policy;
    if let (true, Policy::Cap(_), Some(entry)) = (word.needs_high, policy, word.deciding()) {
        let text = format!("{}: {}. A cap may leave it without any address.", entry.name, entry.saying());
        return hazard("listed", Severity::Critical, text);
    }
    let reach = policy.width().unwrap_or(u8::MAX);
    let cap = word.entries.iter().find(|entry| is_cap_below(entry, reach))?;
    let known = cap.kernel.map(|kernel| kernel.sentence()).unwrap_or_default();
    let severity = match (cap.kernel.is_some_and(|it| it.is_enough()), policy) {
        (true, _) => Severity::Note,
        (false, Policy::Dac(_)) => Severity::Critical,
        // It narrows, or is what the kernel does anyway.
        (false, Policy::Cap(_) | Policy::Stock) => Severity::Warning,
    };
    hazard("listed", severity, format!("The compatibility list on {}: {}; {known}.", cap.name, cap.saying()))
}

fn is_cap_below(entry: &Entry, reach: u8) -> bool {
    entry.holds_here && entry.kernel.is_some() && entry.width < reach
}

/// One line about what the list says, whatever is wished.
pub(super) fn line(case: &Case<'_>) -> Option<String> {
    match &case.facts.listed {
        Err(complaint) => Some(format!("the local records can't be used: {complaint}")),
        Ok(word) => word.deciding().map(|entry| format!("{}: {}", entry.name, entry.saying())),
    }
}
