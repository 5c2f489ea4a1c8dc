//! The outcome of a verification: the JSON document of `iova verify`, and the source of its summary.

use crate::commands::policy::Target;
use iova_core::compat::bridges;
use iova_core::inventory::Device;
use iova_core::kernel::Root;
use iova_core::model::{HostFigures, Unknown};
use iova_core::policy::history::Identity;
use iova_core::policy::verify::{Check, Ladder, StepRecord, Verdict};
use serde::Serialize;

/// Everything about one verification.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct VerifyReport {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) host: HostFigures,
    pub(crate) device: Target,
    /// vendor:device of the device, and of every bridge before it, from the device up.
    pub(crate) path: Vec<String>,
    /// The conditions; empty when it goes on from a journal.
    pub(crate) checks: Vec<Check>,
    pub(crate) ladder: Option<Ladder>,
    pub(crate) work: String,
    pub(crate) steps: Vec<StepRecord>,
    /// `None`: it did not come to an answer.
    pub(crate) answer: Option<Verdict>,
    /// One sentence.
    pub(crate) sentence: String,
    /// Time that the device worked in steps that passed, s.
    pub(crate) worked_s: f64,
    pub(crate) unmeasured: Vec<Unknown>,
    /// What could not be put back, each one sentence.
    pub(crate) problems: Vec<String>,
    /// Where it is all kept.
    pub(crate) journal: Option<String>,
}

/// The device and the bridges before it: what is verified is this path.
fn path(root: &Root, bdf: &str) -> Vec<String> {
    let device = Identity::read(root, bdf).map(|identity| identity.id_text());
    let above = bridges(root, bdf).unwrap_or_default();
    device.into_iter().chain(above.iter().map(ToString::to_string)).collect()
}

impl VerifyReport {
    /// One in which nothing has happened yet.
    pub(super) fn blank(root: &Root, host: &HostFigures, device: &Device) -> Self {
        Self {
            schema: "iova.verify",
            schema_version: 1,
            host: host.clone(),
            device: Target::from(device),
            path: path(root, &device.bdf),
            checks: Vec::new(),
            ladder: None,
            work: String::new(),
            steps: Vec::new(),
            answer: None,
            sentence: String::new(),
            worked_s: 0.0,
            unmeasured: Vec::new(),
            problems: Vec::new(),
            journal: None,
        }
    }
}

/// Time in which steps that passed worked, s.
pub(super) fn worked(steps: &[StepRecord]) -> f64 {
    let ms: u64 = steps.iter().filter(|step| step.passed()).map(|step| step.work.ms).sum();
    ms as f64 / 1000.0
}
