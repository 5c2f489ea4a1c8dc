//! What is added up since the start, and how it is told.

use super::choice::Choice;
use super::family::{self, Kind};
use super::totals::Totals;
use super::{Exposed, Family, Label, Series, Value};
use crate::finding::Finding;
use crate::inventory::DomainType;
use crate::metric::{Metric, Scope};
use crate::model::{Device, Domain, HostFigures, OrderCount, Presence, Report, Step, type_name};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A device that is no longer seen keeps its series for so long, for the last scrape.
const KEPT: Duration = Duration::from_secs(300);
/// Reasons why something is unknown: more are a fault of ours, and no reason to flood a monitoring system.
const REASONS: usize = 64;
/// Longest label value, in characters: names come from devices, reasons from errors.
const LONGEST: usize = 200;
/// The series of all who have none of their own.
const OTHER: &str = "other";
/// What a single interval can't have, because its start has no snapshot: taken from the last ten to twenty seconds.
const OF_LATELY: &str = "low_space.peak_used_bytes";

/// One device's own series.
#[derive(Debug, Default)]
struct Row {
    totals: Totals,
    labels: Arc<[Label]>,
    seen: u64,
}

/// What the exporter says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its version.
    pub version: String,
    /// What each of its processes kept.
    pub privileges: Vec<Privileges>,
    /// What it can't measure, beside what the report says: metric and reason.
    pub unknown: Vec<(String, String)>,
}

/// What a process of the exporter may still do.
#[derive(Clone, Debug)]
pub struct Privileges {
    /// "reader" or "server".
    pub process: &'static str,
    /// Capabilities that it kept ("none").
    pub capabilities: String,
    /// Why it kept them.
    pub reason: String,
}

/// Everything since the start of the exporter.
#[derive(Debug)]
pub struct State {
    about: About,
    choice: Choice,
    devices: BTreeMap<String, Row>,
    other: Option<Totals>,
    domains: BTreeMap<u32, Totals>,
    report: Totals,
    approximate: BTreeMap<&'static str, u64>,
    intervals: u64,
    seconds: f64,
    unix_s: f64,
    last: Option<Step>,
}

impl State {
    /// Gives at most `top` devices series of their own.
    pub fn new(top: usize, about: About) -> Self {
        Self {
            about,
            choice: Choice::new(top),
            devices: BTreeMap::new(),
            other: None,
            domains: BTreeMap::new(),
            report: Totals::default(),
            approximate: BTreeMap::new(),
            intervals: 0,
            seconds: 0.0,
            unix_s: 0.0,
            last: None,
        }
    }

    /// Takes the next interval, read at `unix_s` (s since 1970).
    pub fn absorb(&mut self, step: Step, unix_s: f64) {
        let report = &step.interval;
        let candidates = report.devices.iter().filter(|device| device.active() || translated(device));
        let own = candidates.clone().filter(|device| device.presence != Presence::Other);
        let calls = |device: &Device| device.alloc.count + device.free.count.unwrap_or(0);
        self.choice.update(step.ns, own.map(|device| (device.bdf.as_str(), calls(device))));
        for device in candidates {
            if self.choice.is_shown(&device.bdf) {
                let row = self.devices.entry(device.bdf.clone()).or_default();
                (row.labels, row.seen) = (labels(device), step.ns);
                row.totals.add_device(device);
            } else {
                self.other.get_or_insert_default().add_device(device);
            }
        }
        for domain in &report.domains {
            if let Some(group) = domain.group {
                self.domains.entry(group).or_default().add_domain(domain);
            }
        }
        self.report.add_report(report);
        self.note_approximate(report);
        let long_ago = |seen: u64| Duration::from_nanos(step.ns.saturating_sub(seen)) >= KEPT;
        self.devices.retain(|_, row| !long_ago(row.seen));
        let groups: BTreeSet<u32> = report.domains.iter().filter_map(|domain| domain.group).collect();
        self.domains.retain(|group, _| groups.contains(group));
        self.intervals += 1;
        self.seconds += report.duration_s;
        self.unix_s = unix_s;
        self.last = Some(step);
    }

    fn note_approximate(&mut self, report: &Report) {
        let prefixes = report.devices.iter().flat_map(|device| device.approximate.iter().copied());
        for prefix in prefixes.collect::<BTreeSet<_>>() {
            *self.approximate.entry(prefix).or_default() += 1;
        }
    }

