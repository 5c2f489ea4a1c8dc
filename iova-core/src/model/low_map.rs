//! The space below 4 GiB as a row of cells, and what each holds. Every face draws the same map.

use super::domain::Space;
use crate::snapshot::RangeKind;
use std::ops::Range;

/// Where the space below 4 GiB ends, bytes.
pub const LOW_END: u64 = 1 << 32;

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing in it is used.
    Free,
    /// Less than half of it is used.
    Partly,
    /// What holds most of it.
    Held(RangeKind),
    /// The same, but an eighth of it or more is free: in pieces, most likely.
    Pieces(RangeKind),
}

/// The whole space below 4 GiB. A cell shows what holds most of it; if most of it is free, only whether anything is used
/// at all.
pub fn cells(space: &Space, count: usize) -> Vec<Cell> {
    tiles(space, 0..LOW_END, count).into_iter().map(|tile| tile.cell).collect()
}

/// A cell, and what could still be had there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub cell: Cell,
    /// Longest run of free pages inside.
    pub hole: u64,
    /// Its length, pages.
    pub pages: u64,
}

/// The addresses of `window` in `count` cells.
pub fn tiles(space: &Space, window: Range<u64>, count: usize) -> Vec<Tile> {
    let granule = space.granule.max(1);
    let (first, count) = (window.start / granule, count as u64);
    let pages = (window.end / granule).saturating_sub(first).max(1);
    // Cells of a map of any width have the same size but for one page; where there are more cells than pages, several
    // show one page.
    let begin = |cell: u64| first + cell * pages / count;
    (0..count).map(|cell| tile(space, begin(cell)..begin(cell + 1).max(begin(cell) + 1))).collect()
}

fn tile(space: &Space, pages: Range<u64>) -> Tile {
    let mut held = [0_u64; KINDS.len()];
    let (mut hole, mut free_from) = (0, pages.start);
    let from = space.ranges.partition_point(|range| range.pfn_hi < pages.start);
    let rest = space.ranges.get(from..).unwrap_or_default();
    for range in rest.iter().take_while(|range| range.pfn_lo < pages.end) {
        let (lo, end) = (range.pfn_lo.max(pages.start), (range.pfn_hi + 1).min(pages.end));
        if let Some((_, sum)) = KINDS.iter().zip(&mut held).find(|(kind, _)| **kind == range.kind) {
            *sum += end - lo;
        }
        hole = hole.max(lo.saturating_sub(free_from));
        free_from = end;
    }
    let length = pages.end - pages.start;
    hole = hole.max(pages.end.saturating_sub(free_from));
    Tile { cell: mark(&held, length), hole, pages: length }
}

const KINDS: [RangeKind; 4] = [RangeKind::Reserved, RangeKind::Live, RangeKind::Cached, RangeKind::Pending];

fn mark(slots: &[u64; KINDS.len()], pages: u64) -> Cell {
    let used: u64 = slots.iter().sum();
    let in_use = used - slots[0];
    if used == 0 {
        return Cell::Free;
    }
    if in_use > 0 && used * 2 < pages {
        return Cell::Partly;
    }
    let most = KINDS.iter().zip(slots).max_by_key(|(_, held)| **held);
    let gaps = in_use > 0 && (pages - used) * 8 >= pages;
    most.map_or(Cell::Free, |(kind, _)| if gaps { Cell::Pieces(*kind) } else { Cell::Held(*kind) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Range as Held;

    fn space(ranges: &[(u64, u64, RangeKind)]) -> Space {
        let range = |&(pfn_lo, pfn_hi, kind): &(u64, u64, RangeKind)| Held { pfn_lo, pfn_hi, kind };
        Space { granule: 4096, ranges: ranges.iter().map(range).collect(), seen_ns: 0 }
    }

    #[test]
    fn cells_show_what_holds_most_of_them() {
        let cell = (1 << 20) / 64;
        let space = space(&[
            (0, cell - 1, RangeKind::Reserved),
            (cell, 3 * cell - 1, RangeKind::Live),
            (3 * cell, 3 * cell + 1, RangeKind::Cached),
            (4 * cell, 4 * cell + cell / 2, RangeKind::Pending),
            ((1 << 20) + 5, (1 << 20) + 9, RangeKind::Live),
        ]);
        let cells = cells(&space, 64);
        let held = Cell::Held;
        assert_eq!(
            cells[..6],
            [
                held(RangeKind::Reserved),
                held(RangeKind::Live),
                held(RangeKind::Live),
                Cell::Partly,
                Cell::Pieces(RangeKind::Pending),
                Cell::Free
            ]
        );
        assert_eq!(cells.len(), 64);
        assert_eq!(cells[63], Cell::Free, "what is above 4 GiB is not on the map");
    }

    #[test]
    fn a_window_shows_pages_one_by_one_and_how_long_the_holes_are() {
        let space =
            space(&[(8, 9, RangeKind::Live), (12, 12, RangeKind::Pending), (20, 99, RangeKind::Cached)]);
        let seen = |window: Range<u64>, count| {
            let tiles = tiles(&space, window.start << 12..window.end << 12, count);
            tiles.iter().map(|tile| (tile.cell, tile.hole, tile.pages)).collect::<Vec<_>>()
        };
        let held = Cell::Held;
        assert_eq!(
            seen(9..13, 4),
            [
                (held(RangeKind::Live), 0, 1),
                (Cell::Free, 1, 1),
                (Cell::Free, 1, 1),
                (held(RangeKind::Pending), 0, 1)
            ]
        );
        assert_eq!(seen(0..16, 2), [(Cell::Free, 8, 8), (Cell::Partly, 3, 8)]);
        assert_eq!(seen(8..10, 4), [(held(RangeKind::Live), 0, 1); 4], "more cells than pages");
        assert_eq!(seen(8..8, 1), [(held(RangeKind::Live), 0, 1)]);
    }

    #[test]
    fn a_full_space_is_full_in_any_width() {
        let space = space(&[(0, (1 << 20) - 1, RangeKind::Live)]);
        for width in [1, 3, 77, 480, 1000] {
            let cells = cells(&space, width);
            assert!(cells.iter().all(|cell| *cell == Cell::Held(RangeKind::Live)), "{width}: {cells:?}");
            assert_eq!(cells.len(), width);
        }
        assert_eq!(cells(&space, 0), []);
    }
}
