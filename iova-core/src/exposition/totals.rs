//! Sums of intervals.

use super::family;
use crate::metric::{self, Metric, Scope};
use crate::model::{Device, Domain, Latency, OrderCount, Report};
use iova_common::hist;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A latency distribution, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Samples by bucket of the probes ([`iova_common::hist`]); empty ones left out.
    pub buckets: BTreeMap<u16, u64>,
    /// Samples.
    pub count: u64,
    /// Their sum, ns.
    pub sum_ns: u64,
}

impl Distribution {
    fn add(&mut self, latency: &Latency) {
        for bucket in &latency.buckets {
            *self.buckets.entry(hist::index(bucket.from_ns) as u16).or_default() += bucket.count;
            self.count += bucket.count;
        }
        self.sum_ns = self.sum_ns.saturating_add(latency.sum.unwrap_or(0));
    }
}

/// The counters of one scope.
fn counters(scope: Scope) -> Vec<&'static Metric> {
    family::counters(scope).filter_map(|name| metric::find(scope, name)).collect()
}
static DEVICE_COUNTERS: LazyLock<Vec<&Metric>> = LazyLock::new(|| counters(Scope::Device));
static DOMAIN_COUNTERS: LazyLock<Vec<&Metric>> = LazyLock::new(|| counters(Scope::Domain));
static REPORT_COUNTERS: LazyLock<Vec<&Metric>> = LazyLock::new(|| counters(Scope::Report));

/// Dotted name of a distribution, and where it is.
type Latencies<T> = [(&'static str, fn(&T) -> &Latency)];

const DEVICE_LATENCIES: &Latencies<Device> = &[
    ("alloc.latency_ns", |device| &device.alloc.latency_ns),
    ("free.latency_ns", |device| &device.free.latency_ns),
    ("map.latency_ns", |device| &device.map.latency_ns),
];
const DOMAIN_LATENCIES: &Latencies<Domain> = &[
    ("flush_queue.timer_ns", |domain| &domain.flush_queue.timer_ns),
    ("lock.wait_ns", |domain| &domain.lock.wait_ns),
];

/// The counters of one device, domain or report. What was never measured stays unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    /// By name.
    pub(super) counters: BTreeMap<&'static str, u64>,
    pub(super) latencies: BTreeMap<&'static str, Distribution>,
    /// Allocations per order.
    pub(super) by_order: BTreeMap<u32, u64>,
}

impl Totals {
    pub(super) fn add_device(&mut self, device: &Device) {
        self.count(&DEVICE_COUNTERS, |metric| metric.of_device(device));
        self.time(DEVICE_LATENCIES, device);
        for &OrderCount { order, count } in &device.alloc.by_order {
            *self.by_order.entry(order).or_default() += count;
        }
    }

    pub(super) fn add_domain(&mut self, domain: &Domain) {
        self.count(&DOMAIN_COUNTERS, |metric| metric.of_domain(domain));
        self.time(DOMAIN_LATENCIES, domain);
    }

    pub(super) fn add_report(&mut self, report: &Report) {
        self.count(&REPORT_COUNTERS, |metric| metric.of_report(report));
    }

    fn count(&mut self, metrics: &[&'static Metric], value: impl Fn(&Metric) -> Option<f64>) {
        for metric in metrics {
            if let Some(value) = value(metric) {
                *self.counters.entry(metric.name).or_default() += value as u64;
            }
        }
    }

    fn time<T>(&mut self, latencies: &Latencies<T>, of: &T) {
        for (name, get) in latencies {
            // Known to be measured, even if nothing was.
            if get(of).samples.is_some() {
                self.latencies.entry(name).or_default().add(get(of));
            }
        }
    }
}
