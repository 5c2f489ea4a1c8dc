//! The columns of figures. What each shows is a metric of iova-core's table.

use iova_core::metric::{self, Metric, Scope, Unit};
use iova_core::model::Device;
use std::sync::LazyLock;

/// One column of figures.
#[derive(Clone, Copy)]
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
    /// Looked up once: there are many rows.
    entry: Option<&'static Metric>,
}

fn column(title: &'static str, metric: &'static str, width: u16, rank: u8) -> Column {
    Column { title, metric, per_second: false, width, rank, entry: metric::find(Scope::Device, metric) }
}

fn rate(title: &'static str, metric: &'static str, width: u16, rank: u8) -> Column {
    Column { per_second: true, ..column(title, metric, width, rank) }
}

/// How many there are. The history keeps four bytes of each per device and interval.
pub(crate) const COUNT: usize = 33;
/// So many, the first ones, are shown unless somebody chooses.
pub(crate) const USUAL: usize = 13;
/// Who asks for a column wants to see it, if need be in the place of a usual one.
const ASKED_FOR: u8 = 1;

/// The usual ones from left to right, then the others.
pub(crate) static COLUMNS: LazyLock<[Column; COUNT]> = LazyLock::new(|| {
    [
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
        column("mean", "alloc.latency_ns.mean", 7, ASKED_FOR),
        column("p90", "alloc.latency_ns.p90", 7, ASKED_FOR),
        column("p99.9", "alloc.latency_ns.p999", 7, ASKED_FOR),
        rate("bytes/s", "alloc.bytes", 8, ASKED_FOR),
        rate("failed/s", "alloc.failed", 9, ASKED_FOR),
        rate("SACtry/s", "alloc.sac_attempts", 9, ASKED_FOR),
        rate("treefail/s", "alloc.tree_failed", 10, ASKED_FOR),
        column("hit", "cache.hit_ratio", 6, ASKED_FOR),
        rate("frees/s", "free.count", 9, ASKED_FOR),
        column("free p99", "free.latency_ns.p99", 8, ASKED_FOR),
        rate("maps/s", "map.count", 9, ASKED_FOR),
        column("map p99", "map.latency_ns.p99", 7, ASKED_FOR),
        column("allocator", "map.allocator_share", 9, ASKED_FOR),
        rate("lockwait/s", "lock.waits", 10, ASKED_FOR),
        column("live", "low_space.live_bytes", 8, ASKED_FOR),
        column("cached", "low_space.cached_bytes", 8, ASKED_FOR),
        column("pending", "low_space.pending_bytes", 8, ASKED_FOR),
        column("free", "low_space.free_bytes", 8, ASKED_FOR),
        column("held", "low_space.held_bytes", 8, ASKED_FOR),
        column("cohmask", "coherent_mask_bits", 7, ASKED_FOR),
    ]
});

/// How many bits a device can address.
pub(crate) const MASK: &str = "dma_mask_bits";
/// Shown as a bar too.
pub(crate) const PRESSURE: &str = "low_space.pressure";

/// The column with this title, or of the metric with this name.
pub(crate) fn find(word: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.title.eq_ignore_ascii_case(word) || column.metric == word)
}

impl Column {
    /// The value for a device over an interval of so many seconds.
    pub(crate) fn value(&self, device: &Device, seconds: f64) -> Option<f64> {
        let value = self.entry?.of_device(device)?;
        if !self.per_second {
            return Some(value);
        }
        (seconds > 0.0).then(|| value / seconds)
    }

    /// The value as text with its unit.
    pub(crate) fn render(&self, value: Option<f64>) -> String {
        let unit = self.entry.map_or(Unit::Count, |metric| metric.unit);
        match (self.per_second, unit) {
            (true, Unit::Count) => Unit::PerSecond.render(value),
            // "64 bit" under a headline that says so.
            (false, Unit::Bits) => Unit::Number.render(value),
            (_, unit) => unit.render(value),
        }
    }

    /// What it is, for people who ask.
    pub(crate) fn definition(&self) -> String {
        let each = if self.per_second { " (per second)" } else { "" };
        format!("{}{each}: {}", self.metric, self.entry.map_or("", |metric| metric.definition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_a_metric_with_a_title_of_its_own() {
        for (index, column) in COLUMNS.iter().enumerate() {
            assert!(column.entry.is_some(), "{} is no metric of devices", column.metric);
            assert!(column.title.len() <= usize::from(column.width), "{}", column.title);
            assert_eq!(find(column.title), Some(index), "{}", column.title);
            assert_eq!(find(column.metric), Some(index), "{}", column.metric);
        }
        assert_eq!(find("sacFAIL/s"), find("alloc.sac_failed"));
        assert_eq!(find("allocs"), None);
    }

    #[test]
    fn a_rate_of_bytes_is_in_bytes() {
        let column = COLUMNS[find("bytes/s").unwrap()];
        assert_eq!(column.render(Some(1.5 * 1024.0 * 1024.0)), "1.5 MiB");
    }
}
