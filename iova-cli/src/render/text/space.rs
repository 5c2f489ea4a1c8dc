//! The map of the 32-bit space, one per domain.

use super::page::{Page, Style};
use super::{in_detail, title};
use crate::render::items;
use crate::render::low_map::{Cell, LEGEND, cells, glyph};
use iova_core::metric::Unit;
use iova_core::model::{Domain, Report};
use iova_core::snapshot::RangeKind;

/// Cells of the map: 64 MiB each.
const CELLS: usize = 64;
const CELL_BYTES: u64 = (1 << 32) / CELLS as u64;
/// Domains of devices without a block of their own are shown from this pressure on.
const WORTH_SHOWING: f64 = 0.05;

fn style(cell: Cell) -> Style {
    match cell {
        Cell::Free => Style::Dim,
        Cell::Partly => Style::Good,
        Cell::Held(kind) | Cell::Pieces(kind) => match kind {
            RangeKind::Reserved => Style::Dim,
            RangeKind::Live => Style::Good,
            RangeKind::Cached => Style::Cached,
            RangeKind::Pending => Style::Pending,
        },
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
        page.put(style(cell), glyph(cell, page.unicode()));
    }
    page.line(Style::Plain, "| 4 GiB");
    figures(page, domain);
}

fn figures(page: &mut Page, domain: &Domain) {
    page.items("  ", &items::holders(domain));
    page.items("  ", &items::use_of_space(domain));
    page.items("  flush queue: ", &items::flush_queue(domain));
    page.items("  free aligned blocks: ", &items::scarce(domain));
    page.items("  cached: ", &items::cached(domain));
}

fn legend(page: &mut Page) {
    for (index, (cell, name)) in LEGEND.into_iter().enumerate() {
        page.put(Style::Plain, if index == 0 { "" } else { "  " });
        page.put(style(cell), glyph(cell, page.unicode()));
        page.put(Style::Dim, &format!(" {name}"));
    }
    page.end();
}