    /// All families that have series now. A source that has `stalled` leaves only what is said of the exporter: counters
    /// that stand still look like devices that do nothing.
    pub fn expose(&self, stalled: bool) -> Vec<Exposed<'_>> {
        let last = self.last.as_ref().filter(|_| !stalled);
        let shown = last.map(|last| self.shown(&last.interval)).unwrap_or_default();
        let series = |family: &'static Family| match (family.metric, last) {
            (None, last) => self.own(family, last),
            (Some(_), None) => Vec::new(),
            (Some(metric), Some(last)) => match metric.scope() {
                Scope::Device => self.of_devices(family, metric, last, &shown),
                Scope::Domain => self.of_domains(family, metric, last, &shown),
                Scope::Report => self.of_report(family, metric, last),
            },
        };
        let all = family::families().iter();
        let all = all.map(|family| Exposed { family, series: series(family) });
        all.filter(|exposed| !exposed.series.is_empty()).collect()
    }

    /// The devices with series of their own, and what is known of them now.
    fn shown<'a>(&'a self, report: &'a Report) -> Vec<(&'a Row, Option<&'a Device>)> {
        let now: BTreeMap<&str, &Device> =
            report.devices.iter().map(|device| (device.bdf.as_str(), device)).collect();
        let rows = self.devices.iter().filter(|(bdf, _)| self.choice.is_shown(bdf));
        rows.map(|(bdf, row)| (row, now.get(bdf.as_str()).copied())).collect()
    }

    fn of_devices<'a>(
        &'a self,
        family: &Family,
        metric: &'static Metric,
        last: &Step,
        shown: &[(&'a Row, Option<&'a Device>)],
    ) -> Vec<Series<'a>> {
        if family.kind == Kind::Gauge {
            let value = |device: &Device| {
                let lately = || last.lately.devices.iter().find(|other| other.bdf == device.bdf);
                match metric.name {
                    OF_LATELY => lately().and_then(|device| metric.of_device(device)),
                    _ => metric.of_device(device),
                }
            };
            let gauges = shown.iter().filter_map(|(row, device)| Some((row, value((*device)?)?)));
            return gauges.map(|(row, value)| number(&row.labels, value)).collect();
        }
        let other: Arc<[Label]> = Arc::new([("device", OTHER.to_owned())]);
        let rows = shown.iter().map(|(row, _)| (&row.labels, &row.totals));
        let other = self.other.iter().map(|totals| (&other, totals));
        rows.chain(other).flat_map(|(labels, totals)| cumulative(family, metric, labels, totals)).collect()
    }

    fn of_domains<'a>(
        &'a self,
        family: &Family,
        metric: &'static Metric,
        last: &Step,
        shown: &[(&'a Row, Option<&'a Device>)],
    ) -> Vec<Series<'a>> {
        // As many as there are devices with series of their own.
        let groups: BTreeSet<u32> =
            shown.iter().filter_map(|(_, device)| device.and_then(|device| device.group)).collect();
        let mut series = Vec::new();
        for (group, domain) in
            one_per_group(&last.interval.domains).into_iter().filter(|(group, _)| groups.contains(group))
        {
            let labels: Arc<[Label]> = Arc::new([("group", group.to_string())]);
            match family.kind {
                Kind::Gauge => series.extend(gauges(metric, &labels, domain)),
                _ => {
                    let totals = self.domains.get(&group);
                    series.extend(totals.into_iter().flat_map(|it| cumulative(family, metric, &labels, it)));
                }
            }
        }
        series
    }

    fn of_report(&self, family: &Family, metric: &'static Metric, last: &Step) -> Vec<Series<'_>> {
        let none = Arc::default();
        match family.kind {
            Kind::Gauge => {
                metric.of_report(&last.interval).map(|value| number(&none, value)).into_iter().collect()
            }
            _ => cumulative(family, metric, &none, &self.report),
        }
    }

    /// What only an exporter has.
    fn own(&self, family: &Family, last: Option<&Step>) -> Vec<Series<'_>> {
        let one = |value: f64| vec![number(&Arc::default(), value)];
        match (family.name.as_str(), last) {
            ("iova_build", _) => vec![info([("version", self.about.version.clone())])],
            ("iova_exporter_privileges", _) => self.about.privileges.iter().map(privileges).collect(),
            ("iova_exporter_intervals", _) => one(self.intervals as f64),
            ("iova_exporter_measured_seconds", _) => one(self.seconds),
            ("iova_exporter_last_sample_timestamp_seconds", _) if self.intervals > 0 => one(self.unix_s),
            ("iova_exporter_other_devices", Some(_)) => one(self.choice.hidden() as f64),
            ("iova_exporter_interval_seconds", Some(last)) => one(last.interval.duration_s),
            ("iova_host", Some(last)) => vec![host(&last.interval.host, &last.interval.profile)],
            ("iova_device", Some(last)) => {
                let devices = self.shown(&last.interval).into_iter().filter_map(|(_, device)| device);
                devices.map(device_info).collect()
            }
            ("iova_findings", Some(last)) => findings(&last.lately.findings),
            ("iova_unknown", Some(last)) => self.unknown(&last.interval),
            ("iova_quality_approximate_intervals", Some(_)) => {
                let series = self.approximate.iter();
                let label = |prefix: &str| Arc::new([("metric", prefix.to_owned())]) as Arc<[Label]>;
                series.map(|(prefix, &count)| number(&label(prefix), count as f64)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn unknown(&self, report: &Report) -> Vec<Series<'_>> {
        let reported = report.quality.unknown.iter().map(|unknown| (&unknown.metric, &unknown.why));
        let ours = self.about.unknown.iter().map(|(metric, why)| (metric, why));
        let all: BTreeSet<(&String, &String)> = reported.chain(ours).collect();
        let all = all.into_iter().take(REASONS);
        all.map(|(metric, why)| info([("metric", metric.clone()), ("reason", short(why))])).collect()
    }
}

fn translated(device: &Device) -> bool {
    matches!(device.domain_type, Some(DomainType::Dma | DomainType::DmaFq))
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn labels(device: &Device) -> Arc<[Label]> {
    let driver = device.driver.as_deref().unwrap_or_default();
    Arc::new([
        ("device", device.bdf.clone()),
        ("name", short(device.short_name())),
        ("driver", short(driver)),
    ])
}

fn number<'a>(labels: &Arc<[Label]>, value: f64) -> Series<'a> {
    Series { labels: Arc::clone(labels), extra: None, value: Value::Number(value) }
}

fn info<'a, const N: usize>(labels: [Label; N]) -> Series<'a> {
    Series { labels: Arc::new(labels), extra: None, value: Value::Number(1.0) }
}

fn privileges<'a>(of: &Privileges) -> Series<'a> {
    info([
        ("process", of.process.to_owned()),
        ("capabilities", of.capabilities.clone()),
        ("reason", of.reason.clone()),
    ])
}

fn ordered<'a>(labels: &Arc<[Label]>, order: u32, count: u64) -> Series<'a> {
    let extra = Some(("order", order.to_string()));
    Series { labels: Arc::clone(labels), extra, value: Value::Number(count as f64) }
}

/// What `totals` has of a family.
fn cumulative<'a>(
    family: &Family,
    metric: &'static Metric,
    labels: &Arc<[Label]>,
    totals: &'a Totals,
) -> Vec<Series<'a>> {
    if metric.name.contains("by_order[]") {
        return totals.by_order.iter().map(|(&order, &count)| ordered(labels, order, count)).collect();
    }
    if family.kind == Kind::Histogram {
        let name = metric.name.strip_suffix(".mean").unwrap_or(metric.name);
        let found = totals.latencies.get(name).into_iter();
        let series = |distribution| Series {
            labels: Arc::clone(labels),
            extra: None,
            value: Value::Distribution(distribution),
        };
        return found.map(series).collect();
    }
    totals.counters.get(metric.name).map(|&count| number(labels, count as f64)).into_iter().collect()
}

/// A group whose device has just come back has two domains for an interval, of which only the new one has a state.
fn one_per_group(domains: &[Domain]) -> BTreeMap<u32, &Domain> {
    let mut chosen: BTreeMap<u32, &Domain> = BTreeMap::new();
    for domain in domains {
        let Some(group) = domain.group else { continue };
        let best = chosen.entry(group).or_insert(domain);
        if domain.nodes.is_some() || best.nodes.is_none() {
            *best = domain;
        }
    }
    chosen
}

fn gauges<'a>(metric: &'static Metric, labels: &Arc<[Label]>, domain: &Domain) -> Vec<Series<'a>> {
    let list: &[OrderCount] = match metric.name {
        "aligned_blocks[].count" => &domain.aligned_blocks,
        "cached_by_order[].count" => &domain.cached_by_order,
        "depot_by_order[].count" => &domain.depot_by_order,
        _ => {
            return metric.of_domain(domain).map(|value| number(labels, value)).into_iter().collect();
        }
    };
    list.iter().map(|entry| ordered(labels, entry.order, entry.count)).collect()
}

