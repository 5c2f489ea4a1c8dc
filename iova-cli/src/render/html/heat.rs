//! Latency over time: a column per interval, a row per power of two, colour is how many. And what lies at which height.

use super::colour::LEVELS;
use super::image::Image;
use super::plot::{Plot, steps, svg};
use super::scale::{Rows, Tick};
use super::series::{Series, pack};
use super::write::Html;
use iova_core::model::Latency;

/// Levels per power of two: a colour tells a number to 4.5 %, and numbers up to 12 exactly.
const PER_OCTAVE: f64 = 8.0;

/// What the pictures of a page have in common.
pub(super) struct Looks {
    /// Colours of counts.
    pub(super) palette: Vec<super::colour::Rgb>,
    /// The largest count there is, over all devices.
    pub(super) most: u64,
}

impl Looks {
    pub(super) fn new<'a>(all: impl Iterator<Item = &'a Latency>) -> Self {
        let most = all.flat_map(|latency| cells(latency).into_values()).max().unwrap_or(0);
        // No further than the largest count: few colours would be left otherwise.
        let ramp = super::colour::counts();
        let top = level(most).max(2);
        let place =
            |level: u8| usize::from(LEVELS - 1) * usize::from(level.saturating_sub(1)) / usize::from(top - 1);
        let colour = |level: u8| ramp.get(1 + place(level)).copied().unwrap_or([0; 3]);
        let palette = ramp.first().copied().into_iter().chain((1..=top).map(colour)).collect();
        Self { palette, most }
    }
}

/// Calls per power of two.
pub(super) fn cells(latency: &Latency) -> std::collections::BTreeMap<u64, u64> {
    let mut rows = std::collections::BTreeMap::new();
    for bucket in &latency.buckets {
        *rows.entry(1 << bucket.from_ns.max(1).ilog2()).or_insert(0) += bucket.count;
    }
    rows
}

/// The colour of a count.
pub(super) fn level(count: u64) -> u8 {
    if count == 0 {
        return 0;
    }
    let level = 1.0 + (count as f64).log2() * PER_OCTAVE;
    level.round().clamp(1.0, f64::from(LEVELS)) as u8
}

/// The rows that a device needs; `None` if nothing was timed.
pub(super) fn rows<'a>(latencies: impl Iterator<Item = &'a Latency>) -> Option<Rows> {
    Rows::of(
        latencies.flat_map(|latency| latency.buckets.iter().map(|bucket| bucket.from_ns).chain(latency.max)),
    )
}

/// The heatmap, and the percentiles on the same scale.
pub(super) fn write(html: &mut Html, series: &Series, rows: Rows, x: &[Tick], looks: &Looks, width: &str) {
    let columns = series.latency.len();
    let mut image = Image::new(columns, rows.count(), &looks.palette);
    for (column, latency) in series.latency.iter().enumerate() {
        for (from, count) in cells(latency) {
            image.set(column, rows.count() - 1 - rows.index(from), level(count));
        }
    }
    let y = rows.ticks();
    let plot = Plot {
        kind: "heat",
        title: &format!("{}Allocation latency", series.latency_mark),
        note: &format!("timed calls per {width} (colour) and power of two"),
        height: (rows.count() as f64 * 0.7).clamp(6.0, 14.0),
        y: &y,
        x,
        ends: &[],
    };
    let first = rows.first.to_string();
    plot.write(html, &[("data-first", &first)], |html| {
        image.draw(html, "px", "heatmap of allocation latency")
    });
    percentiles(html, series, rows, &y, x, width);
}

fn percentiles(html: &mut Html, series: &Series, rows: Rows, y: &[Tick], x: &[Tick], width: &str) {
    let lines = [
        ("max", series.each(|latency| latency.max)),
        ("p99", series.each(|latency| latency.p99)),
        ("p50", series.each(|latency| latency.p50)),
    ];
    let last = |values: &[Option<u64>]| values.iter().rev().flatten().next().copied();
    let ends: Vec<(f64, &'static str)> =
        lines.iter().filter_map(|(name, values)| Some((rows.place(last(values)?), *name))).collect();
    let plot = Plot {
        kind: "percentiles",
        title: &format!("{}Percentiles of allocation latency", series.latency_mark),
        note: &format!("of each {width}, logarithmic"),
        height: 8.0,
        y,
        x,
        ends: &ends,
    };
    let [max, p99, p50] =
        lines.each_ref().map(|(_, values)| pack(values.iter().map(|ns| ns.map(|ns| ns as f64))));
    plot.write(html, &[("data-max", &max), ("data-p99", &p99), ("data-p50", &p50)], |html| {
        svg(html, series.latency.len(), |html| {
            for (name, values) in &lines {
                let places: Vec<_> = values.iter().map(|ns| ns.map(|ns| rows.place(ns))).collect();
                html.element("path", &[("class", name), ("d", &steps(&places))], "");
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_tells_how_many() {
        assert_eq!(level(0), 0);
        let told = |count: u64| ((f64::from(level(count)) - 1.0) / PER_OCTAVE).exp2();
        assert!((1..=12).all(|count| told(count).round() as u64 == count));
        for count in [100, 4321, 1_000_000, 1 << 30] {
            assert!((told(count) / count as f64 - 1.0).abs() < 0.045, "{count}: {}", told(count));
        }
        assert_eq!(level(u64::MAX), LEVELS);
    }
}
