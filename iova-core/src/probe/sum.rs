//! What all CPUs counted, added up.

use iova_common::agg::{DeviceAgg, DomainAgg, Latency, MapAgg, ORDERS, QualityAgg};
use iova_common::hist::BUCKETS;

/// A struct of counters that can be summed over CPUs.
pub(super) trait Counters: Copy {
    /// All zero.
    const ZERO: Self;
    /// Adds one CPU's counters.
    fn add(&mut self, cpu: &Self);
}

const NO_LATENCY: Latency = Latency { sum: 0, max: 0, buckets: [0; BUCKETS], pad: 0 };

fn add_latency(total: &mut Latency, cpu: &Latency) {
    // A CPU that timed nothing; samples of 0 ns leave only their bucket.
    if cpu.sum == 0 && cpu.buckets.first() == Some(&0) {
        return;
    }
    total.sum += cpu.sum;
    total.max = total.max.max(cpu.max);
    for (total, cpu) in total.buckets.iter_mut().zip(&cpu.buckets) {
        *total = total.wrapping_add(*cpu);
    }
}

macro_rules! counters {
    ($name:ident { $($count:ident),* ; $($latency:ident),* ; $($rest:ident : $zero:expr),* }) => {
        impl Counters for $name {
            const ZERO: Self = Self { $($count: 0,)* $($latency: NO_LATENCY,)* $($rest: $zero,)* };
            fn add(&mut self, cpu: &Self) {
                $(self.$count += cpu.$count;)*
                $(add_latency(&mut self.$latency, &cpu.$latency);)*
            }
        }
    };
}

impl Counters for Latency {
    const ZERO: Self = NO_LATENCY;
    fn add(&mut self, cpu: &Self) {
        add_latency(self, cpu);
    }
}

counters!(MapAgg { ; latency ; });
counters!(DomainAgg {
    low_added, low_removed, high_added, high_removed, nodes_added, nodes_removed, low_reserved, cpu_cache_flushes ;
    ;
});
counters!(QualityAgg { frames_lost, inner_unowned, events_limited, faults_limited, events_lost, no_slot, no_domain_slot, calls_lost, calls_passed ; ; });

impl Counters for DeviceAgg {
    const ZERO: Self = Self {
        dev: 0,
        slot: 0,
        sac: 0,
        alloc_by_order: [0; ORDERS],
        alloc_bytes: 0,
        alloc_failed: 0,
        alloc_high: 0,
        alloc_slow: 0,
        sac_attempts: 0,
        sac_failed: 0,
        tree_failed: 0,
        cache_flushes: 0,
        free_count: 0,
        free_bytes: 0,
        alloc_latency: NO_LATENCY,
    };

    fn add(&mut self, cpu: &Self) {
        self.dev |= cpu.dev;
        for (total, cpu) in self.alloc_by_order.iter_mut().zip(&cpu.alloc_by_order) {
            *total += cpu;
        }
        self.alloc_bytes += cpu.alloc_bytes;
        self.alloc_failed += cpu.alloc_failed;
        self.alloc_high += cpu.alloc_high;
        self.alloc_slow += cpu.alloc_slow;
        self.sac_attempts += cpu.sac_attempts;
        self.sac_failed += cpu.sac_failed;
        self.tree_failed += cpu.tree_failed;
        self.cache_flushes += cpu.cache_flushes;
        self.free_count += cpu.free_count;
        self.free_bytes += cpu.free_bytes;
        add_latency(&mut self.alloc_latency, &cpu.alloc_latency);
    }
}

/// One value of a per-CPU map, as the kernel fills it: the CPUs' values one after the other.
pub(super) fn sum<T: Counters>(value: &[u64]) -> T {
    let mut total = T::ZERO;
    for cpu in value.chunks_exact(size_of::<T>().div_ceil(8)) {
        // SAFETY: `cpu` is 8-byte aligned and at least as long as T, which is repr(C) and valid for any bits.
        total.add(unsafe { &*cpu.as_ptr().cast::<T>() });
    }
    total
}
