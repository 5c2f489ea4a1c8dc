//! What advice for many hosts rests on: files of hosts, each read as what its schema says it is.

use crate::compat::report::{self, CompatReport, PciId};
use crate::model::{self, HostFigures, Report};
use crate::policy::verify::{StepRecord, Verdict};
use serde::Deserialize;
use serde_json::Value;

/// Schema of the document of `iova verify`.
const VERIFY_SCHEMA: &str = "iova.verify";
/// Its version.
const VERIFY_VERSION: u64 = 1;

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The file.
    pub source: String,
    /// What it says.
    pub what: What,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A measurement: a recording, or `iova report --format json`.
    Report(Box<Report>),
    /// `iova report --compat`.
    Compat(Box<CompatReport>),
    /// `iova verify --format json`.
    Verification(Box<Verification>),
}

/// One run of `iova verify`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Verification {
    /// The machine.
    pub host: HostFigures,
    /// vendor:device of the device, and of every bridge before it, from the device up.
    pub path: Vec<String>,
    /// What was tried.
    pub steps: Vec<StepRecord>,
    /// What it came to; `None`: it was ended before.
    pub answer: Option<Verdict>,
    /// Bits that the device is known to keep, from whoever built or measured it by other means.
    #[serde(skip)]
    pub known_bits: Option<u8>,
}

impl Verification {
    /// vendor:device.
    pub fn kind(&self) -> &str {
        self.path.first().map_or("unknown", String::as_str)
    }
}

impl Evidence {
    /// A recording that was replayed.
    pub fn measured(report: Report, source: &str) -> Self {
        Self { source: source.to_owned(), what: What::Report(Box::new(report)) }
    }

    /// A JSON document, told by its schema. Errors are sentences that end without a full stop and name no file.
    pub fn parse(bytes: &[u8], source: &str) -> Result<Self, String> {
        let json: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON ({error})"))?;
        let what = match json["schema"].as_str() {
            Some(model::SCHEMA) => What::Report(Box::new(Report::from_json(&json)?)),
            Some(report::SCHEMA) => {
                What::Compat(Box::new(CompatReport::parse(bytes).map_err(|error| error.to_string())?))
            }
            Some(VERIFY_SCHEMA) => What::Verification(Box::new(verification(&json)?)),
            _ => {
                return Err(format!(
                    "it is none of what counts as evidence: a recording, or JSON of iova report ({}), iova report --compat ({}) \
                     or iova verify ({VERIFY_SCHEMA})",
                    model::SCHEMA,
                    report::SCHEMA
                ));
            }
        };
        Ok(Self { source: source.to_owned(), what })
    }

    /// What stands for the host: its name, or what a compatibility report has in its place.
    pub fn host(&self) -> String {
        match &self.what {
            What::Report(report) => report.host.name.clone(),
            What::Compat(report) => report.id.to_string(),
            What::Verification(verification) => verification.host.name.clone(),
        }
    }
}

fn verification(json: &Value) -> Result<Verification, String> {
    if json["schema_version"].as_u64() != Some(VERIFY_VERSION) {
        return Err("its schema_version is of another iova: use that, or verify again".to_owned());
    }
    Verification::deserialize(json).map_err(|error| format!("it is not as a verification should be: {error}"))
}

/// Vendor and device of "8086:1533".
pub(super) fn ids(kind: &str) -> Option<(u16, u16)> {
    let PciId(vendor, device) = kind.parse().ok()?;
    Some((vendor, device))
}
