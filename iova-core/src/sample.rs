//! One reading of all counters: raw, cumulative since attach, summed over CPUs. Live reading and replay make the same.

mod calls;
mod written;

pub use calls::{Call, CallKind, Calls};

use std::collections::BTreeMap;

use iova_common::agg::ORDERS;
use iova_common::hist;
use serde::{Deserialize, Serialize};

/// A latency distribution in nanoseconds, in the buckets of [`iova_common::hist`]. Written as the buckets that are not
/// empty, each its index and its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Samples per bucket; [`hist::BUCKETS`] of them in a reading, up to the last that holds something in a difference.
    pub buckets: Vec<u64>,
    /// Sum of all samples, ns.
    pub sum: u64,
    /// Largest sample, ns; since attach, not since the last reading.
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; hist::BUCKETS], sum: 0, max: 0 }
    }
}

/// What the allocator did for one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocCounters {
    /// Allocations per order of pages.
    pub by_order: [u64; ORDERS],
    /// Bytes asked for.
    pub bytes: u64,
    /// Allocations that returned 0.
    pub failed: u64,
    /// Addresses at or above 4 GiB.
    pub high: u64,
    /// `alloc_iova_fast` calls that searched the tree.
    pub slow: u64,
    /// SAC attempts; `None` where the profile or the kernel does not let us see them.
    pub sac_attempts: Option<u64>,
    /// SAC attempts that failed.
    pub sac_failed: Option<u64>,
    /// Tree searches that found nothing.
    pub tree_failed: u64,
    /// Allocations that flushed all CPUs' caches.
    pub cache_flushes: u64,
    /// Time from entry to return, of the sampled calls; where searches are timed in place of allocations
    /// ([`Quality::search_sampling`]), time that an allocation spent in tree searches, of those that had any.
    pub latency: Histogram,
}

/// What was given back for one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeCounters {
    /// Unmaps.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// Time from entry to return, of the sampled calls; `None` if the profile does not time them.
    pub latency: Option<Histogram>,
}

/// All counters of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCounters {
    /// Address of its `struct device`.
    pub dev: u64,
    /// Address of its `struct iova_domain`, 0 if not known.
    pub iovad: u64,
    /// IOMMU group, if known.
    pub group: Option<u32>,
    /// Which of the devices that had this address one after the other, from 0: memory of a removed device is soon used
    /// for the next one.
    pub generation: u32,
    /// It was removed.
    pub gone: bool,
    /// Allocations.
    pub alloc: AllocCounters,
    /// Frees.
    pub free: FreeCounters,
    /// `dma_map` calls, entry to return (profile `full`).
    pub map: Option<Histogram>,
}

/// All counters of one IOVA domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCounters {
    /// Address of the `struct iova_domain`.
    pub iovad: u64,
    /// Pages below 4 GiB put into the tree, minus those taken out, since attach.
    pub low_pages_delta: i64,
    /// The same at and above 4 GiB.
    pub high_pages_delta: i64,
    /// Nodes put into the tree, minus those taken out.
    pub nodes_delta: i64,
    /// Cache flushes of all CPUs.
    pub cache_flushes: u64,
    /// Waits for `iova_rbtree_lock`; `None` unless measured.
    pub lock_wait: Option<Histogram>,
    /// Runs of the flush-queue timer.
    pub fq_timer: Option<Histogram>,
}

/// How far the numbers can be trusted. All cumulative; anything above 0 is shown. What a recording is too old to have is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    /// Program runs skipped by the kernel because the program was already running on that CPU.
    pub recursion_misses: u64,
    /// The same, by the metric that the skipped programs measure.
    #[serde(deserialize_with = "written::metrics")]
    pub missed: BTreeMap<&'static str, u64>,
    /// Calls counted, but without latency, because their entry record was lost.
    pub frames_lost: u64,
    /// Calls of allocator functions that belonged to no device allocation seen by us.
    pub inner_unowned: u64,
    /// Events dropped: over the rate limit. Faults have their own.
    pub events_limited: u64,
    /// Faults dropped: over their rate limit.
    pub faults_limited: u64,
    /// Events dropped: ring full.
    pub events_lost: u64,
    /// Counted for "other": more devices than slots.
    pub no_slot: u64,
    /// True if faults come from the kernel log, which is rate limited.
    pub faults_from_log: bool,
    /// Run time of our own programs while that was measured, ns.
    pub own_run_ns: u64,
    /// Allocations while that was measured.
    pub own_run_allocs: u64,
    /// One allocation in this many is timed; 0 = none.
    pub alloc_sampling: u32,
    /// One tree search in this many is timed, in place of allocations; 0 = none.
    pub search_sampling: u32,
    /// One free in this many is timed; 0 = none.
    pub free_sampling: u32,
}

/// Allocation latencies of one device, per order of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Address of its `struct device`.
    pub dev: u64,
    /// Entry to return, ns, of the sampled calls, per order; [`ORDERS`] of them.
    pub by_order: Vec<Histogram>,
}

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// CLOCK_MONOTONIC, ns.
    pub ns: u64,
    /// Every device seen since attach.
    pub devices: Vec<DeviceCounters>,
    /// Every domain seen since attach.
    pub domains: Vec<DomainCounters>,
    /// The watched device, if one is.
    pub watched: Option<Watched>,
    /// Data quality.
    pub quality: Quality,
    /// Events since the last reading, oldest first.
    pub events: Vec<Event>,
}

/// A rare event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// CLOCK_MONOTONIC, ns.
    pub ns: u64,
    /// CPU.
    pub cpu: u32,
    /// `struct device`, 0 if not known.
    pub dev: u64,
    /// `struct iova_domain`, 0 if not known.
    pub iovad: u64,
    /// What happened.
    pub what: What,
}

/// What happened in an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// An attempt below 4 GiB failed.
    SacFailed {
        /// Bytes asked for.
        size: u64,
    },
    /// The device went above 4 GiB after a failed attempt below.
    FellBack {
        /// Address it got.
        addr: u64,
        /// Bytes.
        size: u64,
    },
    /// No address at all.
    AllocFailed {
        /// Bytes asked for.
        size: u64,
        /// Highest address allowed.
        limit: u64,
    },
    /// All CPUs' caches of the domain were flushed.
    CacheFlush,
    /// The IOMMU refused a DMA access.
    Fault {
        /// Address.
        addr: u64,
        /// PCI address of the source, where the IOMMU reports one.
        bdf: Option<String>,
        /// Reason number of the IOMMU, if any.
        reason: Option<u8>,
        /// True for a read by the device, if known.
        read: Option<bool>,
    },
    /// A slow allocation.
    SlowCall {
        /// Duration, ns.
        duration_ns: u64,
        /// Bytes asked for.
        size: u64,
        /// Kernel symbols, innermost first; empty if no stack was taken.
        stack: Vec<String>,
    },
    /// A device was removed.
    DeviceGone,
    /// A device was seen for the first time.
    DeviceNew,
}
