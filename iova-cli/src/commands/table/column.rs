//! The columns: names are those of the JSON report, figures those of the metric table.

use iova_core::metric::{self, ADDED_TIME, Get as Source, Metric, Scope, Unit};
use iova_core::model::{Device, Domain, Latency, Report, type_name};
use serde::Serialize;
use std::borrow::Cow;

/// One device over one interval.
pub(super) struct Row<'a> {
    pub(super) report: &'a Report,
    pub(super) device: &'a Device,
    pub(super) domain: Option<&'a Domain>,
    /// When the interval began, µs since 1970.
    pub(super) begun_us: i64,
    /// When the allocator's state was looked at, µs since 1970.
    pub(super) looked_us: Option<i64>,
    /// Latency distributions are as they were read; else they are estimates within a block of the recording.
    pub(super) exact: bool,
}

/// Of a list of pairs, first all first halves, then all second ones.
type Halves = [Vec<u64>; 2];

/// How a row gets its cell.
pub(super) enum Get {
    /// µs since 1970.
    Time(fn(&Row<'_>) -> Option<i64>),
    Flag(fn(&Row<'_>) -> bool),
    Text(for<'a> fn(&Row<'a>) -> Option<Cow<'a, str>>),
    Texts(for<'a> fn(&Row<'a>) -> Vec<&'a str>),
    Metric(&'static Metric),
    /// A metric too large for the table's type.
    Whole(fn(&Row<'_>) -> Option<u64>),
    /// A list of pairs, with the names of their halves.
    Pairs([&'static str; 2], fn(&Row<'_>) -> Option<Halves>),
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) get: Get,
}

/// What stands in a column without lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Flag,
    Text,
    Whole,
    Real,
}

impl Column {
    pub(super) fn kind(&self) -> Kind {
        match &self.get {
            Get::Time(_) => Kind::Time,
            Get::Flag(_) => Kind::Flag,
            Get::Text(_) | Get::Texts(_) => Kind::Text,
            Get::Metric(metric) if has_fraction(metric) => Kind::Real,
            Get::Metric(_) | Get::Whole(_) | Get::Pairs(..) => Kind::Whole,
        }
    }

    /// The metric that it shows, if it is a figure.
    pub(super) fn metric(&self) -> Option<&'static Metric> {
        match self.get {
            Get::Metric(metric) => Some(metric),
            Get::Whole(_) => metric::find(Scope::Device, &self.name),
            _ => None,
        }
    }
}

fn has_fraction(metric: &Metric) -> bool {
    matches!(metric.unit, Unit::Seconds | Unit::PerSecond | Unit::Ratio) || metric.name == ADDED_TIME
}

/// The value of `metric` in this row.
pub(super) fn value(metric: &Metric, row: &Row<'_>) -> Option<f64> {
    match metric.scope() {
        Scope::Report => metric.of_report(row.report),
        Scope::Device => metric.of_device(row.device),
        Scope::Domain => metric.of_domain(row.domain?),
    }
}

/// All columns; `histograms`: whole latency distributions too.
pub(super) fn all(histograms: bool) -> Vec<Column> {
    let mut columns = words();
    columns.extend(figures());
    columns.push(by_order());
    if histograms {
        columns.extend(distributions());
    }
    columns
}

/// What is no figure.
fn words() -> Vec<Column> {
    let column = |name: &str, get| Column { name: name.to_owned(), get };
    vec![
        column("time", Get::Time(|row| Some(row.begun_us))),
        column("profile", Get::Text(|row| Some(row.report.profile.as_str().into()))),
        column("host.name", Get::Text(|row| Some(row.report.host.name.as_str().into()))),
        column("host.kernel", Get::Text(|row| Some(row.report.host.kernel.as_str().into()))),
        column("host.arch", Get::Text(|row| Some(row.report.host.arch.as_str().into()))),
        column("host.iommu", Get::Text(|row| row.report.host.iommu.as_deref().map(Cow::from))),
        column("host.sac_control", Get::Text(|row| serialized(row.report.host.sac_control))),
        column("bdf", Get::Text(|row| Some(row.device.bdf.as_str().into()))),
        column("name", Get::Text(|row| Some(row.device.name.as_str().into()))),
        column("driver", Get::Text(|row| row.device.driver.as_deref().map(Cow::from))),
        column("functions", Get::Texts(|row| row.device.functions.iter().map(String::as_str).collect())),
        column("domain_type", Get::Text(|row| Some(type_name(row.device.domain_type?).into()))),
        column("presence", Get::Text(|row| serialized(row.device.presence))),
        column("policy.configured", Get::Text(|row| row.device.policy.configured.map(Cow::from))),
        column("policy.set", Get::Text(|row| row.device.policy.set.as_deref().map(Cow::from))),
        column("policy.state", Get::Text(|row| row.device.policy.state.map(Cow::from))),
        column("fell_back", Get::Flag(|row| row.device.fell_back)),
        column("latency_exact", Get::Flag(|row| row.exact)),
        column("approximate", Get::Texts(|row| row.device.approximate.clone())),
        column("low_space.time", Get::Time(|row| row.looked_us)),
        column("domain.consistency", Get::Text(|row| row.domain?.consistency.map(Cow::from))),
    ]
}

/// An enumeration's word in the JSON report.
fn serialized<'a>(value: impl Serialize) -> Option<Cow<'a, str>> {
    serde_json::to_value(value).ok()?.as_str().map(|word| word.to_owned().into())
}

/// What a row can't have: what is known only at the end, and what is the same in every file.
const LEFT_OUT: [&str; 3] = ["schema_version", "command.exit_code", "command.signal"];

/// Every figure of devices, of the report, and of domains where devices don't show it already.
fn figures() -> impl Iterator<Item = Column> {
    let figures = metric::all().filter(|metric| !matches!(metric.get, Source::List(_)));
    figures.filter(|metric| !LEFT_OUT.contains(&metric.name)).filter_map(|metric| {
        let twin = metric::find(Scope::Device, metric.name).is_some();
        let name = match metric.scope() {
            Scope::Domain if twin => return None,
            Scope::Domain => format!("domain.{}", metric.name),
            Scope::Report | Scope::Device => metric.name.to_owned(),
        };
        let get = match metric.name {
            // All ones and some zeros have more digits than the table's type.
            "bus_dma_limit" => Get::Whole(|row| row.device.bus_dma_limit),
            _ => Get::Metric(metric),
        };
        Some(Column { name, get })
    })
}

fn by_order() -> Column {
    let get = |row: &Row<'_>| {
        let orders = &row.device.alloc.by_order;
        let halves = orders.iter().map(|entry| (u64::from(entry.order), entry.count));
        Some(halves.unzip().into())
    };
    Column { name: "alloc.by_order".to_owned(), get: Get::Pairs(["order", "count"], get) }
}

fn distributions() -> Vec<Column> {
    let column = |name: &str, get| Column {
        name: format!("{name}.buckets"),
        get: Get::Pairs(["from_ns", "count"], get),
    };
    vec![
        column("alloc.latency_ns", |row| buckets(&row.device.alloc.latency_ns)),
        column("free.latency_ns", |row| buckets(&row.device.free.latency_ns)),
        column("map.latency_ns", |row| buckets(&row.device.map.latency_ns)),
        column("lock.wait_ns", |row| buckets(&row.device.lock.wait_ns)),
        column("domain.flush_queue.timer_ns", |row| buckets(&row.domain?.flush_queue.timer_ns)),
    ]
}

/// `None` for what is not timed, which has no samples either.
fn buckets(latency: &Latency) -> Option<Halves> {
    latency.samples?;
    Some(latency.buckets.iter().map(|bucket| (bucket.from_ns, bucket.count)).unzip().into())
}
