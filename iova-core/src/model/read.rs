//! The JSON of `iova report` as a [`Report`] again.

use super::report::{HostFigures, Report, SCHEMA, SCHEMA_VERSION};
use super::{Command, Device, Domain, Latency, Quality};
use crate::finding::{Finding, IDS, Severity};
use crate::metric;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A word or name out of a table of ours; the alias keeps serde from taking it for a piece of its input.
pub(super) type Word = &'static str;

/// Words that stand in reports where there is a choice: where addresses should go, what the module says, how a fault came, how
/// well a snapshot agrees with itself.
const WORDS: [&str; 13] = [
    "sac-first",
    "full-range",
    "32-bit",
    "idle",
    "active",
    "pending",
    "leased",
    "quarantined",
    "refused",
    "read",
    "write",
    "stable",
    "approximate",
];

/// One of [`WORDS`]; a word of a newer version counts as unknown.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'static str>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| WORDS.into_iter().find(|word| *word == text)))
}

/// Names of metrics, or what several of them begin with.
pub(super) fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static str>, D::Error> {
    let known = |text: &String| {
        metric::all().find_map(|metric| {
            let prefix = metric.name.get(..text.len()).filter(|prefix| *prefix == text)?;
            matches!(metric.name.as_bytes().get(text.len()), None | Some(b'.')).then_some(prefix)
        })
    };
    Ok(Vec::<String>::deserialize(deserializer)?.iter().filter_map(known).collect())
}

#[derive(Deserialize)]
struct File {
    host: HostFigures,
    duration_s: f64,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    interrupted: bool,
    #[serde(default)]
    command: Option<Command>,
    #[serde(default)]
    quality: Quality,
    #[serde(default)]
    findings: Vec<Found>,
    devices: Vec<Device>,
    domains: Vec<Domain>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    severity: Severity,
    device: Option<String>,
    group: Option<u32>,
    text: String,
}

impl Report {
    /// The report that this JSON document is. What never was in the document (the map of the space, latencies per order) is
    /// absent; findings have no evidence. Errors are sentences that end without a full stop and name no file.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        if json["schema"] != SCHEMA {
            return Err(format!("its schema is not {SCHEMA}"));
        }
        if json["schema_version"].as_u64().is_none_or(|version| version > u64::from(SCHEMA_VERSION)) {
            return Err("its schema_version is of another iova: use that, or measure again".to_owned());
        }
        let file =
            File::deserialize(json).map_err(|error| format!("it is not as a report should be: {error}"))?;
        let mut report = Self {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            host: file.host,
            duration_s: file.duration_s,
            profile: file.profile,
            interrupted: file.interrupted,
            command: file.command,
            quality: file.quality,
            findings: file.findings.into_iter().filter_map(finding).collect(),
            devices: file.devices,
            domains: file.domains,
        };
        join(&mut report);
        Ok(report)
    }
}

fn finding(found: Found) -> Option<Finding> {
    let id = IDS.into_iter().find(|id| *id == found.id)?;
    let (device, group) = (found.device, found.group);
    Some(Finding { device, group, ..Finding::new(id, found.severity, found.text) })
}

/// Kernel addresses join devices to their domains in a report, but are not in its JSON; any number does.
fn join(report: &mut Report) {
    for (number, domain) in (1..).zip(&mut report.domains) {
        domain.iovad = number;
    }
    for device in &mut report.devices {
        let domain = report.domains.iter().find(|domain| domain.devices.contains(&device.bdf));
        device.iovad = domain.map(|domain| domain.iovad);
        [&mut device.alloc.latency_ns, &mut device.free.latency_ns].into_iter().for_each(add_up);
    }
}

/// The mean, rounded down, is what the document has of the sum.
fn add_up(latency: &mut Latency) {
    latency.sum = latency.samples.zip(latency.mean).map(|(samples, mean)| samples.saturating_mul(mean));
}
