//! The table of families, and the one mapping from a metric's dotted name and unit to a name for Prometheus.

use crate::metric::{self, Metric, Scope, Unit};
use std::sync::LazyLock;

/// What kind of figure a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from the start of the exporter on.
    Counter,
    /// Of the last interval.
    Gauge,
    /// A distribution; its counts only grow.
    Histogram,
    /// Always 1; the labels tell.
    Info,
}

impl Kind {
    /// The word in `# TYPE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    /// What a sample's name ends in, besides the family's own.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }
}

/// One family of series.
#[derive(Clone, Debug)]
pub struct Family {
    /// Its name without `_total` and `_info`.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Base unit, empty if it has none.
    pub unit: &'static str,
    /// What it is.
    pub help: String,
    /// Labels it may have.
    pub labels: &'static [&'static str],
    /// What it was made of; `None` for what only an exporter has.
    pub metric: Option<&'static Metric>,
}

impl Family {
    /// The name that queries use; a histogram has `_bucket`, `_sum` and `_count` behind it.
    pub fn full_name(&self) -> String {
        format!("{}{}", self.name, self.kind.suffix())
    }
}

const DEVICE: &[&str] = &["device", "name", "driver"];
const DEVICE_ORDER: &[&str] = &["device", "name", "driver", "order"];
const DOMAIN: &[&str] = &["group"];
const DOMAIN_ORDER: &[&str] = &["group", "order"];

/// What of the table of metrics is exported, and as what. Rates, percentiles and hit ratios are left out: they are
/// computed from counters and histograms over whatever time a query wants.
const EXPORTED: &[(Scope, Kind, &[&str], &[&str])] = &[
    (
        Scope::Device,
        Kind::Counter,
        DEVICE,
        &[
            "alloc.count",
            "alloc.failed",
            "alloc.bytes",
            "alloc.slow",
            "alloc.sac_attempts",
            "alloc.sac_failed",
            "alloc.tree_failed",
            "alloc.high",
            "free.count",
            "free.bytes",
            "cache.flushes",
            "faults.count",
        ],
    ),
    (Scope::Device, Kind::Counter, DEVICE_ORDER, &["alloc.by_order[].count"]),
    (Scope::Device, Kind::Histogram, DEVICE, &["alloc.latency_ns", "free.latency_ns", "map.latency_ns"]),
    (
        Scope::Device,
        Kind::Gauge,
        DEVICE,
        &[
            "policy.effective_high_ratio",
            "map.allocator_share",
            "low_space.capacity_bytes",
            "low_space.reserved_bytes",
            "low_space.live_bytes",
            "low_space.held_bytes",
            "low_space.cached_bytes",
            "low_space.pending_bytes",
            "low_space.free_bytes",
            "low_space.largest_gap_bytes",
            "low_space.pressure",
            "low_space.peak_used_bytes",
        ],
    ),
    (Scope::Domain, Kind::Counter, DOMAIN, &["cache_flushes"]),
    (Scope::Domain, Kind::Histogram, DOMAIN, &["flush_queue.timer_ns", "lock.wait_ns"]),
    (
        Scope::Domain,
        Kind::Gauge,
        DOMAIN,
        &["granule_bytes", "high_bytes", "nodes", "max32_alloc_bytes", "flush_queue.entries"],
    ),
    (
        Scope::Domain,
        Kind::Gauge,
        DOMAIN_ORDER,
        &["aligned_blocks[].count", "cached_by_order[].count", "depot_by_order[].count"],
    ),
    (
        Scope::Report,
        Kind::Counter,
        &[],
        &[
            "quality.recursion_misses",
            "quality.frames_lost",
            "quality.inner_unowned",
            "quality.events_limited",
            "quality.faults_limited",
            "quality.events_lost",
            "quality.no_slot",
        ],
    ),
    (
        Scope::Report,
        Kind::Gauge,
        &[],
        &["host.cpus", "quality.alloc_sampling", "quality.free_sampling", metric::ADDED_TIME],
    ),
];

