//! Which step comes next.

use super::FIRST;
use super::ladder::Ladder;
use super::record::{Outcome, Purpose, StepRecord};
use super::verdict::{Basis, Verdict};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step.
    Step {
        /// Address bits.
        width: u8,
        /// Why.
        purpose: Purpose,
    },
    /// Nothing: this is the answer.
    Done(Verdict),
}

/// Decides after each step. `steps`: those that ended, in order; the ladder is only known after the first.
pub fn next(ladder: Option<&Ladder>, steps: &[StepRecord]) -> Next {
    let (Some(last), Some(ladder)) = (steps.last(), ladder) else {
        return match steps.last() {
            // The ladder is looked at while the first step runs; without one there is no walk.
            Some(step) => cannot(FIRST, why(step)),
            None => step(FIRST, Purpose::Baseline),
        };
    };
    let walk = Walk { ladder, steps };
    match last.purpose {
        Purpose::Baseline if !last.passed() => cannot(
            FIRST,
            format!(
                "the work fails with the addresses that the kernel chooses by itself, too: {}",
                why(last)
            ),
        ),
        // Also after a crash, before the walk goes on where it was.
        Purpose::Baseline => walk.onward(walk.proved()),
        Purpose::Walk => walk.after_walk(last),
        Purpose::Narrow => walk.limit(),
        Purpose::Control if last.passed() => step(walk.failed_width(), Purpose::Repeat),
        Purpose::Control => cannot(
            walk.proved(),
            format!("at {} bits, which had passed, the work fails now as well: {}", last.width, why(last)),
        ),
        Purpose::Repeat => walk.after_repeat(last),
    }
}

struct Walk<'a> {
    ladder: &'a Ladder,
    steps: &'a [StepRecord],
}

impl Walk<'_> {
    fn onward(&self, from: u8) -> Next {
        match self.ladder.after(from) {
            Some(width) => step(width, Purpose::Walk),
            None if from >= self.ladder.top => Next::Done(Verdict::Verified { bits: from, short: None }),
            None => Next::Done(Verdict::Verified {
                bits: from,
                short: Some(format!("wider addresses, up to {} bits, can't be had here", self.ladder.top)),
            }),
        }
    }

    fn after_walk(&self, last: &StepRecord) -> Next {
        match &last.outcome {
            Outcome::Passed => self.onward(last.width),
            Outcome::Truncated { .. } => self.truncated(),
            Outcome::Mangled => self.mangled(last.width),
            Outcome::Unreached { why } => Next::Done(Verdict::Verified {
                bits: self.proved(),
                short: Some(format!("at {} bits nothing was tried: {why}", last.width)),
            }),
            Outcome::Failed { .. } => step(self.control_width(), Purpose::Control),
        }
    }

    /// All faults together, and what passed.
    fn interval(&self) -> (u8, u8) {
        let bounds = self.steps.iter().filter_map(|step| match step.outcome {
            Outcome::Truncated { at_least, at_most } => Some((at_least, at_most)),
            _ => None,
        });
        let found = bounds.reduce(|a, b| (a.0.max(b.0), a.1.min(b.1)));
        let (least, most) = found.unwrap_or((FIRST, FIRST));
        (least.max(self.proved()), most)
    }

    /// Where widths are missing on the ladder, two of them may look alike in one pattern of bits; the next has others.
    fn truncated(&self) -> Next {
        let wider = self.steps.last().and_then(|last| self.ladder.after(last.width));
        match (self.interval(), wider) {
            ((least, most), Some(width)) if least < most => step(width, Purpose::Narrow),
            _ => self.limit(),
        }
    }

    fn limit(&self) -> Next {
        let (at_least, at_most) = self.interval();
        if at_least > at_most {
            let reason =
                format!("faults say that {at_most} bits come through at most, but {at_least} have passed");
            return cannot(at_most, reason);
        }
        Next::Done(Verdict::Limit { at_least, at_most, basis: Basis::Fault })
    }

    fn mangled(&self, width: u8) -> Next {
        let at_least = self.proved();
        Next::Done(Verdict::Limit { at_least, at_most: at_least.max(width - 1), basis: Basis::Mangled })
    }

    fn after_repeat(&self, last: &StepRecord) -> Next {
        let proved = self.proved();
        match &last.outcome {
            Outcome::Failed { .. } => Next::Done(Verdict::Limit {
                at_least: proved,
                at_most: proved.max(last.width - 1),
                basis: Basis::Data,
            }),
            Outcome::Truncated { .. } => self.truncated(),
            Outcome::Mangled => self.mangled(last.width),
            Outcome::Passed | Outcome::Unreached { .. } => cannot(
                proved,
                format!(
                    "at {} bits the work failed once and did not fail again: {}",
                    last.width,
                    self.first_failure()
                ),
            ),
        }
    }

    /// Bits proved by steps, up to the first that did not pass.
    fn proved(&self) -> u8 {
        let passed = self.steps.iter().filter(|step| step.purpose == Purpose::Walk && step.passed());
        passed.map(|step| step.width).max().unwrap_or(0).max(self.ladder.proved)
    }

    /// The last width that has passed in a step: what is proved otherwise can't be repeated.
    fn control_width(&self) -> u8 {
        let passed = self.steps.iter().filter(|step| step.passed());
        passed.map(|step| step.width).max().unwrap_or(FIRST)
    }

    fn failed(&self) -> Option<&StepRecord> {
        self.steps.iter().find(|step| matches!(step.outcome, Outcome::Failed { .. }))
    }

    fn failed_width(&self) -> u8 {
        self.failed().map_or(FIRST, |step| step.width)
    }

    fn first_failure(&self) -> String {
        self.failed().map(why).unwrap_or_default()
    }
}

fn step(width: u8, purpose: Purpose) -> Next {
    Next::Step { width, purpose }
}

fn cannot(bits: u8, reason: String) -> Next {
    Next::Done(Verdict::CannotProve { bits, reason })
}

/// What was wrong with a step.
fn why(step: &StepRecord) -> String {
    match &step.outcome {
        Outcome::Passed => "nothing was wrong".to_owned(),
        Outcome::Truncated { at_most, .. } => {
            format!("a fault shows that at most {at_most} bits come through")
        }
        Outcome::Mangled => "a fault shows that high bits are changed".to_owned(),
        Outcome::Failed { why } | Outcome::Unreached { why } => why.clone(),
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
