//! The outcome of a trial: the JSON document of `iova policy try`, and the source of its summary.

use super::meter::Phase;
use crate::commands::policy::host::Target;
use iova_core::model::{Command, HostFigures, Unknown};
use iova_core::policy::module::{Effective, Staged, State};
use iova_core::policy::{Cause, Evidence, Policy};
use serde::{Deserialize, Serialize};

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The new policy stays.
    Kept,
    /// The former policy is back.
    Reverted,
    /// The same, and no wider policy is taken any more.
    Quarantined,
}

impl Outcome {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Reverted => "taken back",
            Self::Quarantined => "taken back, in quarantine",
        }
    }
}

/// Everything about one trial.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TrialReport {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) host: HostFigures,
    pub(crate) device: Target,
    pub(crate) former: Policy,
    pub(crate) policy: Policy,
    /// What the module did.
    pub(crate) staged: Staged,
    pub(crate) outcome: Outcome,
    /// What the module calls the end of the lease.
    pub(crate) cause: Cause,
    /// One sentence.
    pub(crate) why: String,
    pub(crate) confirmed_by: Option<String>,
    /// From staging to the end, s.
    pub(crate) lasted_s: f64,
    pub(crate) before: Phase,
    /// From `settled_s` after staging on.
    pub(crate) after: Phase,
    /// The last second that was measured whole.
    pub(crate) last: Phase,
    /// How long the first drains took, s; 0 without `--flush`.
    pub(crate) settled_s: f64,
    pub(crate) flushes: u32,
    pub(crate) evidence: Option<Evidence>,
    /// Other things seen, each one sentence.
    pub(crate) notes: Vec<String>,
    /// What could not be measured, and why.
    pub(crate) unmeasured: Vec<Unknown>,
    pub(crate) command: Option<Command>,
    /// Read back at the end.
    pub(crate) effective: Option<Effective>,
    pub(crate) state: Option<State>,
    /// Still mapped at or above 4 GiB in the device's domain at the end; not known where the tree cannot be read.
    pub(crate) mapped_high_bytes: Option<u64>,
}
