//! How the cells of the map of the space below 4 GiB look on a terminal. The report and `iova top` draw it alike.

pub(crate) use iova_core::model::low_map::{Cell, LOW_END, Tile, cells, tiles};
use iova_core::snapshot::RangeKind;

/// Every cell there is, with its name.
pub(crate) const LEGEND: [(Cell, &str); 7] = [
    (Cell::Held(RangeKind::Reserved), "reserved"),
    (Cell::Held(RangeKind::Live), "live"),
    (Cell::Held(RangeKind::Cached), "cached"),
    (Cell::Held(RangeKind::Pending), "pending"),
    (Cell::Pieces(RangeKind::Live), "with gaps"),
    (Cell::Partly, "partly used"),
    (Cell::Free, "free"),
];

pub(crate) fn glyph(cell: Cell, unicode: bool) -> &'static str {
    match (cell, unicode) {
        (Cell::Free, true) => "·",
        (Cell::Free, false) => ".",
        (Cell::Partly, true) => "░",
        (Cell::Partly, false) => ":",
        (Cell::Pieces(_), true) => "▚",
        (Cell::Pieces(_), false) => "%",
        (Cell::Held(RangeKind::Reserved), _) => "/",
        (Cell::Held(RangeKind::Live), true) => "█",
        (Cell::Held(RangeKind::Live), false) => "#",
        (Cell::Held(RangeKind::Cached), true) => "▓",
        (Cell::Held(RangeKind::Cached), false) => "+",
        (Cell::Held(RangeKind::Pending), true) => "▒",
        (Cell::Held(RangeKind::Pending), false) => "~",
    }
}
