//! Differences between two readings of cumulative counters, and their sums.

use crate::sample::{AllocCounters, DeviceCounters, DomainCounters, FreeCounters, Histogram, Quality};
use iova_common::hist;

/// A set of cumulative counters.
pub(crate) trait Counters: Clone + Default {
    /// What was counted between `earlier` and `self`. Counters that ran backwards were reset (the device was removed
    /// and added again, its slot reused): then everything in `self` is new.
    fn since(&self, earlier: &Self) -> Self;
    /// Adds what `more` counted.
    fn add(&mut self, more: &Self);
}

fn since_option<T: Counters>(now: Option<&T>, earlier: Option<&T>) -> Option<T> {
    now.map(|now| earlier.map_or_else(|| now.clone(), |earlier| now.since(earlier)))
}

fn add_option<T: Counters>(sum: &mut Option<T>, more: Option<&T>) {
    match (&mut *sum, more) {
        (_, None) => {}
        (Some(sum), Some(more)) => sum.add(more),
        (None, Some(more)) => *sum = Some(more.clone()),
    }
}

impl Counters for u64 {
    fn since(&self, earlier: &Self) -> Self {
        self.checked_sub(*earlier).unwrap_or(*self)
    }

    fn add(&mut self, more: &Self) {
        *self = self.saturating_add(*more);
    }
}

impl Counters for Histogram {
    fn since(&self, earlier: &Self) -> Self {
        let then = earlier.buckets.iter().chain(std::iter::repeat(&0));
        let mut buckets: Vec<u64> =
            self.buckets.iter().zip(then).map(|(now, then)| now.since(then)).collect();
        // What nobody was slow enough for is not kept: there are thousands of these.
        buckets.truncate(buckets.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1));
        buckets.shrink_to_fit();
        let max = if self.max > earlier.max { self.max } else { upper_edge(&buckets).min(self.max) };
        Self { buckets, sum: self.sum.since(&earlier.sum), max }
    }

    fn add(&mut self, more: &Self) {
        if self.buckets.len() < more.buckets.len() {
            self.buckets.resize(more.buckets.len(), 0);
        }
        for (sum, more) in self.buckets.iter_mut().zip(&more.buckets) {
            sum.add(more);
        }
        self.sum.add(&more.sum);
        self.max = self.max.max(more.max);
    }
}

/// The kernel side keeps the maximum since attach. If it did not grow, the interval's own is somewhere in its highest
/// filled bucket.
fn upper_edge(buckets: &[u64]) -> u64 {
    match buckets.iter().rposition(|&count| count > 0) {
        Some(top) if top + 1 < hist::BUCKETS => hist::lower(top + 1) - 1,
        Some(_) => u64::MAX,
        None => 0,
    }
}

impl Counters for AllocCounters {
    fn since(&self, earlier: &Self) -> Self {
        let mut by_order = self.by_order;
        for (now, then) in by_order.iter_mut().zip(&earlier.by_order) {
            *now = now.since(then);
        }
        Self {
            by_order,
            bytes: self.bytes.since(&earlier.bytes),
            failed: self.failed.since(&earlier.failed),
            high: self.high.since(&earlier.high),
            slow: self.slow.since(&earlier.slow),
            sac_attempts: since_option(self.sac_attempts.as_ref(), earlier.sac_attempts.as_ref()),
            sac_failed: since_option(self.sac_failed.as_ref(), earlier.sac_failed.as_ref()),
            tree_failed: self.tree_failed.since(&earlier.tree_failed),
            cache_flushes: self.cache_flushes.since(&earlier.cache_flushes),
            latency: self.latency.since(&earlier.latency),
        }
    }

    fn add(&mut self, more: &Self) {
        for (sum, more) in self.by_order.iter_mut().zip(&more.by_order) {
            sum.add(more);
        }
        self.bytes.add(&more.bytes);
        self.failed.add(&more.failed);
        self.high.add(&more.high);
        self.slow.add(&more.slow);
        add_option(&mut self.sac_attempts, more.sac_attempts.as_ref());
        add_option(&mut self.sac_failed, more.sac_failed.as_ref());
        self.tree_failed.add(&more.tree_failed);
        self.cache_flushes.add(&more.cache_flushes);
        self.latency.add(&more.latency);
    }
}

impl Counters for FreeCounters {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            count: self.count.since(&earlier.count),
            bytes: self.bytes.since(&earlier.bytes),
            latency: since_option(self.latency.as_ref(), earlier.latency.as_ref()),
        }
    }

    fn add(&mut self, more: &Self) {
        self.count.add(&more.count);
        self.bytes.add(&more.bytes);
        add_option(&mut self.latency, more.latency.as_ref());
    }
}

impl Counters for DeviceCounters {
    fn since(&self, earlier: &Self) -> Self {
        // One counter that ran backwards condemns them all: the others may have overtaken their old value since.
        let reset = self.alloc.by_order.iter().zip(&earlier.alloc.by_order).any(|(now, then)| now < then)
            || self.alloc.bytes < earlier.alloc.bytes
            || self.free.count < earlier.free.count;
        if reset {
            return self.clone();
        }
        Self {
            dev: self.dev,
            iovad: self.iovad,
            group: self.group,
            generation: self.generation,
            gone: self.gone,
            alloc: self.alloc.since(&earlier.alloc),
            free: self.free.since(&earlier.free),
            map: since_option(self.map.as_ref(), earlier.map.as_ref()),
        }
    }

