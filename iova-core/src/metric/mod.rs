//! The table of metrics: every number this tool shows has its name, unit and definition here, and nowhere else.
//!
//! Names are the paths of the JSON report. Text, JSON, help texts and documentation all take them from here; a test
//! compares the table with the JSON report in both directions.

mod call;
mod device;
mod domain;
mod report;
mod unit;

pub use call::{CALL, CallFigure};
pub use report::ADDED_TIME;
pub use unit::Unit;
pub(crate) use unit::grouped;

use crate::model::{Device, Domain, Report};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a metric is measured of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The report as a whole.
    Report,
    /// Each device.
    Device,
    /// Each IOVA domain.
    Domain,
}

/// How to get the value of a metric out of a report.
#[derive(Clone, Copy, Debug)]
pub enum Get {
    /// From the report.
    Report(fn(&Report) -> Option<f64>),
    /// From a device.
    Device(fn(&Device) -> Option<f64>),
    /// From a domain.
    Domain(fn(&Domain) -> Option<f64>),
    /// It is a list: one value per entry.
    List(Scope),
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its dotted name; `[]` stands for "of each entry".
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// What it is.
    pub definition: &'static str,
    /// How it is obtained, and when it is unknown.
    pub source: &'static str,
    /// Its value.
    pub get: Get,
}

impl Metric {
    /// What it is measured of.
    pub fn scope(&self) -> Scope {
        match self.get {
            Get::Report(_) => Scope::Report,
            Get::Device(_) => Scope::Device,
            Get::Domain(_) => Scope::Domain,
            Get::List(scope) => scope,
        }
    }

    /// The value for `device`; `None` if unknown or not a metric of devices.
    pub fn of_device(&self, device: &Device) -> Option<f64> {
        if let Get::Device(get) = self.get { get(device) } else { None }
    }

    /// The value for `domain`; `None` if unknown or not a metric of domains.
    pub fn of_domain(&self, domain: &Domain) -> Option<f64> {
        if let Get::Domain(get) = self.get { get(domain) } else { None }
    }

    /// The value for `report`; `None` if unknown or not a metric of reports.
    pub fn of_report(&self, report: &Report) -> Option<f64> {
        if let Get::Report(get) = self.get { get(report) } else { None }
    }
}

/// All metrics, in the order of the JSON report.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    [report::TABLE, device::TABLE, domain::TABLE].into_iter().flatten().flat_map(|group| group.iter())
}

/// The metric with this scope and name.
pub fn find(scope: Scope, name: &str) -> Option<&'static Metric> {
    // A live screen looks up thousands per second.
    static BY_NAME: LazyLock<HashMap<(Scope, &str), &Metric>> =
        LazyLock::new(|| all().map(|metric| ((metric.scope(), metric.name), metric)).collect());
    BY_NAME.get(&(scope, name)).copied()
}

/// `value` of the metric called `name`, for people. A name outside the table renders as a plain count.
pub fn render(scope: Scope, name: &str, value: Option<f64>) -> String {
    find(scope, name).map_or(Unit::Count, |metric| metric.unit).render(value)
}

/// The value of the metric called `name` for `domain`, for people; "-" if unknown.
pub fn render_domain(name: &str, domain: &Domain) -> String {
    let value = find(Scope::Domain, name).and_then(|metric| metric.of_domain(domain));
    render(Scope::Domain, name, value)
}

/// Anything a metric's value may be made of.
trait Value {
    fn value(self) -> Option<f64>;
}

macro_rules! values {
    ($($type:ty),+) => {$(
        impl Value for $type {
            fn value(self) -> Option<f64> {
                Some(self as f64)
            }
        }
        impl Value for Option<$type> {
            fn value(self) -> Option<f64> {
                self.map(|value| value as f64)
            }
        }
    )+};
}
values!(u8, i32, u32, u64, f64);

/// One entry of the table.
macro_rules! metric {
    ($scope:ident, $name:expr, $unit:ident, |$it:ident| $value:expr, $definition:expr, $source:expr) => {
        $crate::metric::Metric {
            name: $name,
            unit: $crate::metric::Unit::$unit,
            definition: $definition,
            source: $source,
            get: $crate::metric::Get::$scope(|$it| $crate::metric::Value::value($value)),
        }
    };
}

/// One entry that stands for a list of values.
macro_rules! list {
    ($scope:ident, $name:expr, $unit:ident, $definition:expr, $source:expr) => {
        $crate::metric::Metric {
            name: $name,
            unit: $crate::metric::Unit::$unit,
            definition: $definition,
            source: $source,
            get: $crate::metric::Get::List($crate::metric::Scope::$scope),
        }
    };
}

/// The nine entries of a latency distribution.
macro_rules! latency {
    ($scope:ident, $name:literal, |$it:ident| $latency:expr, $what:literal, $source:literal) => {
        &[
            metric!(
                $scope,
                concat!($name, ".samples"),
                Count,
                |$it| $latency.samples,
                concat!("How many were timed of: ", $what),
                $source
            ),
            metric!(
                $scope,
                concat!($name, ".p50"),
                Nanoseconds,
                |$it| $latency.p50,
                concat!("Median of: ", $what),
                $source
            ),
            metric!(
                $scope,
                concat!($name, ".p90"),
                Nanoseconds,
                |$it| $latency.p90,
                concat!("90th percentile of: ", $what),
                $source
            ),
            metric!(
                $scope,
                concat!($name, ".p99"),
                Nanoseconds,
                |$it| $latency.p99,
                concat!("99th percentile of: ", $what),
                $source
            ),
            metric!(
                $scope,
                concat!($name, ".p999"),
                Nanoseconds,
                |$it| $latency.p999,
                concat!("99.9th percentile of: ", $what),
                $source
            ),
            metric!(
                $scope,
                concat!($name, ".max"),
                Nanoseconds,
                |$it| $latency.max,
                concat!("Longest of: ", $what),
                $source
            ),
            metric!(
                $scope,
                concat!($name, ".mean"),
                Nanoseconds,
                |$it| $latency.mean,
                concat!("Arithmetic mean of: ", $what),
                $source
            ),
            list!(
                $scope,
                concat!($name, ".buckets[].from_ns"),
                Nanoseconds,
                concat!("Smallest value of one histogram bucket of: ", $what),
                $source
            ),
            list!(
                $scope,
                concat!($name, ".buckets[].count"),
                Count,
                concat!("Samples in one histogram bucket of: ", $what),
                $source
            ),
        ]
    };
}
use {latency, list, metric};

#[cfg(test)]
mod tests;
