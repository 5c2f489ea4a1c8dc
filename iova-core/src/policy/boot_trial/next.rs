//! Which devices the next boot tries.

use serde::{Deserialize, Serialize};

use super::plan::{Culprit, How, Plan, Round, RoundOutcome};
use crate::policy::Bdf;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Boot with the full range for these.
    Boot(Vec<Bdf>),
    /// No more boots.
    Done(Answer),
}

/// What the boots have shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// These cared.
    Named {
        /// The devices.
        devices: Vec<Culprit>,
        /// How that is known.
        how: How,
    },
    /// With the full range for all of them nothing was amiss.
    Nobody,
    /// It is one or more of these.
    Among {
        /// The devices.
        devices: Vec<Bdf>,
        /// One sentence: what was seen, and what to do.
        why: String,
    },
}

/// The next boot, or the answer. First all devices; then, if that went wrong and nothing says why, halves, on the assumption
/// that one of them is to blame: if one half is quiet, it is in the other.
pub fn next(plan: &Plan) -> Next {
    let mut among: Vec<Bdf> = plan.suspects.iter().map(|suspect| suspect.bdf).collect();
    let mut failed_alone = None;
    for round in &plan.rounds {
        let Some(outcome) = &round.outcome else { continue };
        match outcome {
            RoundOutcome::Named { devices } => {
                return Next::Done(Answer::Named { devices: devices.clone(), how: How::Fault });
            }
            RoundOutcome::Quiet if round.number == 1 => return Next::Done(Answer::Nobody),
            RoundOutcome::Quiet => {
                let tried = tried(round);
                among.retain(|bdf| !tried.contains(bdf));
            }
            RoundOutcome::Failed { odd, .. } => {
                among = tried(round);
                // What had a fault is more likely to be it.
                among.sort_by_key(|bdf| !odd.contains(bdf));
                failed_alone = among.first().copied().filter(|_| among.len() == 1);
            }
            RoundOutcome::Lost => {
                among = tried(round);
                failed_alone = among.first().copied().filter(|_| among.len() == 1);
            }
        }
    }
    decide(plan, among, failed_alone)
}

/// The devices that really had the full range.
fn tried(round: &Round) -> Vec<Bdf> {
    let missed = |bdf: &Bdf| round.missed.iter().any(|left| left.bdf == bdf.to_string());
    round.chosen.iter().copied().filter(|bdf| !missed(bdf)).collect()
}

fn decide(plan: &Plan, among: Vec<Bdf>, failed_alone: Option<Bdf>) -> Next {
    let Some(last) = plan.rounds.last() else { return Next::Boot(among) };
    match among.as_slice() {
        [] => Next::Done(Answer::Among { devices: Vec::new(), why: contradiction() }),
        [only] => {
            let how = if failed_alone == Some(*only) { How::Alone } else { How::Elimination };
            let culprit = Culprit { bdf: *only, evidence: None, at_least: None };
            Next::Done(Answer::Named { devices: vec![culprit], how })
        }
        _ if !plan.bisect => Next::Done(Answer::Among { why: undecided(last), devices: among }),
        several => Next::Boot(several[..several.len().div_ceil(2)].to_vec()),
    }
}

fn contradiction() -> String {
    "with all devices something went wrong, and with each part of them nothing did: either it does not happen each time (a \
     longer --for, or a command after -- that works the devices harder, may show it), or it is a device that the module \
     can't reach"
        .to_owned()
}

fn undecided(last: &Round) -> String {
    let seen = match &last.outcome {
        Some(RoundOutcome::Failed { why, .. }) => why.as_str(),
        _ => "the machine did not come up",
    };
    format!("{seen}, and no fault names a device: --bisect finds it by trying halves")
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
