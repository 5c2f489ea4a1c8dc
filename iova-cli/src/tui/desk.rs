//! Changing a device's policy from the screen: what is chosen, what the dry run said, how the trial goes. Knows no
//! terminal and no process: what is to be done is a [`Wish`], which somebody else carries out.
//!
//! Nothing is changed by one key: each change has a question, and only `y` is a yes.

use crate::commands::policy::{Figures, Summary, Told};
use serde::Deserialize;

/// Sentences of a trial that are kept.
const SAID: usize = 16;
/// Longest policy that can be typed.
const TYPED: usize = 16;

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Say what the policy would do.
    Explain { bdf: String, policy: String },
    /// Start a trial.
    Try { bdf: String, policy: String },
    /// Answer the trial: keep it or not.
    Answer(bool),
    /// Back to stock, for good.
    Revert { bdf: String },
}

/// What `iova policy explain` says, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Plan {
    /// Why it is not to be tried.
    pub(crate) refused: Option<String>,
    pub(crate) changes: Vec<String>,
    pub(crate) lasting: Vec<String>,
    pub(crate) hazards: Vec<Hazard>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Hazard {
    pub(crate) severity: String,
    pub(crate) text: String,
}

/// What comes back from outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Explained {
        bdf: String,
        policy: String,
        plan: Result<Plan, String>,
    },
    Trial(Told<Box<Summary>>),
    /// There is no trial (any more), for this reason.
    NoTrial(String),
    Reverted(String),
    /// Where a report is, or why nowhere.
    Written(String),
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    Choosing,
    /// The dry run runs.
    Asking,
    Planned(Result<Plan, String>),
    /// The trial's figures, also when it is over.
    Trial,
    /// One sentence about what was done without a trial.
    Said(String),
}

/// A question that only `y` answers with yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    Try,
    Keep,
    TakeBack,
    Revert,
    /// Leave the screen, which ends the trial.
    Quit,
}

/// A trial, running or over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    pub(crate) bdf: String,
    pub(crate) policy: String,
    pub(crate) said: Vec<String>,
    pub(crate) figures: Option<Figures>,
    /// The time is over, and it wants an answer.
    pub(crate) question: Option<String>,
    /// The summary, or why there is none.
    pub(crate) over: Option<Result<Box<Summary>, String>>,
}

/// The whole desk.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Whose policy.
    pub(crate) bdf: String,
    pub(crate) choices: Vec<String>,
    pub(crate) chosen: usize,
    /// A policy that is being typed.
    pub(crate) typed: Option<String>,
    pub(crate) stage: Stage,
    pub(crate) sure: Option<Sure>,
    pub(crate) trial: Option<Trial>,
    wishes: Vec<Wish>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            bdf: String::new(),
            choices: Vec::new(),
            chosen: 0,
            typed: None,
            stage: Stage::Choosing,
            sure: None,
            trial: None,
            wishes: Vec::new(),
        }
    }
}

impl Desk {
    /// Somebody wants to see about the device; a trial that runs comes first.
    pub(crate) fn open(&mut self, bdf: &str, mask_bits: Option<f64>) {
        if let Some(trial) = self.running() {
            self.bdf = trial.bdf.clone();
            self.stage = Stage::Trial;
            return;
        }
        if self.bdf != bdf || self.choices.is_empty() {
            (self.choices, self.chosen) = (choices(mask_bits), 0);
            self.bdf = bdf.to_owned();
        }
        self.stage = Stage::Choosing;
    }

    pub(crate) fn policy(&self) -> &str {
        self.choices.get(self.chosen).map_or("stock", String::as_str)
    }

    /// The trial, while it runs.
    pub(crate) fn running(&self) -> Option<&Trial> {
        self.trial.as_ref().filter(|trial| trial.over.is_none())
    }

    /// What is to be done, once.
    pub(crate) fn wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// Moves the choice; false if there is none to be made now.
    pub(crate) fn choose(&mut self, by: isize) -> bool {
        if self.stage != Stage::Choosing {
            return false;
        }
        self.chosen = self.chosen.saturating_add_signed(by).min(self.choices.len().saturating_sub(1));
        true
    }

    pub(crate) fn explain(&mut self) {
        if self.stage == Stage::Choosing {
            self.stage = Stage::Asking;
            self.wishes.push(Wish::Explain { bdf: self.bdf.clone(), policy: self.policy().to_owned() });
        }
    }

