//! The map of the space below 4 GiB: who holds what, from 0 at the left to 4 GiB at the right.

use super::super::theme::Role;
use super::pen::Pen;
use iova_core::metric::{self, Scope};
use iova_core::model::{Domain, Space};
use iova_core::snapshot::RangeKind;

const LOW_END: u64 = 1 << 32;

/// What holds most of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Free,
    Partly,
    Held(RangeKind),
}

const LEGEND: [(Mark, &str); 6] = [
    (Mark::Held(RangeKind::Live), "live"),
    (Mark::Held(RangeKind::Cached), "cached"),
    (Mark::Held(RangeKind::Pending), "pending"),
    (Mark::Held(RangeKind::Reserved), "reserved"),
    (Mark::Partly, "in pieces"),
    (Mark::Free, "free"),
];

impl Mark {
    fn look(self, unicode: bool) -> (Role, &'static str) {
        let pick = |wide: &'static str, ascii: &'static str| if unicode { wide } else { ascii };
        match self {
            Self::Free => (Role::Dim, pick("·", ".")),
            Self::Partly => (Role::Live, pick("░", ":")),
            Self::Held(RangeKind::Live) => (Role::Live, pick("█", "#")),
            Self::Held(RangeKind::Cached) => (Role::Cached, pick("▓", "+")),
            Self::Held(RangeKind::Pending) => (Role::Pending, pick("▒", "~")),
            Self::Held(RangeKind::Reserved) => (Role::Reserved, "/"),
        }
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
    let marks = marks(&domain.space, width * usize::from(lines));
    for (index, mark) in marks.iter().enumerate() {
        let (role, cell) = mark.look(pen.theme.unicode);
        pen.put((index % width) as u16, (index / width) as u16, role, cell);
    }
    legend(lines, pen);
    figures(domain, lines + 1, pen);
}

fn legend(y: u16, pen: &mut Pen<'_>) {
    let mut x = 0;
    for (mark, name) in LEGEND {
        let (role, cell) = mark.look(pen.theme.unicode);
        x = pen.put(x, y, role, cell);
        x = pen.put(x + 1, y, Role::Dim, name) + 2;
    }
}

fn figures(domain: &Domain, y: u16, pen: &mut Pen<'_>) {
    let show = |name: &str| {
        let value = metric::find(Scope::Domain, name).and_then(|metric| metric.of_domain(domain));
        metric::render(Scope::Domain, name, value)
    };
    let items = [
        ("in use", "low_space.pressure"),
        ("live", "low_space.live_bytes"),
        ("cached", "low_space.cached_bytes"),
        ("pending", "low_space.pending_bytes"),
        ("free", "low_space.free_bytes"),
        ("largest gap", "low_space.largest_gap_bytes"),
    ];
    let text: Vec<_> = items.iter().map(|(label, name)| format!("{label} {}", show(name))).collect();
    pen.put(0, y, Role::Plain, &text.join(", "));
}

fn marks(space: &Space, cells: usize) -> Vec<Mark> {
    let mut held = vec![[0_u64; 4]; cells];
    let pages = (LOW_END / space.granule.max(1)) as f64 / cells as f64;
    for range in &space.ranges {
        let slot = match range.kind {
            RangeKind::Reserved => 0,
            RangeKind::Live => 1,
            RangeKind::Cached => 2,
            RangeKind::Pending => 3,
        };
        let first = (range.pfn_lo as f64 / pages) as usize;
        let last = ((range.pfn_hi as f64 / pages) as usize).min(cells.saturating_sub(1));
        for cell in first..=last {
            let start = (range.pfn_lo as f64).max(cell as f64 * pages);
            let end = ((range.pfn_hi + 1) as f64).min((cell + 1) as f64 * pages);
            if let Some(slots) = held.get_mut(cell) {
                slots[slot] += (end - start).max(0.0) as u64;
            }
        }
    }
    held.iter().map(|slots| mark(slots, pages)).collect()
}

fn mark(slots: &[u64; 4], pages: f64) -> Mark {
    const KINDS: [RangeKind; 4] =
        [RangeKind::Reserved, RangeKind::Live, RangeKind::Cached, RangeKind::Pending];
    let used: u64 = slots.iter().sum();
    if used == 0 {
        return Mark::Free;
    }
    if used > slots[0] && (used as f64) < 0.9 * pages {
        return Mark::Partly;
    }
    let most = KINDS.into_iter().zip(slots).max_by_key(|(_, pages)| **pages);
    most.map_or(Mark::Free, |(kind, _)| Mark::Held(kind))
}
