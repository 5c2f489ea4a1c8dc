//! One device over time.

use super::super::device::Device;
use super::super::incident::{self, Incident};
use super::super::latency::{Bucket, Latency};
use iova_common::hist;

/// Kinds of events that are kept per device: more there are only if an IOMMU gives many reasons.
const KINDS: usize = 16;

/// What a device did in one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Allocations, failed ones included.
    pub allocs: u64,
    /// Allocations that returned 0.
    pub failed: u64,
    /// Allocations whose address is at or above 4 GiB.
    pub high: u64,
    /// Calls of `alloc_iova_fast`.
    pub fast_calls: u64,
    /// Those that searched the tree.
    pub slow: Option<u64>,
    /// SAC attempts that failed.
    pub sac_failed: Option<u64>,
    /// Accesses that the IOMMU refused.
    pub faults: Option<u64>,
    /// Latencies were timed.
    timed: bool,
    /// Index of [`hist`], and how many.
    buckets: Vec<(u16, u32)>,
    max: u64,
}

impl Stretch {
    pub(super) fn of(device: &Device) -> Self {
        let latency = &device.alloc.latency_ns;
        let bucket = |bucket: &Bucket| (hist::index(bucket.from_ns) as u16, cut(bucket.count));
        Self {
            allocs: device.alloc.count,
            failed: device.alloc.failed,
            high: device.alloc.high,
            fast_calls: device.fast_calls(),
            slow: device.alloc.slow,
            sac_failed: device.alloc.sac_failed,
            faults: device.faults.count,
            timed: latency.samples.is_some(),
            buckets: latency.buckets.iter().map(bucket).collect(),
            max: latency.max.unwrap_or(0),
        }
    }

    fn add(&mut self, more: &Self) {
        self.allocs += more.allocs;
        self.failed += more.failed;
        self.high += more.high;
        self.fast_calls += more.fast_calls;
        // What is unknown of a part is unknown of the whole.
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        self.slow = sum(self.slow, more.slow);
        self.sac_failed = sum(self.sac_failed, more.sac_failed);
        self.faults = sum(self.faults, more.faults);
        self.timed |= more.timed;
        self.max = self.max.max(more.max);
        for &(index, count) in &more.buckets {
            match self.buckets.binary_search_by_key(&index, |bucket| bucket.0) {
                Ok(place) => {
                    if let Some(bucket) = self.buckets.get_mut(place) {
                        bucket.1 = bucket.1.saturating_add(count);
                    }
                }
                Err(place) => self.buckets.insert(place, (index, count)),
            }
        }
    }

    /// Allocation latency; the mean is not kept.
    pub fn latency(&self) -> Latency {
        if !self.timed {
            return Latency::default();
        }
        let buckets = self.buckets.iter().map(|&(index, count)| (usize::from(index), u64::from(count)));
        Latency::of_buckets(buckets, self.max)
    }

    /// Share of the calls of `alloc_iova_fast` that searched the tree; `None` if unknown, or without a call.
    pub fn slow_ratio(&self) -> Option<f64> {
        let slow = self.slow?.min(self.fast_calls);
        (self.fast_calls > 0).then(|| slow as f64 / self.fast_calls as f64)
    }
}

/// No interval has more.
fn cut(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A kind of event: all of a device together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// CLOCK_MONOTONIC of the end of the first interval that told of it, or of the event if that was before, ns.
    pub first_ns: u64,
    /// The last one; how many there were, and their sizes, of all.
    pub all: Incident,
    /// Columns with any, and how many were told.
    pub columns: Vec<(u32, u64)>,
}

/// A device over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceStory {
    /// As in [`Device::bdf`].
    pub bdf: String,
    /// The columns in which it did anything, in order.
    pub columns: Vec<(u32, Stretch)>,
    /// Events, by kind.
    pub happened: Vec<Happened>,
}

impl DeviceStory {
    pub(super) fn new(bdf: &str) -> Self {
        Self { bdf: bdf.to_owned(), ..Self::default() }
    }

    pub(super) fn add(&mut self, column: u32, more: Stretch) {
        match self.columns.last_mut() {
            Some((last, stretch)) if *last == column => stretch.add(&more),
            _ => self.columns.push((column, more)),
        }
    }

    pub(super) fn note(&mut self, column: u32, incident: &Incident) {
        let known = self.happened.iter_mut().find(|known| incident::like(&known.all.last, &incident.last));
        if let Some(Happened { all, columns, .. }) = known {
            all.absorb_all(incident);
            match columns.last_mut() {
                Some((last, count)) if *last == column => *count += incident.count,
                _ => columns.push((column, incident.count)),
            }
        } else if self.happened.len() < KINDS {
            let columns = vec![(column, incident.count)];
            self.happened.push(Happened { first_ns: incident.ns, all: incident.clone(), columns });
        }
    }

    /// All that it did in the columns `from..end`.
    pub fn over(&self, from: u32, end: u32) -> Option<Stretch> {
        let first = self.columns.partition_point(|(column, _)| *column < from);
        let mut parts = self.columns.get(first..)?.iter().take_while(|(column, _)| *column < end);
        let mut sum = parts.next()?.1.clone();
        parts.for_each(|(_, more)| sum.add(more));
        Some(sum)
    }

    pub(super) fn halve(&mut self) {
        let before = std::mem::take(&mut self.columns);
        before.into_iter().for_each(|(column, stretch)| self.add(column / 2, stretch));
        for happened in &mut self.happened {
            let before = std::mem::take(&mut happened.columns);
            for (column, count) in before {
                match happened.columns.last_mut() {
                    Some((last, sum)) if *last == column / 2 => *sum += count,
                    _ => happened.columns.push((column / 2, count)),
                }
            }
        }
    }
}
