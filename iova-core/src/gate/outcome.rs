//! What the gate found: the JSON document of `iova gate --format json`.

use super::run::Kind;
use super::stats::Spread;
use crate::metric::{self, Scope, Unit};
use serde::Serialize;

/// Name of the JSON schema.
pub const SCHEMA: &str = "iova.gate";
/// Its version: raised when a name changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The answer, for one check or for all. The worst of several is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not worse than allowed.
    Pass,
    /// These runs cannot tell.
    CannotJudge,
    /// Worse than allowed.
    Regression,
}

/// How a check was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By the Mann-Whitney test, counted out.
    ExactRankTest,
    /// By the Mann-Whitney test, approximately.
    RankTest,
    /// By the effect alone: the figure repeats, so there is no chance to weigh.
    Effect,
    /// Each run of the candidate by itself.
    EveryRun,
    /// Not at all: see the reason.
    NotJudged,
}

/// What a [`Change`] is given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Candidate / baseline.
    Ratio,
    /// Candidate - baseline, in the metric's unit.
    Difference,
}

/// How far the candidate is from the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What all of these are.
    pub scale: Scale,
    /// Hodges-Lehmann estimate.
    pub estimate: f64,
    /// Lower end of its bootstrap interval; `None` where there is nothing to draw from.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Where the rule, or the least effect, draws the line.
    pub limit: f64,
}

/// A run that stands out. It is counted all the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlier {
    /// "baseline" or "candidate".
    pub side: &'static str,
    /// The run.
    pub source: String,
    /// Its value.
    pub value: f64,
}

/// One rule for one device, domain or name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The answer.
    pub verdict: Verdict,
    /// The rule as written.
    pub rule: String,
    /// File and line of the rule; `None` for one that is usual.
    pub place: Option<String>,
    /// What the subject is.
    pub kind: Kind,
    /// BDF, "group 5", or empty.
    pub subject: String,
    /// What the subject is used for; empty if unknown.
    pub role: String,
    /// Full name of the metric.
    pub metric: String,
    /// How it was judged.
    pub how: How,
    /// The baseline's runs.
    pub baseline: Option<Spread>,
    /// The candidate's runs.
    pub candidate: Option<Spread>,
    /// From the one to the other.
    pub change: Option<Change>,
    /// Probability of ranks this bad if the candidate were exactly as bad as allowed.
    pub p: Option<f64>,
    /// The same after Holm's correction over all rank tests of this gate; a regression at alpha or below.
    pub p_adjusted: Option<f64>,
    /// Why it failed or cannot be judged.
    pub reason: Option<String>,
    /// So many runs on each side would do, as far as these can tell.
    pub runs_needed: Option<u64>,
    /// Runs that stand out.
    pub outliers: Vec<Outlier>,
    /// The metric is marked as not exact in some run.
    pub approximate: bool,
    /// What else to know.
    pub notes: Vec<String>,
}

impl Check {
    /// The metric's unit; a plain number for a value that is in no table.
    pub fn unit(&self) -> Unit {
        let scope = match self.kind {
            Kind::Device => Scope::Device,
            Kind::Domain => Scope::Domain,
            Kind::Report => Scope::Report,
            Kind::Values => return Unit::Count,
        };
        metric::find(scope, &self.metric).map_or(Unit::Count, |metric| metric.unit)
    }
}

/// One side.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// Its runs.
    pub runs: Vec<String>,
}

/// Everything the gate says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The answer: a regression if any check is one, else whether all could be judged.
    pub verdict: Verdict,
    /// Why nothing could be judged.
    pub reason: Option<String>,
    /// Share of gates that may raise a false alarm.
    pub alpha: f64,
    /// What a rule allows that says no more than "baseline", where chance plays a part.
    pub min_effect: f64,
    /// Rank tests that the correction is over.
    pub tests: usize,
    /// The baseline; `None` if reports were checked by themselves.
    pub baseline: Option<Side>,
    /// The candidate.
    pub candidate: Side,
    /// Worst first, otherwise in the order of the rules.
    pub checks: Vec<Check>,
    /// What else to know.
    pub notes: Vec<String>,
}

impl Outcome {
    /// How many checks have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    /// So many runs on each side would do for everything, as far as these can tell.
    pub fn runs_needed(&self) -> Option<u64> {
        self.checks.iter().filter_map(|check| check.runs_needed).max()
    }
}
