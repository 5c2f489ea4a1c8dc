//! Arithmetic of address space: gaps, aligned blocks, pages by kind. Pure functions.

use iova_common::agg::ORDERS;

use super::{LowSpace, Range, RangeKind};

/// Counts the pages below `end` (the first page at 4 GiB) by kind.
///
/// `ranges` are in address order and do not overlap. Pages below `start` are reserved: the kernel never hands them
/// out (`iova_domain.start_pfn`, at least 1, so that 0 can mean failure) although no node of the tree holds them.
pub(super) fn low_space(ranges: &[Range], start: u64, end: u64) -> LowSpace {
    let mut low = LowSpace::default();
    let mut next = 0;
    for range in ranges.iter().filter(|range| range.pfn_lo < end) {
        low.gap(next, range.pfn_lo, start);
        let last = range.pfn_hi.min(end - 1);
        low.add(range.kind, last + 1 - range.pfn_lo);
        next = last + 1;
    }
    low.gap(next, end, start);
    low
}

impl LowSpace {
    fn add(&mut self, kind: RangeKind, pages: u64) {
        *match kind {
            RangeKind::Reserved => &mut self.reserved,
            RangeKind::Live => &mut self.live,
            RangeKind::Cached => &mut self.cached,
            RangeKind::Pending => &mut self.pending,
        } += pages;
    }

    /// Pages `from..to` are in nobody's hands; those below `start` nobody can get.
    fn gap(&mut self, from: u64, to: u64, start: u64) {
        let usable = from.max(start);
        self.reserved += usable.min(to).saturating_sub(from);
        let pages = to.saturating_sub(usable);
        self.free += pages;
        self.largest_gap = self.largest_gap.max(pages);
        for (order, blocks) in self.aligned_blocks.iter_mut().enumerate() {
            *blocks += aligned_blocks(usable, to, order);
        }
    }
}

/// How many naturally aligned blocks of `2^order` pages fit into pages `from..to`.
fn aligned_blocks(from: u64, to: u64, order: usize) -> u64 {
    debug_assert!(order < ORDERS);
    let first = (from >> order) + u64::from(from & ((1 << order) - 1) != 0);
    (to >> order).saturating_sub(first)
}

/// Puts neighbours of one kind together: a reserved window next to another is one range to a reader.
pub(super) fn merge(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.kind == range.kind && last.pfn_hi.checked_add(1) == Some(range.pfn_lo) => {
                last.pfn_hi = range.pfn_hi;
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// A set of pages as closed intervals, in order, neither touching nor overlapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pages(Vec<(u64, u64)>);

impl Pages {
    pub(super) fn new(mut intervals: Vec<(u64, u64)>) -> Self {
        intervals.sort_unstable();
        let mut union: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
        for (lo, hi) in intervals.into_iter().filter(|(lo, hi)| lo <= hi) {
            match union.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => union.push((lo, hi)),
            }
        }
        Self(union)
    }

    /// True if every page of `lo..=hi` belongs to the set.
    pub(super) fn contains(&self, lo: u64, hi: u64) -> bool {
        let next = self.0.partition_point(|&(start, _)| start <= lo);
        next.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|&(_, end)| hi <= end)
    }
}

#[cfg(test)]
#[path = "space_tests.rs"]
mod tests;
