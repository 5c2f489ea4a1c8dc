//! What to set on a host, where to write it down, what it should bring, and how sure that is: from one report.
//!
//! Findings say what is wrong; advice says what to change, as one setting at a time, with the expected gain as an interval
//! over a metric of the table. A host on which nothing needs changing gets exactly that as its advice. [`fleet`] and [`distro`] look
//! at files of many hosts ([`evidence`]).

pub mod distro;
pub mod evidence;
pub mod fleet;
mod gain;
pub mod place;
mod rules;
mod setting;

pub use gain::Gain;
pub use setting::Setting;

use crate::model::Report;
use serde::Serialize;

/// How sure a piece of advice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sureness {
    /// The cause is measured, and the setting removes it whatever else is true.
    High,
    /// The cause is measured; what the setting brings depends on something that this host has not shown yet.
    Medium,
    /// Worth a trial, no more.
    Low,
}

impl Sureness {
    /// The word in JSON and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// One thing to set, or to leave as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// Stable name.
    pub id: &'static str,
    /// BDF of the device it is for.
    pub device: Option<String>,
    /// Vendor and device of that device, "8086:1533"; `None` for what is no PCI device.
    pub kind: Option<String>,
    /// What people call that device.
    pub name: Option<String>,
    /// What to set.
    pub setting: Setting,
    /// What is wrong and why this helps, with figures.
    pub text: String,
    /// Findings of the report that it rests on.
    pub findings: Vec<&'static str>,
    /// What it should bring; `None` where these figures can't tell.
    pub gain: Option<Gain>,
    /// Commands to try it at once, in their order. They are gone at the next boot.
    pub now: Vec<String>,
    /// What it may break; `None` if nothing.
    pub risk: Option<String>,
    /// How to take it back.
    pub revert: String,
    /// How sure it is.
    pub sure: Sureness,
    /// Why no surer, or why so sure.
    pub why: String,
}

/// All that a report gives cause for, best first; never empty.
pub fn advise(report: &Report) -> Vec<Advice> {
    let mut list = rules::all(report);
    list.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    if list.is_empty() {
        list.push(rules::nothing(report));
    }
    list
}

impl Advice {
    /// What decides the order: surer advice first, then what saves more.
    fn weight(&self) -> f64 {
        let grade = match self.sure {
            Sureness::High => 2.0,
            Sureness::Medium => 1.0,
            Sureness::Low => 0.0,
        };
        grade + self.gain.as_ref().map_or(0.0, Gain::share)
    }
}

#[cfg(test)]
mod tests;
