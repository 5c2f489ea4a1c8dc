//! The space below 4 GiB as a row of cells: what each holds, and how it looks. The report and `iova top` draw it alike.

use iova_core::model::Space;
use iova_core::snapshot::RangeKind;

const LOW_END: u64 = 1 << 32;

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Free,
    /// Less than half of it is used.
    Partly,
    /// What holds most of it.
    Held(RangeKind),
}

impl Cell {
    /// Every cell there is, with its name.
    pub(crate) const LEGEND: [(Self, &'static str); 6] = [
        (Self::Held(RangeKind::Reserved), "reserved"),
        (Self::Held(RangeKind::Live), "live"),
        (Self::Held(RangeKind::Cached), "cached"),
        (Self::Held(RangeKind::Pending), "pending"),
        (Self::Partly, "partly used"),
        (Self::Free, "free"),
    ];

    pub(crate) fn glyph(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Free, true) => "·",
            (Self::Free, false) => ".",
            (Self::Partly, true) => "░",
            (Self::Partly, false) => ":",
            (Self::Held(RangeKind::Reserved), _) => "/",
            (Self::Held(RangeKind::Live), true) => "█",
            (Self::Held(RangeKind::Live), false) => "#",
            (Self::Held(RangeKind::Cached), true) => "▓",
            (Self::Held(RangeKind::Cached), false) => "+",
            (Self::Held(RangeKind::Pending), true) => "▒",
            (Self::Held(RangeKind::Pending), false) => "~",
        }
    }
}

/// A cell shows what holds most of it; if most of it is free, only whether anything is used at all.
pub(crate) fn cells(space: &Space, count: usize) -> Vec<Cell> {
    let (pages, count_pages) = (LOW_END / space.granule.max(1), count.max(1) as u64);
    // Where a cell begins: cells of a map of any width have the same size but for one page.
    let begin = |cell: u64| cell * pages / count_pages;
    let mut held = vec![[0_u64; KINDS.len()]; count];
    for range in space.ranges.iter() {
        let slot = KINDS.iter().position(|kind| *kind == range.kind);
        let last = (range.pfn_hi + 1).min(pages);
        let mut cell = range.pfn_lo * count_pages / pages;
        while let (Some(slots), true) = (held.get_mut(cell as usize), begin(cell) < last) {
            let part = last.min(begin(cell + 1)).saturating_sub(range.pfn_lo.max(begin(cell)));
            if let Some(sum) = slot.and_then(|slot| slots.get_mut(slot)) {
                *sum += part;
            }
            cell += 1;
        }
    }
    (0..).zip(&held).map(|(cell, slots)| mark(slots, begin(cell + 1) - begin(cell))).collect()
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
    let most = KINDS.into_iter().zip(slots).max_by_key(|(_, held)| **held);
    most.map_or(Cell::Free, |(kind, _)| Cell::Held(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iova_core::snapshot::Range;

    fn space(ranges: &[(u64, u64, RangeKind)]) -> Space {
        let range = |&(pfn_lo, pfn_hi, kind): &(u64, u64, RangeKind)| Range { pfn_lo, pfn_hi, kind };
        Space { granule: 4096, ranges: ranges.iter().map(range).collect() }
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
                held(RangeKind::Pending),
                Cell::Free
            ]
        );
        assert_eq!(cells.len(), 64);
        assert_eq!(cells[63], Cell::Free, "what is above 4 GiB is not on the map");
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
