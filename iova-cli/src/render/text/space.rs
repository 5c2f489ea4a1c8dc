//! The map of the 32-bit space, one per domain.

use super::page::{Page, Style};
use super::{in_detail, title};
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::{Domain, OrderCount, Report, Space};
use iova_core::snapshot::RangeKind;

/// Cells of the map: 64 MiB each.
const CELLS: usize = 64;
const CELL_BYTES: u64 = (1 << 32) / CELLS as u64;
/// Domains of devices without a block of their own are shown from this pressure on.
const WORTH_SHOWING: f64 = 0.05;
/// Block sizes are listed as scarce below this.
const SCARCE: u64 = 64;

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Free,
    Some,
    Reserved,
    Live,
    Cached,
    Pending,
}

impl Mark {
    const LEGEND: [(Self, &'static str); 6] = [
        (Self::Reserved, "reserved"),
        (Self::Live, "live"),
        (Self::Cached, "cached"),
        (Self::Pending, "pending"),
        (Self::Some, "partly used"),
        (Self::Free, "free"),
    ];

    fn glyph(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Free, true) => "·",
            (Self::Free, false) => ".",
            (Self::Some, true) => "░",
            (Self::Some, false) => ":",
            (Self::Reserved, _) => "/",
            (Self::Live, true) => "█",
            (Self::Live, false) => "#",
            (Self::Cached, true) => "▓",
            (Self::Cached, false) => "+",
            (Self::Pending, true) => "▒",
            (Self::Pending, false) => "~",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Free | Self::Reserved => Style::Dim,
            Self::Some | Self::Live => Style::Good,
            Self::Cached => Style::Cached,
            Self::Pending => Style::Pending,
        }
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
    for mark in marks(&domain.space) {
        page.put(mark.style(), mark.glyph(page.unicode()));
    }
    page.line(Style::Plain, "| 4 GiB");
    figures(page, domain);
}

fn figures(page: &mut Page, domain: &Domain) {
    let v = |name: &str| {
        let value = metric::find(Scope::Domain, name).and_then(|metric| metric.of_domain(domain));
        metric::render(Scope::Domain, name, value)
    };
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
    for (index, (mark, name)) in Mark::LEGEND.into_iter().enumerate() {
        page.put(Style::Plain, if index == 0 { "" } else { "  " });
        page.put(mark.style(), mark.glyph(page.unicode()));
        page.put(Style::Dim, &format!(" {name}"));
    }
    page.end();
}

/// A cell shows what holds most of it; if most of it is free, only whether anything is used at all.
fn marks(space: &Space) -> Vec<Mark> {
    let cell_pages = (CELL_BYTES / space.granule.max(1)).max(1);
    let mut held = vec![[0u64; 4]; CELLS];
    for range in &space.ranges {
        let slot = match range.kind {
            RangeKind::Reserved => 0,
            RangeKind::Live => 1,
            RangeKind::Cached => 2,
            RangeKind::Pending => 3,
        };
        let last = (range.pfn_hi / cell_pages).min(CELLS as u64 - 1);
        for cell in range.pfn_lo / cell_pages..=last {
            let start = range.pfn_lo.max(cell * cell_pages);
            let end = (range.pfn_hi + 1).min((cell + 1) * cell_pages);
            held[cell as usize][slot] += end.saturating_sub(start);
        }
    }
    held.iter().map(|pages| mark(pages, cell_pages)).collect()
}

fn mark(pages: &[u64; 4], cell_pages: u64) -> Mark {
    const KINDS: [Mark; 4] = [Mark::Reserved, Mark::Live, Mark::Cached, Mark::Pending];
    let used: u64 = pages.iter().sum();
    let in_use = used - pages[0];
    if used == 0 {
        Mark::Free
    } else if in_use > 0 && used * 2 < cell_pages {
        Mark::Some
    } else {
        let most = (0..KINDS.len()).max_by_key(|&kind| pages[kind]).unwrap_or(0);
        KINDS[most]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iova_core::snapshot::Range;

    #[test]
    fn cells_show_what_holds_most_of_them() {
        let cell = CELL_BYTES / 4096;
        let range = |pfn_lo, pfn_hi, kind| Range { pfn_lo, pfn_hi, kind };
        let space = Space {
            granule: 4096,
            ranges: vec![
                range(0, cell - 1, RangeKind::Reserved),
                range(cell, 3 * cell - 1, RangeKind::Live),
                range(3 * cell, 3 * cell + 1, RangeKind::Cached),
                range(4 * cell, 4 * cell + cell / 2, RangeKind::Pending),
                range((1 << 20) + 5, (1 << 20) + 9, RangeKind::Live),
            ],
        };
        let marks = marks(&space);
        assert_eq!(
            marks[..6],
            [Mark::Reserved, Mark::Live, Mark::Live, Mark::Some, Mark::Pending, Mark::Free]
        );
        assert_eq!(marks.len(), CELLS);
        assert_eq!(marks[63], Mark::Free, "what is above 4 GiB is not on the map");
    }
}
