//! The counters of a device or domain as rows of numbers, and what of them is worth writing: one follows from another
//! nearly always, so that only the difference is written, and that is mostly nothing.

use iova_common::agg::ORDERS;

use super::wire::{unzigzag, zigzag};
use crate::sample::{DeviceCounters, DomainCounters, Histogram};

/// Counters of a device.
pub(super) const DEVICE: usize = ORDERS + 10;
/// Counters of a domain.
pub(super) const DOMAIN: usize = 4;

// Where they stand in the row. The order is that of the file: it never changes within a version.
const BYTES: usize = ORDERS;
const FAILED: usize = ORDERS + 1;
const HIGH: usize = ORDERS + 2;
const SLOW: usize = ORDERS + 3;
const SAC_ATTEMPTS: usize = ORDERS + 4;
const SAC_FAILED: usize = ORDERS + 5;
const TREE_FAILED: usize = ORDERS + 6;
const CACHE_FLUSHES: usize = ORDERS + 7;
const FREE_COUNT: usize = ORDERS + 8;
const FREE_BYTES: usize = ORDERS + 9;

/// Something that a sample has several of, with counters and latencies.
pub(super) trait Thing<const N: usize>: Clone {
    /// Its counters.
    fn row(&self) -> [u64; N];
    /// Sets them; what is not measured stays unknown.
    fn set_row(&mut self, row: [u64; N]);
    /// Its latency distributions; `None` for one that is not measured.
    fn latencies(&self) -> Vec<Option<&Histogram>>;
    /// The same, to be changed.
    fn latencies_mut(&mut self) -> Vec<Option<&mut Histogram>>;
    /// True if `other` is the same thing and measured alike.
    fn is_like(&self, other: &Self) -> bool;
    /// What is written of the differences between two rows; `None` if they can't be those of one thing that counts on.
    fn written(earlier: &[u64; N], now: &[u64; N]) -> Option<[u64; N]>;
    /// Latencies of the first kind that a step should have, given its row and the one before.
    fn calls(earlier: &[u64; N], now: &[u64; N]) -> u64;
    /// The row that [`Thing::written`] was made of.
    fn read(earlier: &[u64; N], written: &[u64; N]) -> [u64; N];
}

impl Thing<DEVICE> for DeviceCounters {
    fn row(&self) -> [u64; DEVICE] {
        let mut row = [0; DEVICE];
        let (orders, rest) = row.split_at_mut(ORDERS);
        orders.copy_from_slice(&self.alloc.by_order);
        let Self { alloc, free, .. } = self;
        rest.copy_from_slice(&[
            alloc.bytes,
            alloc.failed,
            alloc.high,
            alloc.slow,
            alloc.sac_attempts.unwrap_or(0),
            alloc.sac_failed.unwrap_or(0),
            alloc.tree_failed,
            alloc.cache_flushes,
            free.count,
            free.bytes,
        ]);
        row
    }

    fn set_row(&mut self, row: [u64; DEVICE]) {
        let Self { alloc, free, .. } = self;
        if let Some(orders) = row.first_chunk() {
            alloc.by_order = *orders;
        }
        (alloc.bytes, alloc.failed, alloc.high, alloc.slow) = (row[BYTES], row[FAILED], row[HIGH], row[SLOW]);
        alloc.sac_attempts = alloc.sac_attempts.map(|_| row[SAC_ATTEMPTS]);
        alloc.sac_failed = alloc.sac_failed.map(|_| row[SAC_FAILED]);
        (alloc.tree_failed, alloc.cache_flushes) = (row[TREE_FAILED], row[CACHE_FLUSHES]);
        (free.count, free.bytes) = (row[FREE_COUNT], row[FREE_BYTES]);
    }

    fn latencies(&self) -> Vec<Option<&Histogram>> {
        vec![Some(&self.alloc.latency), self.free.latency.as_ref(), self.map.as_ref()]
    }

    fn latencies_mut(&mut self) -> Vec<Option<&mut Histogram>> {
        vec![Some(&mut self.alloc.latency), self.free.latency.as_mut(), self.map.as_mut()]
    }

    fn is_like(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.dev, it.generation, it.iovad, it.group, it.gone);
        let measured = |it: &Self| (it.alloc.sac_attempts.is_some(), it.alloc.sac_failed.is_some());
        place(self) == place(other) && measured(self) == measured(other)
    }

    fn written(earlier: &[u64; DEVICE], now: &[u64; DEVICE]) -> Option<[u64; DEVICE]> {
        let mut row = [0; DEVICE];
        for ((written, now), earlier) in row.iter_mut().zip(now).zip(earlier) {
            *written = now.checked_sub(*earlier)?;
        }
        follow(&mut row, |expected, value| zigzag(expected.wrapping_sub(value).cast_signed()));
        Some(row)
    }

    fn calls(earlier: &[u64; DEVICE], now: &[u64; DEVICE]) -> u64 {
        let orders = now.iter().zip(earlier).take(ORDERS);
        orders.fold(0u64, |sum, (now, earlier)| sum.wrapping_add(now.wrapping_sub(*earlier)))
    }

    fn read(earlier: &[u64; DEVICE], written: &[u64; DEVICE]) -> [u64; DEVICE] {
        let mut row = *written;
        follow(&mut row, |expected, written| expected.wrapping_sub(unzigzag(written).cast_unsigned()));
        for (value, earlier) in row.iter_mut().zip(earlier) {
            *value = value.wrapping_add(*earlier);
        }
        row
    }
}

