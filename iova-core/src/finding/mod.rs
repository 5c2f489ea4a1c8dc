//! Small linters over a report: what is wrong, the evidence, what to do, and what that risks.
//!
//! Each linter looks for one thing and says it in one sentence; thresholds are in [`thresholds`]. The model is the
//! linters of tokio-console: many small checks, each with its own text, none that knows another.

mod cache;
mod fault;
mod host;
mod queue;
mod range;
mod sac;
mod space;
pub mod thresholds;

pub(crate) use sac::{dac_width, limited_disk};

use crate::metric::{self, Scope};
use crate::model::{Device, Domain, Report};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The finding of a host on which no device uses the allocator: nothing can be found there.
pub const NOTHING_MEASURED: &str = "no-iova-allocation";

/// The name of every finding.
pub(crate) const IDS: [&str; 19] = [
    "alloc-failures",
    "cache-flushes",
    "cache-holds-space",
    "confined-32-bit",
    "dma-faults",
    "fell-back-64-bit",
    "flush-queue-holds-space",
    "hotplug",
    "idle",
    "lock-contention",
    "long-flush-timer",
    "low-space-cliff",
    "low-space-fragmented",
    "low-space-nearly-full",
    NOTHING_MEASURED,
    "sac-failures",
    "slow-path",
    "uncached-sizes",
    "wrong-size-cached",
];

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; nothing is wrong.
    Note,
    /// Works, but has a cost or a limit that somebody should know.
    Info,
    /// Costs performance now, or is about to.
    Warning,
    /// I/O fails, or the CPU time goes into the allocator.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 4] = [Self::Note, Self::Info, Self::Warning, Self::Critical];

    /// The word in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One named figure that supports a finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact {
    /// What the metric is measured of.
    pub scope: Scope,
    /// Name of the metric.
    pub metric: &'static str,
    /// Its value.
    pub value: f64,
}

impl Fact {
    /// The value with its unit, for people.
    pub fn render(&self) -> String {
        metric::render(self.scope, self.metric, Some(self.value))
    }
}

/// Named figures; in JSON an object of metric names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence(pub Vec<Fact>);

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for fact in &self.0 {
            map.serialize_entry(fact.metric, &fact.value)?;
        }
        map.end()
    }
}

/// Something worth saying.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Finding {
    /// Stable name.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// BDF of the device it is about.
    pub device: Option<String>,
    /// IOMMU group it is about.
    pub group: Option<u32>,
    /// One plain sentence, with figures.
    pub text: String,
    /// The figures behind it.
    pub evidence: Evidence,
    /// The next step.
    pub action: String,
    /// What the next step may break; `None` if nothing.
    pub risk: Option<String>,
}

impl Finding {
    pub(crate) fn new(id: &'static str, severity: Severity, text: impl Into<String>) -> Self {
        debug_assert!(IDS.contains(&id), "{id} is not among the names");
        Self {
            id,
            severity,
            device: None,
            group: None,
            text: text.into(),
            evidence: Evidence::default(),
            action: String::new(),
            risk: None,
        }
    }

    fn device(mut self, device: &Device) -> Self {
        self.device = Some(device.bdf.clone());
        self.group = device.group;
        self
    }

    fn domain(mut self, domain: &Domain) -> Self {
        self.group = domain.group;
        // A domain of one device is that device's affair.
        if let [only] = domain.devices.as_slice() {
            self.device = Some(only.clone());
        }
        self
    }

    fn device_facts(mut self, device: &Device, metrics: &[&'static str]) -> Self {
        self.add_facts(Scope::Device, metrics, |metric| metric.of_device(device));
        self
    }

    fn domain_facts(mut self, domain: &Domain, metrics: &[&'static str]) -> Self {
        self.add_facts(Scope::Domain, metrics, |metric| metric.of_domain(domain));
        self
    }

    fn add_facts(
        &mut self,
        scope: Scope,
        names: &[&'static str],
        value: impl Fn(&metric::Metric) -> Option<f64>,
    ) {
        for &name in names {
            let found = metric::find(scope, name).and_then(&value);
            if let Some(value) = found {
                self.evidence.0.push(Fact { scope, metric: name, value });
            }
        }
    }

    fn action(mut self, action: impl Into<String>) -> Self {
        self.action = action.into();
        self
    }

    fn risk(mut self, risk: impl Into<String>) -> Self {
        self.risk = Some(risk.into());
        self
    }
}

/// One check.
pub trait Lint: Sync {
    /// Appends what it finds.
    fn check(&self, report: &Report, out: &mut Vec<Finding>);
}

/// A check of one device at a time.
struct PerDevice(fn(&Report, &Device) -> Option<Finding>);

impl Lint for PerDevice {
    fn check(&self, report: &Report, out: &mut Vec<Finding>) {
        out.extend(report.devices.iter().filter_map(|device| self.0(report, device)));
    }
}

/// A check of one domain at a time.
struct PerDomain(fn(&Report, &Domain) -> Option<Finding>);

impl Lint for PerDomain {
    fn check(&self, report: &Report, out: &mut Vec<Finding>) {
        out.extend(report.domains.iter().filter_map(|domain| self.0(report, domain)));
    }
}

/// A check of the whole report.
struct Whole(fn(&Report) -> Option<Finding>);

impl Lint for Whole {
    fn check(&self, report: &Report, out: &mut Vec<Finding>) {
        out.extend(self.0(report));
    }
}

/// All checks. Findings of the same severity keep this order: first what fails, then what costs, then what is.
const LINTS: &[&dyn Lint] = &[
    &PerDevice(fault::faults),
    &PerDevice(fault::failed),
    &PerDevice(sac::cliff),
    &PerDevice(sac::failures),
    &PerDevice(range::fell_back),
    &PerDomain(space::nearly_full),
    &PerDomain(space::fragmented),
    &PerDomain(cache::holds_space),
    &PerDomain(cache::wrong_size),
    &PerDomain(queue::holds_space),
    &PerDevice(cache::slow_path),
    &PerDevice(cache::uncached_sizes),
    &PerDevice(cache::flushes),
    &PerDomain(queue::lock_contention),
    &PerDomain(queue::long_timer),
    &PerDevice(range::confined),
    &PerDevice(host::replugged),
    &Whole(host::nothing_allocated),
];

/// Runs all checks; worst first.
pub fn check(report: &Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    for lint in LINTS {
        lint.check(report, &mut findings);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

#[cfg(test)]
mod tests;
