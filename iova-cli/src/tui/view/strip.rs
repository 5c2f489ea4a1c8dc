//! The map of the space below 4 GiB: who holds what, from 0 at the left to 4 GiB at the right.

use super::super::theme::Role;
use super::pen::Pen;
use crate::render::low_map::{Cell, cells};
use iova_core::metric;
use iova_core::model::Domain;
use iova_core::snapshot::RangeKind;

fn role(cell: Cell) -> Role {
    match cell {
        Cell::Free => Role::Dim,
        Cell::Partly | Cell::Held(RangeKind::Live) => Role::Live,
        Cell::Held(RangeKind::Cached) => Role::Cached,
        Cell::Held(RangeKind::Pending) => Role::Pending,
        Cell::Held(RangeKind::Reserved) => Role::Reserved,
    }
}

/// As many lines as there is room for, one below the other; then the legend and the figures.
pub(super) fn draw(domain: Option<&Domain>, pen: &mut Pen<'_>) {
    let Some(domain) = domain.filter(|domain| domain.space.granule > 0) else {
        pen.put(0, 0, Role::Dim, "the state of the allocator can't be read: see iova doctor");
        return;
    };
    let lines = pen.height().saturating_sub(2).clamp(1, 4);
    let width = usize::from(pen.width());
    for (index, cell) in cells(&domain.space, width * usize::from(lines)).into_iter().enumerate() {
        let glyph = cell.glyph(pen.theme.unicode);
        pen.put((index % width) as u16, (index / width) as u16, role(cell), glyph);
    }
    legend(lines, pen);
    figures(domain, lines + 1, pen);
}

fn legend(y: u16, pen: &mut Pen<'_>) {
    let mut x = 0;
    for (cell, name) in Cell::LEGEND {
        let glyph = cell.glyph(pen.theme.unicode);
        x = pen.put(x, y, role(cell), glyph);
        x = pen.put(x + 1, y, Role::Dim, name) + 2;
    }
}

fn figures(domain: &Domain, y: u16, pen: &mut Pen<'_>) {
    let items = [
        ("in use", "low_space.pressure"),
        ("live", "low_space.live_bytes"),
        ("cached", "low_space.cached_bytes"),
        ("pending", "low_space.pending_bytes"),
        ("free", "low_space.free_bytes"),
        ("largest gap", "low_space.largest_gap_bytes"),
    ];
    let text: Vec<_> = items
        .iter()
        .map(|(label, name)| format!("{label} {}", metric::render_domain(name, domain)))
        .collect();
    pen.put(0, y, Role::Plain, &text.join(", "));
}
