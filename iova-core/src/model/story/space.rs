//! The space of one domain over time, as it was looked at now and then.

use super::super::domain::Domain;
use super::super::low_map::{Cell, cells};
use crate::snapshot::Range;
use std::sync::Arc;

/// Cells of a look: 64 MiB each.
const CELLS: usize = 64;

/// How the space below 4 GiB looked at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The column it was taken in; it holds until the next.
    pub column: u32,
    /// What each of 64 cells holds, low addresses first.
    pub cells: Box<[Cell]>,
    /// As [`super::super::LowSpace::pressure`].
    pub pressure: Option<f64>,
    /// As [`super::super::LowSpace::largest_gap_bytes`].
    pub largest_gap_bytes: Option<u64>,
    /// Two readings agreed.
    pub stable: bool,
}

/// A domain over time.
#[derive(Clone, Debug)]
pub struct SpaceStory {
    /// Address of its `struct iova_domain`: only to join.
    pub iovad: u64,
    /// IOMMU group that uses it.
    pub group: Option<u32>,
    /// The looks, in order, at most one per column: the fullest.
    pub looks: Vec<Look>,
    /// What was seen last: the same again is no new look.
    seen: Arc<[Range]>,
}

impl SpaceStory {
    pub(super) fn new(column: u32, domain: &Domain) -> Self {
        let seen = Arc::clone(&domain.space.ranges);
        Self { iovad: domain.iovad, group: domain.group, looks: vec![look(column, domain)], seen }
    }

    pub(super) fn is_of(&self, domain: &Domain) -> bool {
        (self.iovad, self.group) == (domain.iovad, domain.group)
    }

    pub(super) fn add(&mut self, column: u32, domain: &Domain) {
        if Arc::ptr_eq(&self.seen, &domain.space.ranges) {
            return;
        }
        self.seen = Arc::clone(&domain.space.ranges);
        push(&mut self.looks, look(column, domain));
    }

    pub(super) fn halve(&mut self) {
        let before = std::mem::take(&mut self.looks);
        before.into_iter().for_each(|look| push(&mut self.looks, Look { column: look.column / 2, ..look }));
    }
}

fn push(looks: &mut Vec<Look>, look: Look) {
    match looks.last_mut() {
        Some(last) if last.column == look.column => {
            if last.pressure <= look.pressure {
                *last = look;
            }
        }
        _ => looks.push(look),
    }
}

fn look(column: u32, domain: &Domain) -> Look {
    Look {
        column,
        cells: cells(&domain.space, CELLS).into(),
        pressure: domain.low_space.pressure,
        largest_gap_bytes: domain.low_space.largest_gap_bytes,
        stable: domain.consistency == Some("stable"),
    }
}