/// Replaces what follows from other numbers. In both directions a number is only looked at in plain form: what was
/// expected is made before it is replaced, in the order in which reading has it.
fn follow(row: &mut [u64; DEVICE], replace: impl Fn(u64, u64) -> u64) {
    let (orders, _) = row.split_at(ORDERS);
    let count = orders.iter().fold(0u64, |sum, &count| sum.wrapping_add(count));
    let pages = orders.iter().enumerate().fold(0u64, |sum, (order, &count)| sum.wrapping_add(count << order));
    // A request is as large as its pages, an attempt below 4 GiB is made for each, and each is freed soon.
    let bytes = pages.wrapping_mul(4096);
    let expected = [(BYTES, bytes), (SAC_ATTEMPTS, count), (FREE_COUNT, count), (FREE_BYTES, bytes)];
    for (index, expected) in expected {
        row[index] = replace(expected, row[index]);
    }
}

impl Thing<DOMAIN> for DomainCounters {
    fn row(&self) -> [u64; DOMAIN] {
        let signed = [self.low_pages_delta, self.high_pages_delta, self.nodes_delta];
        let [low, high, nodes] = signed.map(i64::cast_unsigned);
        [low, high, nodes, self.cache_flushes]
    }

    fn set_row(&mut self, [low, high, nodes, flushes]: [u64; DOMAIN]) {
        let [low, high, nodes] = [low, high, nodes].map(u64::cast_signed);
        (self.low_pages_delta, self.high_pages_delta, self.nodes_delta) = (low, high, nodes);
        self.cache_flushes = flushes;
    }

    fn latencies(&self) -> Vec<Option<&Histogram>> {
        vec![self.lock_wait.as_ref(), self.fq_timer.as_ref()]
    }

    fn latencies_mut(&mut self) -> Vec<Option<&mut Histogram>> {
        vec![self.lock_wait.as_mut(), self.fq_timer.as_mut()]
    }

    fn is_like(&self, other: &Self) -> bool {
        self.iovad == other.iovad
    }

    fn written(earlier: &[u64; DOMAIN], now: &[u64; DOMAIN]) -> Option<[u64; DOMAIN]> {
        let mut row = [0; DOMAIN];
        for ((written, now), earlier) in row.iter_mut().zip(now).zip(earlier) {
            *written = zigzag(now.wrapping_sub(*earlier).cast_signed());
        }
        (now.last() >= earlier.last()).then_some(row)
    }

    fn calls(_: &[u64; DOMAIN], _: &[u64; DOMAIN]) -> u64 {
        0
    }

    fn read(earlier: &[u64; DOMAIN], written: &[u64; DOMAIN]) -> [u64; DOMAIN] {
        let mut row = *earlier;
        for (value, written) in row.iter_mut().zip(written) {
            *value = value.wrapping_add(unzigzag(*written).cast_unsigned());
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testdata;

    #[test]
    fn rows_come_back() {
        let mut now = testdata::counters();
        let mut earlier = now.clone();
        earlier.alloc.by_order[0] -= 5;
        earlier.free.count = 1;
        now.free.bytes += 77;
        let written = DeviceCounters::written(&earlier.row(), &now.row()).unwrap();
        earlier.set_row(DeviceCounters::read(&earlier.row(), &written));
        assert_eq!(earlier.row(), now.row());
        let back = DeviceCounters::written(&now.row(), &[0; DEVICE]);
        assert_eq!(back, None);
    }

    #[test]
    fn what_follows_is_not_written() {
        let (earlier, mut now) = ([0; DEVICE], [0; DEVICE]);
        (now[0], now[3], now[SAC_ATTEMPTS], now[FREE_COUNT]) = (10, 2, 12, 12);
        (now[BYTES], now[FREE_BYTES]) = ((10 + 16) * 4096, (10 + 16) * 4096);
        let written = DeviceCounters::written(&earlier, &now).unwrap();
        assert_eq!(written.iter().filter(|&&number| number > 0).count(), 2, "{written:?}");
    }

    #[test]
    fn pages_may_become_fewer() {
        let earlier = DomainCounters { low_pages_delta: 5, ..DomainCounters::default() };
        let now =
            DomainCounters { low_pages_delta: -900, nodes_delta: -1, cache_flushes: 2, ..earlier.clone() };
        let written = DomainCounters::written(&earlier.row(), &now.row()).unwrap();
        let mut read = earlier.clone();
        read.set_row(DomainCounters::read(&earlier.row(), &written));
        assert_eq!(read, now);
    }
}