fn host<'a>(host: &HostFigures, profile: &str) -> Series<'a> {
    let word = serde_json::to_value(host.sac_control).ok();
    let sac_control = word.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned();
    info([
        ("kernel", short(&host.kernel)),
        ("arch", short(&host.arch)),
        ("iommu", short(host.iommu.as_deref().unwrap_or_default())),
        ("domain_type", host.domain_type.clone().unwrap_or_default()),
        ("sac_control", sac_control),
        ("profile", profile.to_owned()),
    ])
}

fn device_info<'a>(device: &Device) -> Series<'a> {
    let [bdf, name, driver] =
        [&device.bdf, device.short_name(), device.driver.as_deref().unwrap_or_default()];
    info([
        ("device", bdf.to_owned()),
        ("name", short(name)),
        ("driver", short(driver)),
        ("group", device.group.map(|group| group.to_string()).unwrap_or_default()),
        ("domain_type", device.domain_type.map(type_name).unwrap_or_default().to_owned()),
        ("dma_mask_bits", device.dma_mask_bits.map(|bits| bits.to_string()).unwrap_or_default()),
        ("policy", device.policy.configured.unwrap_or_default().to_owned()),
        ("policy_set", device.policy.set.clone().unwrap_or_default()),
    ])
}

fn findings<'a>(findings: &[Finding]) -> Vec<Series<'a>> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in findings {
        *counts.entry((finding.id, finding.severity.name())).or_default() += 1;
    }
    let labels = |id: &str, severity: &str| {
        Arc::new([("id", id.to_owned()), ("severity", severity.to_owned())]) as Arc<[Label]>
    };
    counts.into_iter().map(|((id, severity), count)| number(&labels(id, severity), count as f64)).collect()
}
