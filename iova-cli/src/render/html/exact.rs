//! The numbers behind the pictures, as tables.

use super::Run;
use super::series::per_second;
use super::write::Html;
use crate::render::items;
use crate::render::text::value;
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::Device;
use iova_core::model::story::{DeviceStory, Story};

/// Rows of the table over time at most: more is what pictures are for.
const ROWS: usize = 30;

pub(super) fn write(html: &mut Html, run: Run<'_>, device: &Device) {
    html.raw("<details><summary>Numbers</summary>\n");
    latencies(html, device);
    if let Some(story) = run.story.device(&device.bdf) {
        let mark =
            if device.approximate.is_empty() { "" } else { " (~ not all of it exact: see data quality)" };
        html.element("h3", &[], &format!("Over time{mark}"));
        over_time(html, run.story, story);
    }
    slow_calls(html, device);
    metrics(html, device);
    html.raw("</details>\n");
}

fn latencies(html: &mut Html, device: &Device) {
    let rows: Vec<Vec<String>> = items::latencies(device)
        .into_iter()
        .map(|(name, latency, metric)| {
            let figures = items::percentiles(latency, device.is_approximate(metric));
            std::iter::once(name.to_owned()).chain(figures).collect()
        })
        .collect();
    if !rows.is_empty() {
        html.raw("<h3>Latencies of the whole time</h3>");
        let head: Vec<&str> = std::iter::once("latency").chain(items::PERCENTILES.map(str::trim)).collect();
        html.figures(&head, &rows);
    }
}

fn over_time(html: &mut Html, story: &Story, device: &DeviceStory) {
    let columns = story.columns();
    let step = columns.len().div_ceil(ROWS).max(1);
    let start = columns.first().map_or(0, |column| column.from_ns);
    let seconds = |ns: u64| ns.saturating_sub(start) as f64 / 1e9;
    let rows = columns.chunks(step).enumerate().filter_map(|(index, part)| {
        let (first, last) = (part.first()?, part.last()?);
        let from = index * step;
        let times = format!("{:.1} to {:.1} s", seconds(first.from_ns), seconds(last.ns));
        let length = seconds(last.ns) - seconds(first.from_ns);
        let Some(stretch) = device.over(from as u32, (from + part.len()) as u32) else {
            return Some([times, "0".into()].into_iter().chain(std::iter::repeat_n("-".into(), 8)).collect());
        };
        let latency = stretch.latency();
        let count = |value: Option<u64>| Unit::Count.render(value.map(|value| value as f64));
        let ns = |value: Option<u64>| Unit::Nanoseconds.render(value.map(|value| value as f64));
        Some(vec![
            times,
            count(Some(stretch.allocs)),
            Unit::PerSecond.render(per_second(&stretch, Some(length))),
            ns(latency.p50),
            ns(latency.p99),
            ns(latency.max),
            Unit::Ratio.render(stretch.slow_ratio()),
            count(stretch.sac_failed),
            count(Some(stretch.high)),
            count(Some(stretch.failed)),
        ])
    });
    let head =
        ["time", "allocs", "allocs/s", "p50", "p99", "max", "slow", "SAC failed", "high", "no address"];
    html.figures(&head, &rows.collect::<Vec<Vec<String>>>());
}

fn slow_calls(html: &mut Html, device: &Device) {
    if device.slow_calls.is_empty() {
        return;
    }
    html.raw("<h3>Slowest allocations</h3>");
    let rows = device.slow_calls.iter().map(|call| {
        let time = Unit::Nanoseconds.render(Some(call.duration_ns as f64));
        vec![time, Unit::Bytes.render(Some(call.size_bytes as f64)), items::path(&call.stack)]
    });
    html.figures_and_words(&["took", "size", "called from"], &rows.collect::<Vec<_>>());
}

/// Every metric of the device that has a value.
fn metrics(html: &mut Html, device: &Device) {
    html.raw("<h3>All metrics of the whole time</h3>");
    let known = metric::all().filter(|metric| metric.scope() == Scope::Device);
    let rows = known.filter_map(|metric| {
        metric.of_device(device)?;
        Some(vec![metric.name.to_owned(), value(device, metric.name)])
    });
    html.raw("<div class=columns>");
    html.figures(&["metric", "value"], &rows.collect::<Vec<_>>());
    html.raw("</div>");
}
