//! The columns of the overview. What each shows is a metric of iova-core's table, or a word about the device.

use iova_core::metric::{self, Metric, Scope, Unit};
use iova_core::model::Device;

/// One column of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// As the headline has it.
    pub(crate) title: &'static str,
    /// Name of the metric.
    pub(crate) metric: &'static str,
    /// A count is shown per second.
    pub(crate) per_second: bool,
    pub(crate) width: u16,
    /// The last to go when there is little room: 0.
    pub(crate) rank: u8,
}

const fn column(title: &'static str, metric: &'static str, width: u16, rank: u8) -> Column {
    Column { title, metric, per_second: false, width, rank }
}

const fn rate(title: &'static str, metric: &'static str, width: u16, rank: u8) -> Column {
    Column { title, metric, per_second: true, width, rank }
}

/// How many there are.
pub(crate) const COUNT: usize = 13;

/// From left to right.
pub(crate) const COLUMNS: [Column; COUNT] = [
    column("allocs/s", "alloc.per_second", 9, 0),
    column("p50", "alloc.latency_ns.p50", 7, 4),
    column("p99", "alloc.latency_ns.p99", 7, 1),
    column("max", "alloc.latency_ns.max", 7, 5),
    column("slow", "alloc.slow_ratio", 6, 2),
    column("high", "policy.effective_high_ratio", 6, 3),
    column("32-bit", PRESSURE, 10, 0),
    column("gap", "low_space.largest_gap_bytes", 8, 6),
    rate("SACfail/s", "alloc.sac_failed", 9, 4),
    rate("flush/s", "cache.flushes", 7, 7),
    column("lock p99", "lock.wait_ns.p99", 8, 8),
    rate("fault/s", "faults.count", 7, 5),
    column("mask", "dma_mask_bits", 6, 9),
];

/// Index of the column that tells how many bits a device can address.
pub(crate) const MASK: usize = COUNT - 1;

/// Shown as a bar too.
pub(crate) const PRESSURE: &str = "low_space.pressure";

/// Where a metric is among the columns.
pub(crate) fn position(metric: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.metric == metric)
}

impl Column {
    fn entry(&self) -> Option<&'static Metric> {
        metric::find(Scope::Device, self.metric)
    }

    /// The value for a device over an interval of so many seconds.
    pub(crate) fn value(&self, device: &Device, seconds: f64) -> Option<f64> {
        let value = self.entry()?.of_device(device)?;
        if !self.per_second {
            return Some(value);
        }
        (seconds > 0.0).then(|| value / seconds)
    }

    /// The value as text with its unit.
    pub(crate) fn render(&self, value: Option<f64>) -> String {
        let unit = self.entry().map_or(Unit::Count, |metric| metric.unit);
        match (self.per_second, unit) {
            (true, _) => Unit::PerSecond.render(value),
            // "64 bit" under a headline that says so.
            (false, Unit::Bits) => Unit::Number.render(value),
            (false, unit) => unit.render(value),
        }
    }

    /// What it is, for the help screen.
    pub(crate) fn definition(&self) -> &'static str {
        self.entry().map_or("", |metric| metric.definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_a_metric() {
        for column in COLUMNS {
            assert!(column.entry().is_some(), "{} is no metric of devices", column.metric);
            assert!(column.title.len() <= usize::from(column.width), "{}", column.title);
        }
    }
}
