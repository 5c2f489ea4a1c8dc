//! The faces: how a result is written. Each format is one implementation of [`Render`].

pub(crate) mod bar;
mod clean;
mod gate;
pub(crate) mod html;
pub(crate) mod items;
mod json;
pub(crate) mod low_map;
pub(crate) mod phase;
mod text;
pub(crate) mod when;

pub(crate) use clean::clean;
pub(crate) use gate::gate;
pub(crate) use json::Json;
pub(crate) use text::{Text, step_line};

use crate::args::Format;
use crate::commands::advise::{AdviceList, DistroAdvice, FleetAdvice};
use crate::commands::compat::ListCheck;
use crate::commands::devices::DeviceList;
use crate::commands::doctor::Survey;
use crate::commands::policy::{Changes, Explanation, PolicyList, PolicyLog, TrialReport};
use crate::commands::verify::{BootTrial, VerifyReport};
use crate::exit::Stop;
use crate::term::Term;
use iova_core::compat::merge::Merged;
use iova_core::model::Report;

/// A format.
pub(crate) trait Render {
    /// `iova report`.
    fn report(&self, report: &Report) -> Result<String, Stop>;
    /// `iova devices`.
    fn devices(&self, list: &DeviceList) -> Result<String, Stop>;
    /// `iova doctor`.
    fn doctor(&self, survey: &Survey) -> Result<String, Stop>;
    /// `iova advise`.
    fn advice(&self, list: &AdviceList) -> Result<String, Stop>;
    /// `iova advise --for fleet`.
    fn fleet(&self, advice: &FleetAdvice) -> Result<String, Stop>;
    /// `iova advise --for distro`.
    fn distro(&self, advice: &DistroAdvice) -> Result<String, Stop>;
    /// `iova policy show`.
    fn policies(&self, list: &PolicyList) -> Result<String, Stop>;
    /// `iova policy explain`.
    fn explanation(&self, explanation: &Explanation) -> Result<String, Stop>;
    /// `iova policy try`.
    fn trial(&self, report: &TrialReport) -> Result<String, Stop>;
    /// `iova policy log`.
    fn policy_log(&self, log: &PolicyLog) -> Result<String, Stop>;
    /// `iova compat check`.
    fn list_check(&self, check: &ListCheck) -> Result<String, Stop>;
    /// `iova compat merge`.
    fn merged(&self, merged: &Merged) -> Result<String, Stop>;
    /// All other commands of `iova policy`.
    fn changes(&self, changes: &Changes) -> Result<String, Stop>;
    /// `iova verify`.
    fn verification(&self, report: &VerifyReport) -> Result<String, Stop>;
    /// `iova verify --boot`.
    fn boot_trial(&self, trial: &BootTrial) -> Result<String, Stop>;
}

/// The renderer of `format`.
pub(crate) fn renderer(format: Format, term: Term) -> Box<dyn Render> {
    match format {
        Format::Text => Box::new(Text::new(term)),
        Format::Json => Box::new(Json),
    }
}

#[cfg(test)]
mod boot_trial_tests;
#[cfg(test)]
mod compat_tests;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verify_tests;