    /// Asks whether it is meant.
    pub(crate) fn ask(&mut self, sure: Sure) {
        let planned = matches!(&self.stage, Stage::Planned(Ok(plan)) if plan.refused.is_none());
        let possible = match sure {
            Sure::Try | Sure::Revert => planned && self.running().is_none(),
            Sure::Keep => self.running().is_some_and(|trial| trial.figures.is_some()),
            Sure::TakeBack | Sure::Quit => self.running().is_some(),
        };
        let sure = if sure == Sure::Try && self.policy() == "stock" { Sure::Revert } else { sure };
        self.sure = possible.then_some(sure);
    }

    /// The answer to it; true if the screen is to be left.
    pub(crate) fn answer(&mut self, yes: bool) -> bool {
        let Some(sure) = self.sure.take().filter(|_| yes) else { return false };
        match sure {
            Sure::Try => self.start(),
            Sure::Revert => {
                self.stage = Stage::Asking;
                self.wishes.push(Wish::Revert { bdf: self.bdf.clone() });
            }
            // It may have ended while the question was read.
            Sure::Keep | Sure::TakeBack if self.running().is_some() => {
                self.wishes.push(Wish::Answer(sure == Sure::Keep));
            }
            Sure::Keep | Sure::TakeBack => {}
            Sure::Quit => return true,
        }
        false
    }

    fn start(&mut self) {
        let (bdf, policy) = (self.bdf.clone(), self.policy().to_owned());
        self.stage = Stage::Trial;
        self.trial = Some(Trial {
            bdf: bdf.clone(),
            policy: policy.clone(),
            said: Vec::new(),
            figures: None,
            question: None,
            over: None,
        });
        self.wishes.push(Wish::Try { bdf, policy });
    }

    /// One step back; false if there is none.
    pub(crate) fn back(&mut self) -> bool {
        let further = !matches!(self.stage, Stage::Choosing | Stage::Trial);
        if further {
            self.stage = Stage::Choosing;
        }
        further
    }

    /// A letter of a policy, or the end of it.
    pub(crate) fn type_letter(&mut self, letter: char) {
        let fits = letter.is_ascii_alphanumeric() || letter == ':';
        if let Some(typed) = self.typed.as_mut().filter(|typed| fits && typed.len() < TYPED) {
            typed.push(letter);
        }
    }

    pub(crate) fn typed(&mut self) {
        let Some(policy) = self.typed.take().filter(|typed| !typed.is_empty()) else { return };
        self.stage = Stage::Choosing;
        self.chosen = self.choices.iter().position(|choice| *choice == policy).unwrap_or_else(|| {
            self.choices.push(policy);
            self.choices.len() - 1
        });
    }

    /// What came from outside.
    pub(crate) fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Explained { bdf, policy, plan } => {
                if self.stage == Stage::Asking && bdf == self.bdf && policy == self.policy() {
                    self.stage = Stage::Planned(plan);
                }
            }
            // The state shows it.
            Answer::Written(_) => {}
            Answer::Reverted(sentence) => self.stage = Stage::Said(sentence),
            Answer::Trial(told) => self.told(told),
            Answer::NoTrial(why) => self.end(Err(why)),
        }
    }

    fn told(&mut self, told: Told<Box<Summary>>) {
        let Some(trial) = &mut self.trial else { return };
        match told {
            Told::Said { text } => {
                if trial.said.len() == SAID {
                    trial.said.remove(0);
                }
                trial.said.push(text);
            }
            Told::Figures(figures) => trial.figures = Some(*figures),
            Told::Question { text, left_s } => {
                trial.question = Some(format!("{text} Without an answer it is taken back in {left_s} s."));
            }
            Told::Over { report } => self.end(Ok(report)),
        }
    }

    fn end(&mut self, how: Result<Box<Summary>, String>) {
        // What was asked about it has no object any more.
        self.sure = None;
        if let Some(trial) = self.trial.as_mut().filter(|trial| trial.over.is_none()) {
            trial.over = Some(how);
        }
    }
}

/// What to offer to a device that can address so many bits.
fn choices(mask_bits: Option<f64>) -> Vec<String> {
    let reaches = |width: f64| mask_bits.is_none_or(|bits| bits >= width);
    let dac = [40_u8, 48, 36]
        .into_iter()
        .filter(|&width| reaches(width.into()))
        .map(|width| format!("dac:{width}"));
    let cap = [32_u8, 36, 40, 43, 48].into_iter().map(|width| format!("cap:{width}"));
    dac.chain(cap).chain(["stock".to_owned()]).collect()
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
