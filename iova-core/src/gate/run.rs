//! What one measurement said.

use crate::metric::{self, Get, Scope};
use crate::model::{self, Report, Unknown};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Schema of plain named numbers that were measured elsewhere.
pub const VALUES_SCHEMA: &str = "iova.values";
/// Its version.
const VALUES_VERSION: u64 = 1;
/// More runs than anybody makes: what a list of values may hold.
const MOST: usize = 10_000;

/// What a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A device of a report.
    Device,
    /// An IOVA domain of a report.
    Domain,
    /// A report as a whole.
    Report,
    /// A number with a name, from a document of the schema [`VALUES_SCHEMA`].
    Values,
}

/// One device, domain, report or set of values of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
    /// What it is called in every run: the BDF, "group 5", or nothing.
    pub key: String,
    /// What it is used for: functions or driver; empty if unknown.
    pub role: String,
    /// Everything a pattern may match: BDF with and without segment, name, driver, functions.
    pub words: Vec<String>,
    /// Value by metric; what is unknown is absent.
    pub values: BTreeMap<Cow<'static, str>, f64>,
    /// Metrics, or their common prefix, that are not exact.
    pub approximate: Vec<String>,
}

/// What has to be alike for figures to be comparable; what is unknown is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunHost {
    /// Host name.
    pub name: String,
    /// `uname -r`.
    pub kernel: String,
    /// Architecture.
    pub arch: String,
    /// IOMMUs.
    pub iommu: String,
    /// Default domain type.
    pub domain_type: String,
    /// Online CPUs.
    pub cpus: String,
    /// Profile of the probes.
    pub profile: String,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Where it comes from, for people.
    pub source: String,
    /// The machine; `None` for plain values.
    pub host: Option<RunHost>,
    /// Its values repeat: a second run would give the same.
    pub exact: bool,
    /// A signal ended it early.
    pub interrupted: bool,
    /// The measured command did not end with exit code 0.
    pub failed: bool,
    /// What it is of.
    pub subjects: Vec<Subject>,
    /// Why metrics have no value.
    pub unknown: Vec<Unknown>,
}

impl Run {
    /// A run out of a report.
    pub fn from_report(report: &Report, source: &str) -> Result<Self, String> {
        let json = serde_json::to_value(report).map_err(|error| error.to_string())?;
        report_of(&json, source)
    }

    /// The runs in a JSON document: one of a report, one or more of values. Errors are sentences that end without a
    /// full stop and name no file.
    pub fn from_json(json: &Value, source: &str) -> Result<Vec<Self>, String> {
        let version = json["schema_version"].as_u64();
        let newest = |newest: u64| match version {
            Some(version) if version > newest => {
                Err(format!("schema_version {version} is of a newer iova: use that, or measure again"))
            }
            _ => Ok(()),
        };
        match json["schema"].as_str() {
            Some(model::SCHEMA) => {
                newest(model::SCHEMA_VERSION.into())?;
                Ok(vec![report_of(json, source)?])
            }
            Some(VALUES_SCHEMA) => {
                newest(VALUES_VERSION)?;
                values_of(json, source)
            }
            Some(other) => Err(format!(
                "its schema is '{}': use the output of iova report --format json ({}), or values ({VALUES_SCHEMA})",
                other.chars().take(40).collect::<String>(),
                model::SCHEMA
            )),
            None => Err("it has no \"schema\": use the output of iova report --format json".to_owned()),
        }
    }

    /// The subject of this kind and name.
    pub fn subject(&self, kind: Kind, key: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.kind == kind && subject.key == key)
    }

    /// Why `metric` has no value, if the run says that.
    pub fn why_unknown(&self, metric: &str) -> Option<&str> {
        let about = |unknown: &&Unknown| is_under(metric, &unknown.metric);
        self.unknown.iter().find(about).map(|unknown| unknown.why.as_str())
    }
}

impl Subject {
    /// True if `metric` is marked as not exact.
    pub fn is_approximate(&self, metric: &str) -> bool {
        self.approximate.iter().any(|prefix| is_under(metric, prefix))
    }

    /// True for a device that did something.
    pub fn active(&self) -> bool {
        let some = |metric: &str| self.values.get(metric).is_some_and(|&value| value > 0.0);
        ["alloc.count", "free.count", "faults.count"].into_iter().any(some)
    }
}

