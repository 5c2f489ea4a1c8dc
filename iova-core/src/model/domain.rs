//! The figures of one IOVA domain: who holds the space below 4 GiB, and what the domain's lock and timer cost.

use super::device::{Lock, OrderCount};
use super::latency::Latency;
use super::read;
use crate::snapshot::{Consistency, Range};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The 32-bit space of one domain, bytes. All `None` if no snapshot could be taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LowSpace {
    /// 4 GiB - reserved.
    pub capacity_bytes: Option<u64>,
    /// What no allocation can ever get.
    pub reserved_bytes: Option<u64>,
    /// Mapped by devices.
    pub live_bytes: Option<u64>,
    /// Held by the module `iova_policy`, so that nobody gets it: not in use, and no pressure.
    pub held_bytes: Option<u64>,
    /// In per-CPU caches and the depot.
    pub cached_bytes: Option<u64>,
    /// In flush queues.
    pub pending_bytes: Option<u64>,
    /// In nobody's hands.
    pub free_bytes: Option<u64>,
    /// Longest run of free addresses.
    pub largest_gap_bytes: Option<u64>,
    /// (live + cached + pending) / capacity.
    pub pressure: Option<f64>,
    /// Most that was in use (live + cached + pending) at any reading of the interval.
    pub peak_used_bytes: Option<u64>,
}

impl LowSpace {
    /// Takes out of the live bytes what the module holds: in the tree both look alike.
    pub(super) fn tell_held(&mut self, held: u64) {
        self.held_bytes = self.live_bytes.map(|live| held.min(live));
        self.live_bytes = self.live_bytes.map(|live| live.saturating_sub(held));
        let shares = self.used_bytes().zip(self.capacity_bytes.filter(|&capacity| capacity > 0));
        self.pressure = shares.map(|(used, capacity)| used as f64 / capacity as f64);
    }

    /// live + cached + pending.
    pub fn used_bytes(&self) -> Option<u64> {
        Some(self.live_bytes? + self.cached_bytes? + self.pending_bytes?)
    }
}

/// The domain's flush queues.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlushQueue {
    /// True if the domain unmaps lazily.
    pub lazy: Option<bool>,
    /// Entries waiting.
    pub entries: Option<u64>,
    /// Runs of `fq_flush_timeout`.
    pub timer_ns: Latency,
}

/// What only the text report and the findings need: the map of the space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// Bytes per page.
    pub granule: u64,
    /// Everything in the tree.
    pub ranges: Arc<[Range]>,
    /// CLOCK_MONOTONIC when it was looked at, ns.
    pub seen_ns: u64,
}

/// One IOVA domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Domain {
    /// IOMMU group that uses it.
    pub group: Option<u32>,
    /// BDFs of its devices.
    pub devices: Vec<String>,
    /// Bytes per page.
    pub granule_bytes: Option<u64>,
    /// "stable" or "approximate".
    #[serde(deserialize_with = "read::word")]
    pub consistency: Option<read::Word>,
    /// Space below 4 GiB.
    pub low_space: LowSpace,
    /// Bytes live, cached or pending at or above 4 GiB.
    pub high_bytes: Option<u64>,
    /// Nodes in the tree.
    pub nodes: Option<u64>,
    /// Requests of this many bytes or more fail at once; `None` if there is no such limit now.
    pub max32_alloc_bytes: Option<u64>,
    /// Free aligned blocks: how many allocations of each order would still succeed below 4 GiB.
    pub aligned_blocks: Vec<OrderCount>,
    /// Cached IOVAs per order.
    pub cached_by_order: Vec<OrderCount>,
    /// Magazines in the depot per order.
    pub depot_by_order: Vec<OrderCount>,
    /// Flush queues.
    pub flush_queue: FlushQueue,
    /// Times the caches of all CPUs were flushed.
    pub cache_flushes: u64,
    /// Tree lock.
    pub lock: Lock,
    /// Addresses that the caches gained over the interval: each was a miss of its own, and none that costs again.
    #[serde(skip)]
    pub newly_cached: u64,
    /// The map of the space.
    #[serde(skip)]
    pub space: Space,
    /// Address of the `struct iova_domain`: only to join, meaningless to readers.
    #[serde(skip)]
    pub iovad: u64,
}

impl Domain {
    /// Free aligned blocks of `order` below 4 GiB, if a snapshot was taken.
    pub fn blocks(&self, order: u32) -> Option<u64> {
        let entry = self.aligned_blocks.iter().find(|entry| entry.order == order);
        entry.map(|entry| entry.count)
    }
}

pub(super) fn consistency_name(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Stable => "stable",
        Consistency::Approximate => "approximate",
    }
}
