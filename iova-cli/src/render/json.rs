//! JSON: the names of architecture and metric table, two spaces of indent.

use super::Render;
use super::clean::is_hostile;
use crate::commands::advise::{AdviceList, DistroAdvice, FleetAdvice};
use crate::commands::compat::ListCheck;
use crate::commands::devices::DeviceList;
use crate::commands::doctor::Survey;
use crate::commands::policy::{Changes, Explanation, PolicyList, PolicyLog, TrialReport};
use crate::commands::verify::{BootTrial, VerifyReport};
use crate::exit::Stop;
use iova_core::compat::merge::Merged;
use iova_core::model::Report;
use serde::Serialize;

/// The JSON face.
pub(crate) struct Json;

impl Render for Json {
    fn report(&self, report: &Report) -> Result<String, Stop> {
        document(report)
    }

    fn devices(&self, list: &DeviceList) -> Result<String, Stop> {
        document(list)
    }

    fn doctor(&self, survey: &Survey) -> Result<String, Stop> {
        document(survey)
    }

    fn advice(&self, list: &AdviceList) -> Result<String, Stop> {
        document(list)
    }

    fn fleet(&self, advice: &FleetAdvice) -> Result<String, Stop> {
        document(advice)
    }

    fn distro(&self, advice: &DistroAdvice) -> Result<String, Stop> {
        document(advice)
    }

    fn policies(&self, list: &PolicyList) -> Result<String, Stop> {
        document(list)
    }

    fn explanation(&self, explanation: &Explanation) -> Result<String, Stop> {
        document(explanation)
    }

    fn trial(&self, report: &TrialReport) -> Result<String, Stop> {
        document(report)
    }

    fn policy_log(&self, log: &PolicyLog) -> Result<String, Stop> {
        document(log)
    }

    fn list_check(&self, check: &ListCheck) -> Result<String, Stop> {
        document(check)
    }

    fn merged(&self, merged: &Merged) -> Result<String, Stop> {
        document(merged)
    }

    fn changes(&self, changes: &Changes) -> Result<String, Stop> {
        document(changes)
    }

    fn verification(&self, report: &VerifyReport) -> Result<String, Stop> {
        document(report)
    }

    fn boot_trial(&self, trial: &BootTrial) -> Result<String, Stop> {
        document(trial)
    }
}

/// Pretty-printed, ended by a newline. serde_json escapes C0 controls only; what else could reach a terminal (DEL, C1,
/// bidirectional overrides) is escaped here. Such characters only occur inside strings.
pub(super) fn document(value: &impl Serialize) -> Result<String, Stop> {
    let json = serde_json::to_string_pretty(value).map_err(Stop::internal)?;
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if c != '\n' && is_hostile(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_escaped_and_the_value_survives() {
        let hostile = "\x1b[2J\u{9b}31m\u{7f}\u{202e}\u{e0001}\nü";
        let json = document(&hostile).unwrap();
        assert!(json.trim_end().chars().all(|c| !is_hostile(c)), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }
}