fn is_under(metric: &str, prefix: &str) -> bool {
    metric.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn report_of(json: &Value, source: &str) -> Result<Run, String> {
    let list = |name: &str| json[name].as_array().ok_or_else(|| format!("its \"{name}\" is no list"));
    let mut subjects = vec![subject(Kind::Report, json, String::new(), String::new(), Vec::new())];
    subjects.extend(list("devices")?.iter().map(device));
    subjects.extend(list("domains")?.iter().map(domain));
    let unknown = json.pointer("/quality/unknown").cloned().unwrap_or_default();
    Ok(Run {
        source: source.to_owned(),
        host: Some(host(json)),
        exact: false,
        interrupted: json["interrupted"].as_bool().unwrap_or(false),
        failed: json["command"].is_object() && json["command"]["exit_code"].as_i64() != Some(0),
        subjects,
        unknown: serde_json::from_value(unknown).unwrap_or_default(),
    })
}

fn host(json: &Value) -> RunHost {
    let of = |pointer: &str| text(json.pointer(pointer).unwrap_or(&Value::Null));
    RunHost {
        name: of("/host/name"),
        kernel: of("/host/kernel"),
        arch: of("/host/arch"),
        iommu: of("/host/iommu"),
        domain_type: of("/host/domain_type"),
        cpus: of("/host/cpus"),
        profile: of("/profile"),
    }
}

fn device(json: &Value) -> Subject {
    let bdf = text(&json["bdf"]);
    let functions = texts(&json["functions"]);
    let driver = text(&json["driver"]);
    let role = if functions.is_empty() { driver.clone() } else { functions.join(",") };
    let mut words = vec![bdf.clone(), text(&json["name"]), driver];
    words.extend(bdf.strip_prefix("0000:").map(str::to_owned));
    words.extend(functions);
    subject(Kind::Device, json, bdf, role, words)
}

fn domain(json: &Value) -> Subject {
    let group = text(&json["group"]);
    let key = format!("group {}", if group.is_empty() { "unknown" } else { &group });
    let devices = texts(&json["devices"]);
    let role = devices.join(",");
    let mut words = vec![key.clone()];
    words.extend(devices.iter().filter_map(|bdf| bdf.strip_prefix("0000:")).map(str::to_owned));
    words.extend(devices);
    subject(Kind::Domain, json, key, role, words)
}

fn subject(kind: Kind, json: &Value, key: String, role: String, words: Vec<String>) -> Subject {
    let scope = match kind {
        Kind::Device => Scope::Device,
        Kind::Domain => Scope::Domain,
        Kind::Report | Kind::Values => Scope::Report,
    };
    let single =
        metric::all().filter(|metric| metric.scope() == scope && !matches!(metric.get, Get::List(_)));
    let value = |name: &'static str| {
        let found = name.split('.').try_fold(json, |at, step| at.get(step));
        Some((Cow::Borrowed(name), found?.as_f64()?))
    };
    let values = single.filter_map(|metric| value(metric.name)).collect();
    Subject { kind, key, role, words, values, approximate: texts(&json["approximate"]) }
}

/// A list is one run per entry; a single number is of the first.
fn values_of(json: &Value, source: &str) -> Result<Vec<Run>, String> {
    let values = json["values"].as_object().ok_or("its \"values\" is no table of names and numbers")?;
    let mut runs = 1;
    for (name, value) in values {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "<>=!".contains(c)) {
            return Err(format!(
                "its value '{name}' has a name that no rule can name: use letters, digits, . and _"
            ));
        }
        let numbers = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        if numbers.is_empty() || numbers.len() > MOST || !numbers.iter().all(Value::is_number) {
            return Err(format!("its value '{name}' is neither a number nor a list of 1 to {MOST} numbers"));
        }
        runs = runs.max(numbers.len());
    }
    let of_run = |run: usize| -> BTreeMap<Cow<'static, str>, f64> {
        let at = |value: &Value| {
            let entry = value.as_array().map_or_else(|| (run == 0).then_some(value), |list| list.get(run));
            entry.and_then(Value::as_f64)
        };
        values.iter().filter_map(|(name, value)| Some((Cow::Owned(name.clone()), at(value)?))).collect()
    };
    let one = |run: usize| Run {
        source: if runs == 1 { source.to_owned() } else { format!("{source} [{}]", run + 1) },
        host: None,
        exact: json["exact"].as_bool().unwrap_or(false),
        interrupted: false,
        failed: false,
        subjects: vec![Subject {
            kind: Kind::Values,
            key: String::new(),
            role: String::new(),
            words: Vec::new(),
            values: of_run(run),
            approximate: Vec::new(),
        }],
        unknown: Vec::new(),
    };
    Ok((0..runs).map(one).collect())
}

/// A string, or a number as one; empty for anything else.
fn text(json: &Value) -> String {
    match json {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn texts(json: &Value) -> Vec<String> {
    json.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default()
}
