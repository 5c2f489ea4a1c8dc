//! The map of the space below 4 GiB: who holds what, from the low addresses at the left to the high ones at the right.

use super::super::theme::Role;
use super::pen::Pen;
use crate::render::items;
use crate::render::low_map::{Cell, LEGEND, LOW_END, Tile, glyph, tiles};
use iova_core::model::{Domain, Space};
use iova_core::snapshot::RangeKind;
use std::ops::Range;

fn role(cell: Cell) -> Role {
    match cell {
        Cell::Free => Role::Dim,
        Cell::Partly => Role::Live,
        Cell::Held(kind) | Cell::Pieces(kind) => match kind {
            RangeKind::Live => Role::Live,
            RangeKind::Cached => Role::Cached,
            RangeKind::Pending => Role::Pending,
            RangeKind::Reserved => Role::Reserved,
        },
    }
}

/// The domain, if its space could be read.
pub(super) fn readable(domain: Option<&Domain>) -> Option<&Domain> {
    domain.filter(|domain| domain.space.granule > 0)
}

/// What to say if not.
pub(super) const UNREADABLE: &str = "the state of the allocator can't be read: see iova doctor";

/// As many lines as there is room for, one below the other; then the legend and the figures.
pub(super) fn draw(domain: Option<&Domain>, pen: &mut Pen<'_>) {
    let Some(domain) = readable(domain) else {
        pen.put(0, 0, Role::Dim, UNREADABLE);
        return;
    };
    let lines = pen.height().saturating_sub(2).clamp(1, 6);
    map(&domain.space, 0..LOW_END, lines, false, pen);
    legend(lines, pen);
    pen.put(0, lines + 1, Role::Plain, &items::space_in_brief(domain).join(", "));
}

/// The addresses of `window` on `lines` lines; with `holes`, a second line below each shows the longest hole of a cell.
pub(super) fn map(space: &Space, window: Range<u64>, lines: u16, holes: bool, pen: &mut Pen<'_>) {
    let width = usize::from(pen.width()).max(1);
    let tall = 1 + u16::from(holes);
    for (index, tile) in tiles(space, window, width * usize::from(lines)).into_iter().enumerate() {
        let (x, y) = ((index % width) as u16, (index / width) as u16 * tall);
        let glyph = glyph(tile.cell, pen.theme.unicode);
        pen.put(x, y, role(tile.cell), glyph);
        let eighths = depth(tile);
        if holes && eighths > 0 {
            pen.put(x, y + 1, hole_role(eighths), pen.theme.spark(eighths));
        }
    }
}

/// The longest hole of a cell in eighths: 0 for none, 8 if all is free; between, each step is so many times longer.
fn depth(tile: Tile) -> u8 {
    match tile.hole {
        0 => 0,
        hole if hole >= tile.pages => 8,
        hole => {
            let share = (hole as f64).ln() / (tile.pages as f64).ln();
            (share * 7.0).round().clamp(1.0, 7.0) as u8
        }
    }
}

fn hole_role(eighths: u8) -> Role {
    match eighths {
        0..=3 => Role::Bad,
        4..=6 => Role::Warning,
        _ => Role::Good,
    }
}

pub(super) fn legend(y: u16, pen: &mut Pen<'_>) {
    let mut x = 0;
    for (cell, name) in LEGEND {
        let glyph = glyph(cell, pen.theme.unicode);
        x = pen.put(x, y, role(cell), glyph);
        x = pen.put(x + 1, y, Role::Dim, name) + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_as_deep_as_they_are_long() {
        let depth = |hole, pages| depth(Tile { cell: Cell::Free, hole, pages });
        assert_eq!([depth(0, 4096), depth(1, 4096), depth(64, 4096), depth(4095, 4096)], [0, 1, 4, 7]);
        assert_eq!([depth(4096, 4096), depth(1, 1), depth(0, 1)], [8, 8, 0]);
    }
}