    fn add(&mut self, more: &Self) {
        (self.dev, self.generation, self.gone) = (more.dev, more.generation, more.gone);
        // A device keeps its domain unless its type was changed; the newest known one counts.
        self.iovad = if more.iovad == 0 { self.iovad } else { more.iovad };
        self.group = more.group.or(self.group);
        self.alloc.add(&more.alloc);
        self.free.add(&more.free);
        add_option(&mut self.map, more.map.as_ref());
    }
}

impl Counters for DomainCounters {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            iovad: self.iovad,
            low_pages_delta: self.low_pages_delta - earlier.low_pages_delta,
            high_pages_delta: self.high_pages_delta - earlier.high_pages_delta,
            nodes_delta: self.nodes_delta - earlier.nodes_delta,
            cache_flushes: self.cache_flushes.since(&earlier.cache_flushes),
            lock_wait: since_option(self.lock_wait.as_ref(), earlier.lock_wait.as_ref()),
            fq_timer: since_option(self.fq_timer.as_ref(), earlier.fq_timer.as_ref()),
        }
    }

    fn add(&mut self, more: &Self) {
        self.iovad = more.iovad;
        self.low_pages_delta += more.low_pages_delta;
        self.high_pages_delta += more.high_pages_delta;
        self.nodes_delta += more.nodes_delta;
        self.cache_flushes.add(&more.cache_flushes);
        add_option(&mut self.lock_wait, more.lock_wait.as_ref());
        add_option(&mut self.fq_timer, more.fq_timer.as_ref());
    }
}

fn since_entry(now: &u64, metric: &str, earlier: &Quality) -> u64 {
    now.since(earlier.missed.get(metric).unwrap_or(&0))
}

impl Counters for Quality {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            recursion_misses: self.recursion_misses.since(&earlier.recursion_misses),
            missed: self
                .missed
                .iter()
                .map(|(metric, now)| (*metric, since_entry(now, metric, earlier)))
                .collect(),
            frames_lost: self.frames_lost.since(&earlier.frames_lost),
            inner_unowned: self.inner_unowned.since(&earlier.inner_unowned),
            events_limited: self.events_limited.since(&earlier.events_limited),
            faults_limited: self.faults_limited.since(&earlier.faults_limited),
            events_lost: self.events_lost.since(&earlier.events_lost),
            no_slot: self.no_slot.since(&earlier.no_slot),
            own_run_ns: self.own_run_ns.since(&earlier.own_run_ns),
            own_run_allocs: self.own_run_allocs.since(&earlier.own_run_allocs),
            faults_from_log: self.faults_from_log,
            alloc_sampling: self.alloc_sampling,
            search_sampling: self.search_sampling,
            free_sampling: self.free_sampling,
        }
    }

    fn add(&mut self, more: &Self) {
        self.recursion_misses.add(&more.recursion_misses);
        for (metric, more) in &more.missed {
            self.missed.entry(metric).or_default().add(more);
        }
        self.frames_lost.add(&more.frames_lost);
        self.inner_unowned.add(&more.inner_unowned);
        self.events_limited.add(&more.events_limited);
        self.faults_limited.add(&more.faults_limited);
        self.events_lost.add(&more.events_lost);
        self.no_slot.add(&more.no_slot);
        self.own_run_ns.add(&more.own_run_ns);
        self.own_run_allocs.add(&more.own_run_allocs);
        self.faults_from_log = more.faults_from_log;
        self.alloc_sampling = more.alloc_sampling;
        self.search_sampling = more.search_sampling;
        self.free_sampling = more.free_sampling;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(pages: u64, frees: u64) -> DeviceCounters {
        let mut device = DeviceCounters { dev: 1, ..DeviceCounters::default() };
        device.alloc.by_order[0] = pages;
        device.alloc.bytes = pages * 4096;
        device.free.count = frees;
        device
    }

    #[test]
    fn counters_are_subtracted() {
        let delta = device(110, 50).since(&device(100, 40));
        assert_eq!((delta.alloc.by_order[0], delta.alloc.bytes, delta.free.count), (10, 40_960, 10));
    }

    #[test]
    fn a_reset_counts_from_zero_even_where_one_counter_grew() {
        let delta = device(5, 90).since(&device(100, 40));
        assert_eq!((delta.alloc.by_order[0], delta.free.count), (5, 90));
    }

    #[test]
    fn what_was_not_measured_stays_unknown() {
        let delta = device(2, 2).since(&device(1, 1));
        assert_eq!((delta.alloc.sac_failed, &delta.map), (None, &None));
        let mut sum = DeviceCounters::default();
        sum.add(&delta);
        assert_eq!((sum.alloc.sac_failed, sum.free.latency), (None, None));
    }

    #[test]
    fn an_old_maximum_is_not_the_maximum_of_the_interval() {
        let mut earlier = Histogram::default();
        earlier.buckets[hist::index(1_000_000)] = 1;
        earlier.max = 1_000_000;
        let mut now = earlier.clone();
        now.buckets[hist::index(1000)] += 3;
        let delta = now.since(&earlier);
        assert!((1000..=1063).contains(&delta.max), "{}", delta.max);
        now.max = 2_000_000;
        assert_eq!(now.since(&earlier).max, 2_000_000);
    }
}
