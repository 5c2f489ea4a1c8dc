//! Many hosts' reports to proposals for the list: what `iova compat merge` does.
//!
//! The rules, each in its place:
//!
//! - one id is one host, however many reports carry it, and a device counts once per host ([`evidence`]);
//! - evidence holds for the device on its path: every bridge from the device to the root;
//! - an ok needs [`HOSTS`] hosts whose `iova verify` walked that path with the same revision of the device, and no
//!   report to the contrary. Its width is what the three best of them have all verified. Normal use widens nothing;
//! - one credible corruption is a cap, at the bits that are known to come through ([`limit`]);
//! - what the list says already is not proposed again, and what contradicts it is named ([`listed`]).
//!
//! The outcome depends on the set of reports and on the list, not on the order or the names of files.

mod draft;
mod evidence;
mod limit;
mod listed;
mod rules;

pub use evidence::{HostWidth, Support};
pub use limit::Limit;

use serde::Serialize;

use super::complaint::Complaint;
use super::list::List;
use super::report::{CompatReport, PciId, ReportId};
use super::words::Verdict;

/// Independent hosts that an ok needs.
pub const HOSTS: usize = 3;

/// What all reports come to: the JSON document of `iova compat merge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// `iova.compat.merge`.
    pub schema: &'static str,
    /// Version of it.
    pub schema_version: u32,
    /// Reports read.
    pub reports: usize,
    /// Hosts they are of.
    pub hosts: usize,
    /// Hosts with several reports: each counts once.
    pub repeated: Vec<Repeated>,
    /// Every device on every path that was reported, by device and path.
    pub devices: Vec<Row>,
}

/// A host with several reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// Its id.
    pub id: ReportId,
    /// How many.
    pub reports: usize,
}

/// One kind of device on one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Vendor and device.
    pub device: PciId,
    /// The bridges above, from the one it is plugged into to the root.
    pub path: Vec<PciId>,
    /// Hosts that have it.
    pub hosts: usize,
    /// What hosts have verified, the widest first.
    pub verified: Vec<HostWidth>,
    /// What speaks against a width, the narrowest first.
    pub limits: Vec<Limit>,
    /// What was seen in normal use, which widens nothing.
    pub support: Support,
    /// What follows.
    pub outcome: Outcome,
    /// What contradicts the list, each one sentence.
    pub contradictions: Vec<String>,
}

/// What follows from a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// A record for the list.
    Proposed(Proposal),
    /// None.
    None {
        /// Why, half a sentence.
        reason: String,
    },
}

/// A record for the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// Its file's name.
    pub file: String,
    /// Cap or ok.
    pub verdict: Verdict,
    /// Bits.
    pub width: u8,
    /// The file.
    pub toml: String,
}

impl Merged {
    /// What `reports` come to, beside `list`.
    ///
    /// # Errors
    /// Complaints of the linter about a proposal, which would be a mistake in here.
    pub fn new(reports: &[CompatReport], list: &List) -> Result<Self, Vec<Complaint>> {
        let evidence = evidence::gather(reports);
        let counts = evidence::hosts(reports);
        let repeated = counts.iter().filter(|&(_, &reports)| reports > 1);
        let merged = Self {
            schema: "iova.compat.merge",
            schema_version: 1,
            reports: reports.len(),
            hosts: counts.len(),
            repeated: repeated.map(|(&id, &reports)| Repeated { id, reports }).collect(),
            devices: rules::rows(evidence, list),
        };
        draft::lint(&merged)?;
        Ok(merged)
    }

    /// The records that are proposed.
    pub fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.devices.iter().filter_map(|row| match &row.outcome {
            Outcome::Proposed(proposal) => Some(proposal),
            Outcome::None { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests;
