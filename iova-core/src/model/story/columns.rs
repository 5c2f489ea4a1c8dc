//! The time axis.

use super::COLUMNS;

/// One interval, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// CLOCK_MONOTONIC at its start, ns.
    pub from_ns: u64,
    /// CLOCK_MONOTONIC at its end, ns.
    pub ns: u64,
}

impl Column {
    /// Its length, s.
    pub fn seconds(&self) -> f64 {
        self.ns.saturating_sub(self.from_ns) as f64 / 1e9
    }
}

/// All of them, each of the same number of intervals but for the last.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    all: Vec<Column>,
    /// Intervals of a column.
    width: usize,
    /// Intervals of the last column.
    filled: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self { all: Vec::new(), width: 1, filled: 1 }
    }
}

impl Columns {
    pub(super) fn all(&self) -> &[Column] {
        &self.all
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// True if the next interval needs a column that there is no room for.
    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= COLUMNS && self.filled >= self.width
    }

    /// Makes two neighbours one.
    pub(super) fn halve(&mut self) {
        let pairs = self.all.chunks(2).filter_map(|pair| Some((pair.first()?, pair.last()?)));
        self.all = pairs.map(|(first, last)| Column { from_ns: first.from_ns, ns: last.ns }).collect();
        self.width *= 2;
        self.filled = self.width;
    }

    /// The column of the interval that ends at `ns`.
    pub(super) fn push(&mut self, ns: u64, seconds: f64) -> u32 {
        match self.all.last_mut().filter(|_| self.filled < self.width) {
            Some(last) => {
                last.ns = ns;
                self.filled += 1;
            }
            None => {
                let from_ns = ns.saturating_sub((seconds * 1e9) as u64);
                self.all.push(Column { from_ns, ns });
                self.filled = 1;
            }
        }
        self.all.len().saturating_sub(1) as u32
    }
}