/// What only an exporter has: name, kind, unit, labels, help.
type Own = (&'static str, Kind, &'static str, &'static [&'static str], &'static str);

const OWN: &[Own] = &[
    ("iova_build", Kind::Info, "", &["version"], "The exporter."),
    (
        "iova_host",
        Kind::Info,
        "",
        &["kernel", "arch", "iommu", "domain_type", "sac_control", "profile"],
        "The machine, and the profile of the probes.",
    ),
    (
        "iova_device",
        Kind::Info,
        "",
        &["device", "name", "driver", "group", "domain_type", "dma_mask_bits", "policy", "policy_set"],
        "A device with series of its own. group joins it with iova_domain_*; policy is where its addresses should land, \
         policy_set what the module iova_policy was told.",
    ),
    (
        "iova_findings",
        Kind::Gauge,
        "",
        &["id", "severity"],
        "Findings about the last ten to twenty seconds, as iova report has them.",
    ),
    (
        "iova_unknown",
        Kind::Info,
        "",
        &["metric", "reason"],
        "A metric (or all with this prefix) that has no value here, and why.",
    ),
    (
        "iova_quality_approximate_intervals",
        Kind::Counter,
        "",
        &["metric"],
        "Intervals in which a metric (or all with this prefix) was not exact for some device: counts are lower bounds.",
    ),
    ("iova_exporter_intervals", Kind::Counter, "", &[], "Intervals measured since the exporter started."),
    (
        "iova_exporter_measured_seconds",
        Kind::Counter,
        "seconds",
        &[],
        "Time that the counters cover, since the exporter started.",
    ),
    ("iova_exporter_interval_seconds", Kind::Gauge, "seconds", &[], "Length of the last interval."),
    (
        "iova_exporter_last_sample_timestamp_seconds",
        Kind::Gauge,
        "seconds",
        &[],
        "Unix time at which the counters were last read.",
    ),
    (
        "iova_exporter_other_devices",
        Kind::Gauge,
        "",
        &[],
        "Devices without series of their own: what they do is in device=\"other\".",
    ),
    (
        "iova_exporter_privileges",
        Kind::Info,
        "",
        &["process", "capabilities", "reason"],
        "Capabilities that each process of the exporter kept after it attached, and why.",
    ),
    (
        "iova_exporter_last_sample_age_seconds",
        Kind::Gauge,
        "seconds",
        &[],
        "Age of the last reading of the counters when this was asked for.",
    ),
    (
        "iova_exporter_stalled",
        Kind::Gauge,
        "",
        &[],
        "1 if readings stopped coming; all but iova_exporter_* is left out then.",
    ),
    ("iova_exporter_requests", Kind::Counter, "", &["code"], "HTTP requests answered, by status."),
    (
        "iova_exporter_refused_connections",
        Kind::Counter,
        "",
        &[],
        "Connections closed at once, because too many were open.",
    ),
];

/// Prometheus' base unit, and the words for it that a dotted name may have.
fn base(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Nanoseconds | Unit::Seconds => "seconds",
        Unit::Ratio => "ratio",
        // A width is no amount of data, and Prometheus knows no bits: it is a label.
        Unit::Bits | Unit::Count | Unit::Number | Unit::PerSecond => "",
    }
}

/// `alloc.latency_ns` of a device, in nanoseconds, is `iova_alloc_latency_seconds`; `count` at the end says nothing.
fn name(scope: Scope, dotted: &str, unit: &str) -> String {
    let dotted = dotted.strip_suffix("count").unwrap_or(dotted);
    let words = dotted.split(['.', '_', '[', ']']);
    let said = ["", "ns", "bytes", "ratio"];
    let words = words.filter(|word| !said.contains(word));
    let prefix = if scope == Scope::Domain { "iova_domain" } else { "iova" };
    let words = std::iter::once(prefix).chain(words).chain((!unit.is_empty()).then_some(unit));
    words.collect::<Vec<_>>().join("_")
}

