//! The map of the 32-bit space, one per domain.

use super::page::{Page, Style};
use super::{in_detail, title};
use crate::render::low_map::{Cell, cells};
use iova_core::metric::{self, Unit};
use iova_core::model::{Domain, OrderCount, Report};
use iova_core::snapshot::RangeKind;

/// Cells of the map: 64 MiB each.
const CELLS: usize = 64;
const CELL_BYTES: u64 = (1 << 32) / CELLS as u64;
/// Domains of devices without a block of their own are shown from this pressure on.
const WORTH_SHOWING: f64 = 0.05;
/// Block sizes are listed as scarce below this.
const SCARCE: u64 = 64;

fn style(cell: Cell) -> Style {
    match cell {
        Cell::Free | Cell::Held(RangeKind::Reserved) => Style::Dim,
        Cell::Partly | Cell::Held(RangeKind::Live) => Style::Good,
        Cell::Held(RangeKind::Cached) => Style::Cached,
        Cell::Held(RangeKind::Pending) => Style::Pending,
    }
}

pub(super) fn write(page: &mut Page, report: &Report) {
    let detailed = in_detail(report);
    let worth = |domain: &&Domain| {
        detailed.iter().any(|device| device.iovad == Some(domain.iovad))
            || domain.low_space.pressure.is_some_and(|pressure| pressure >= WORTH_SHOWING)
    };
    let (shown, rest): (Vec<&Domain>, Vec<&Domain>) = report.domains.iter().partition(worth);
    if shown.is_empty() {
        return;
    }
    page.section(&format!("32-BIT SPACE (one cell: {})", Unit::Bytes.render(Some(CELL_BYTES as f64))));
    for domain in shown {
        block(page, report, domain);
    }
    legend(page);
    if !rest.is_empty() {
        let limit = Unit::Ratio.render(Some(WORTH_SHOWING));
        page.line(Style::Dim, &format!("left out: {} more, with less than {limit} in use", rest.len()));
    }
}

fn block(page: &mut Page, report: &Report, domain: &Domain) {
    let members: Vec<String> = report.devices_of(domain).map(title).collect();
    let group = domain.group.map_or_else(|| "group ?".to_owned(), |group| format!("group {group}"));
    let approximate =
        if domain.consistency == Some("approximate") { " (changed while it was read)" } else { "" };
    page.line(Style::Strong, &format!("{group}: {}{approximate}", members.join(", ")));
    if domain.space.granule == 0 {
        page.line(Style::Plain, "no snapshot of this domain");
        return;
    }
    page.put(Style::Plain, "0 |");
    for cell in cells(&domain.space, CELLS) {
        page.put(style(cell), cell.glyph(page.unicode()));
    }
    page.line(Style::Plain, "| 4 GiB");
    figures(page, domain);
}

fn figures(page: &mut Page, domain: &Domain) {
    let v = |name: &str| metric::render_domain(name, domain);
    let items = |names: &[(&str, &str)]| -> Vec<String> {
        names.iter().map(|(label, name)| format!("{label} {}", v(name))).collect()
    };
    let holders = [
        ("reserved", "low_space.reserved_bytes"),
        ("live", "low_space.live_bytes"),
        ("cached", "low_space.cached_bytes"),
        ("pending", "low_space.pending_bytes"),
        ("free", "low_space.free_bytes"),
    ];
    let mut holders = items(&holders);
    if domain.low_space.held_bytes > Some(0) {
        holders.push(format!("held by iova_policy {} (shown as live)", v("low_space.held_bytes")));
    }
    page.items("  ", &holders);
    let use_of_it = [
        ("in use", "low_space.pressure"),
        ("peak", "low_space.peak_used_bytes"),
        ("largest gap", "low_space.largest_gap_bytes"),
        ("above 4 GiB", "high_bytes"),
        ("tree nodes", "nodes"),
    ];
    let mut second = items(&use_of_it);
    if domain.max32_alloc_bytes.is_some() {
        second.push(format!("requests from {} on fail at once", v("max32_alloc_bytes")));
    }
    page.items("  ", &second);
    page.items("  flush queue: ", &flush_queue(domain));
    page.items("  free aligned blocks: ", &scarce(domain));
    page.items("  cached: ", &cached(domain));
}

/// Nothing for a domain that unmaps at once and never ran the timer.
fn flush_queue(domain: &Domain) -> Vec<String> {
    let (queue, timer) = (&domain.flush_queue, &domain.flush_queue.timer_ns);
    let mut items = Vec::new();
    if queue.lazy == Some(true) {
        items.extend(
            queue.entries.map(|entries| format!("{} entries", Unit::Count.render(Some(entries as f64)))),
        );
    }
    if let (Some(runs), Some(p99), Some(max)) = (timer.samples, timer.p99, timer.max) {
        let [p99, max] = [p99, max].map(|ns| Unit::Nanoseconds.render(Some(ns as f64)));
        items.push(format!("{} timer runs of p99 {p99}, max {max}", Unit::Count.render(Some(runs as f64))));
    }
    items
}

/// How many requests of a size would still succeed, where that is few.
fn scarce(domain: &Domain) -> Vec<String> {
    // Larger requests are rare enough not to worry about.
    const LARGEST: u64 = 2 << 20;
    if domain.low_space.held_bytes > Some(0) {
        // Nobody is to find one.
        return Vec::new();
    }
    let granule = domain.granule_bytes.unwrap_or(4096);
    let common = |entry: &&OrderCount| entry.count < SCARCE && granule << entry.order <= LARGEST;
    domain.aligned_blocks.iter().filter(common).map(|entry| by_size(granule, entry)).collect()
}

fn cached(domain: &Domain) -> Vec<String> {
    let granule = domain.granule_bytes.unwrap_or(4096);
    domain.cached_by_order.iter().map(|entry| by_size(granule, entry)).collect()
}

fn by_size(granule: u64, entry: &OrderCount) -> String {
    let size = Unit::Bytes.render(Some((granule << entry.order) as f64));
    format!("{size}: {}", Unit::Count.render(Some(entry.count as f64)))
}

fn legend(page: &mut Page) {
    for (index, (cell, name)) in Cell::LEGEND.into_iter().enumerate() {
        page.put(Style::Plain, if index == 0 { "" } else { "  " });
        page.put(style(cell), cell.glyph(page.unicode()));
        page.put(Style::Dim, &format!(" {name}"));
    }
    page.end();
}
