//! One block per active device: counts, percentiles, sizes, histogram.

use super::devices::value;
use super::histogram;
use super::page::{Page, Style};
use super::table::{Align, Cell, Column, Table};
use super::{in_detail, title};
use crate::render::items;
use iova_core::metric::Unit;
use iova_core::model::{Device, Latency, Report};

pub(super) fn write(page: &mut Page, report: &Report) {
    let shown = in_detail(report);
    for device in &shown {
        block(page, report, device);
    }
    let left_out = report.devices.iter().filter(|device| device.active()).count() - shown.len();
    if left_out > 0 {
        page.blank();
        page.line(Style::Dim, &format!("{left_out} more active devices: see --device, or --format json"));
    }
}

fn block(page: &mut Page, report: &Report, device: &Device) {
    page.section(&title(device));
    page.words(Style::Plain, &identity(report, device));
    counts(page, device);
    percentiles(page, device);
    let granule = items::granule(report.domain_of(device));
    page.items("sizes  ", &sizes(device, granule));
    histogram::write(page, &device.alloc.latency_ns);
    slow_calls(page, device);
}

/// What it is, in words.
pub(in crate::render) fn identity(report: &Report, device: &Device) -> Vec<String> {
    let mut words = vec![device.name.clone()];
    // The heading shows the driver only where there is nothing better.
    words.extend(device.driver.clone().filter(|_| !device.functions.is_empty()));
    words.extend(device.group.map(|group| format!("group {group}")));
    words.extend(device.domain_type.map(|kind| iova_core::model::type_name(kind).to_owned()));
    words.extend(device.dma_mask_bits.map(|bits| format!("{bits}-bit mask")));
    words.extend(device.policy.configured.map(|policy| format!("policy {policy}")));
    words.extend(managed(device));
    if device.fell_back && report.host.sac_control.falls_back_for_good() {
        words.push("fell back to its full range".to_owned());
    }
    words
}

/// What the module was told, if that is anything but stock: "set to dac:40 (leased)".
fn managed(device: &Device) -> Option<String> {
    let (set, state) = (device.policy.set.as_ref()?, device.policy.state?);
    (set != "stock" || state != "idle").then(|| format!("set to {set} ({state})"))
}

fn counts(page: &mut Page, device: &Device) {
    let v = |name| value(device, name);
    let alloc = vec![
        format!("{} ({}/s, {})", v("alloc.count"), v("alloc.per_second"), v("alloc.bytes")),
        format!("failed {}", v("alloc.failed")),
        format!("slow {} ({})", v("alloc.slow"), v("alloc.slow_ratio")),
        format!("SAC failed {} of {}", v("alloc.sac_failed"), v("alloc.sac_attempts")),
        format!("high {} ({})", v("alloc.high"), v("policy.effective_high_ratio")),
        format!("cache flushes {}", v("cache.flushes")),
    ];
    page.items("alloc  ", &alloc);
    page.items("free   ", &[format!("{} ({})", v("free.count"), v("free.bytes"))]);
    if device.map.count.is_some() {
        let share = format!("allocator share {}", v("map.allocator_share"));
        page.items("map    ", &[v("map.count"), share]);
    }
    if device.faults.count > Some(0) {
        let first = device.faults.first.iter().map(|fault| fault.address.clone());
        let list = first.collect::<Vec<_>>().join(" ");
        page.items("faults ", &[v("faults.count"), format!("first at {list}")]);
    }
}

fn percentiles(page: &mut Page, device: &Device) {
    let rows: Vec<Vec<Cell>> = items::latencies(device)
        .into_iter()
        .map(|(name, latency, metric)| percentile_row(name, latency, device.is_approximate(metric)))
        .collect();
    if rows.is_empty() {
        return;
    }
    let left = |title| Column { title, align: Align::Left, priority: 9, min: None };
    let right = |title| Column { title, align: Align::Right, priority: 9, min: None };
    let mut columns = vec![left("latency  ")];
    columns.extend(items::PERCENTILES.map(right));
    Table { columns, rows }.write(page);
}

fn percentile_row(name: &str, latency: &Latency, approximate: bool) -> Vec<Cell> {
    let mut cells = vec![Cell { text: name.to_owned(), style: Style::Strong }];
    cells.extend(items::percentiles(latency, approximate).map(Cell::plain));
    cells
}

fn sizes(device: &Device, granule: u64) -> Vec<String> {
    let all = device.alloc.count.max(1) as f64;
    let orders = device.alloc.by_order.iter();
    orders
        .map(|entry| {
            format!(
                "{}: {} ({})",
                items::size(granule, entry.order),
                Unit::Count.render(Some(entry.count as f64)),
                Unit::Ratio.render(Some(entry.count as f64 / all)),
            )
        })
        .collect()
}

/// The slowest ones, and where the first came from.
fn slow_calls(page: &mut Page, device: &Device) {
    const CALLS: usize = 5;
    let calls = device.slow_calls.iter().take(CALLS);
    let calls: Vec<String> = calls
        .map(|call| {
            let time = Unit::Nanoseconds.render(Some(call.duration_ns as f64));
            format!("{time} for {}", Unit::Bytes.render(Some(call.size_bytes as f64)))
        })
        .collect();
    page.items("slowest  ", &calls);
    if let Some(first) = device.slow_calls.first().filter(|call| !call.stack.is_empty()) {
        page.wrapped(Style::Plain, "  first from  ", &items::path(&first.stack));
    }
}