fn exported(
    scope: Scope,
    kind: Kind,
    labels: &'static [&'static str],
    dotted: &'static str,
) -> Option<Family> {
    // The nine figures of a distribution are one histogram; what is measured stands behind each one's own words.
    let histogram = kind == Kind::Histogram;
    let metric =
        if histogram { metric::find(scope, &format!("{dotted}.mean")) } else { metric::find(scope, dotted) }?;
    let unit = base(metric.unit);
    let help = match metric.definition.split_once(": ").filter(|_| histogram) {
        Some((_, what)) => format!("{} {}", capital(what), metric.source),
        None => metric.definition.to_owned(),
    };
    Some(Family { name: name(scope, dotted, unit), kind, unit, help, labels, metric: Some(metric) })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    let of_metrics = EXPORTED.iter().flat_map(|&(scope, kind, labels, names)| {
        names.iter().filter_map(move |dotted| exported(scope, kind, labels, dotted))
    });
    let own = OWN.iter().map(|&(name, kind, unit, labels, help)| Family {
        name: name.to_owned(),
        kind,
        unit,
        help: help.to_owned(),
        labels,
        metric: None,
    });
    of_metrics.chain(own).collect()
});

/// All families, in the order of the output.
pub fn families() -> &'static [Family] {
    &FAMILIES
}

/// The family with this name, without `_total` or `_info`.
pub fn find(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

/// The dotted names of the counters of one scope; lists apart.
pub(super) fn counters(scope: Scope) -> impl Iterator<Item = &'static str> {
    let rows = EXPORTED.iter().filter(move |row| (row.0, row.1) == (scope, Kind::Counter));
    rows.flat_map(|row| row.3).copied().filter(|name| !name.contains('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scope: Scope, dotted: &str) -> Option<&'static Family> {
        let histogram = format!("{dotted}.mean");
        let is =
            |metric: &Metric| metric.scope() == scope && [dotted, histogram.as_str()].contains(&metric.name);
        families().iter().find(|family| family.metric.is_some_and(is))
    }

    #[test]
    fn names_follow_from_dotted_names_and_units() {
        for (scope, dotted, want) in [
            (Scope::Device, "alloc.count", "iova_alloc_total"),
            (Scope::Device, "alloc.bytes", "iova_alloc_bytes_total"),
            (Scope::Device, "alloc.by_order[].count", "iova_alloc_by_order_total"),
            (Scope::Device, "alloc.latency_ns", "iova_alloc_latency_seconds"),
            (Scope::Device, "low_space.pressure", "iova_low_space_pressure_ratio"),
            (Scope::Device, "policy.effective_high_ratio", "iova_policy_effective_high_ratio"),
            (Scope::Device, "cache.flushes", "iova_cache_flushes_total"),
            (Scope::Domain, "cache_flushes", "iova_domain_cache_flushes_total"),
            (Scope::Domain, "flush_queue.timer_ns", "iova_domain_flush_queue_timer_seconds"),
            (Scope::Report, "quality.added_ns_per_alloc", "iova_quality_added_per_alloc_seconds"),
        ] {
            assert_eq!(of(scope, dotted).map(Family::full_name).as_deref(), Some(want), "{dotted}");
        }
    }

    #[test]
    fn every_exported_name_is_in_the_table_and_unique() {
        let rows: usize = EXPORTED.iter().map(|row| row.3.len()).sum();
        assert_eq!(families().len(), rows + OWN.len(), "a dotted name is not in the table of metrics");
        let mut names: Vec<_> = families().iter().map(|family| &family.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), families().len());
        for family in families() {
            assert!(family.help.ends_with('.'), "{}: {}", family.name, family.help);
            assert!(family.unit.is_empty() || family.name.ends_with(family.unit), "{}", family.name);
        }
    }
}
