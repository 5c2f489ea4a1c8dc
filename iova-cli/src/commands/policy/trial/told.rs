//! What a trial tells the program that shows it (`--attended`): a line of JSON for each thing that happens.

use super::document::Outcome;
use super::meter::Phase;
use super::screen::View;
use iova_core::policy::Policy;
use serde::{Deserialize, Serialize};

/// One line. `R` is the report at the end: written whole, read as a [`Summary`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Told<R> {
    /// One sentence.
    Said {
        text: String,
    },
    /// Once a second.
    Figures(Box<Figures>),
    /// The time is over, and an answer is wanted.
    Question {
        text: String,
        left_s: u64,
    },
    Over {
        report: R,
    },
}

/// The trial at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) policy: String,
    pub(crate) elapsed_s: u64,
    pub(crate) left_s: Option<u64>,
    pub(crate) flushes: Option<u32>,
    pub(crate) before: Phase,
    pub(crate) since: Phase,
    /// The last second.
    pub(crate) last: Phase,
}

/// What a program needs to know of the report of `iova policy try`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Summary {
    pub(crate) outcome: Outcome,
    pub(crate) why: String,
    pub(crate) before: Phase,
    pub(crate) after: Phase,
    pub(crate) mapped_high_bytes: Option<u64>,
}

impl From<&View<'_>> for Figures {
    fn from(view: &View<'_>) -> Self {
        Self {
            policy: view.policy.to_string(),
            elapsed_s: view.elapsed.as_secs(),
            left_s: view.left.map(|left| left.as_secs()),
            flushes: view.flushes,
            before: view.before.brief(),
            since: view.after.brief(),
            last: view.last.brief(),
        }
    }
}

/// The question at the end.
pub(super) fn question(policy: Policy, bdf: &str) -> String {
    format!("Keep {policy} for {bdf}?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let figures = Figures {
            policy: "dac:40".into(),
            elapsed_s: 6,
            left_s: Some(594),
            flushes: Some(2),
            before: Phase { duration_s: 3.0, ..Phase::default() },
            since: Phase::default(),
            last: Phase::default(),
        };
        let told: Told<()> = Told::Figures(Box::new(figures));
        let line = serde_json::to_string(&told).unwrap();
        // A pipe takes that much at once, or nothing.
        assert!(line.len() < libc::PIPE_BUF, "{} bytes", line.len());
        assert_eq!(serde_json::from_str::<Told<()>>(&line).unwrap(), told);
        let said = r#"{"event":"said","text":"x"}"#;
        assert_eq!(serde_json::from_str::<Told<()>>(said).unwrap(), Told::Said { text: "x".into() });
    }
}
