//! The figures of one device over the interval. Field names are the metric names of [`crate::metric`].

use super::domain::LowSpace;
use super::latency::Latency;
use super::read;
use crate::inventory::{self, DomainType};
use serde::{Deserialize, Serialize};

/// How sure we are that a device of the kernel is one of the inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// In the inventory from start to end.
    #[default]
    Present,
    /// Plugged in during the interval.
    Added,
    /// In the inventory at the start, not at the end.
    Removed,
    /// One of several devices of its group; the kernel does not tell us which.
    OneOfGroup,
    /// Counted, but in no inventory: removed before we could look it up.
    Unknown,
    /// Everything that found no slot of its own.
    Other,
}

/// Where its addresses should land and where they did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// "sac-first", "full-range" or "32-bit"; `None` if unknown.
    #[serde(deserialize_with = "read::word")]
    pub configured: Option<read::Word>,
    /// What the module `iova_policy` was told: "stock", "cap:N", "dac:N"; `None` if it is not loaded.
    pub set: Option<String>,
    /// Where that stands: "idle", "active", "pending", "leased", "quarantined", "refused".
    #[serde(deserialize_with = "read::word")]
    pub state: Option<read::Word>,
    /// Share of the successful allocations at or above 4 GiB; `None` without any.
    pub effective_high_ratio: Option<f64>,
}

impl Policy {
    /// What is configured for a device, before anything was measured.
    pub fn of(entry: &inventory::Device) -> Self {
        let managed = entry.managed.as_ref();
        Self {
            configured: entry.configured.map(super::configured_name),
            set: managed.map(|managed| managed.policy.to_string()),
            state: managed.map(|managed| managed.state.name()),
            effective_high_ratio: None,
        }
    }

    /// True if somebody wanted addresses above 4 GiB.
    pub fn is_dac(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.starts_with("dac:"))
    }

    /// True if somebody narrowed the device.
    pub fn is_cap(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.starts_with("cap:"))
    }
}

/// Allocations of one order of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCount {
    /// Order: 2^order pages.
    pub order: u32,
    /// How many.
    pub count: u64,
}

/// Allocation latency of one order of pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLatency {
    /// Order: 2^order pages.
    pub order: u32,
    /// Entry to return.
    pub latency_ns: Latency,
}

/// Allocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alloc {
    /// Allocations, failed ones included.
    pub count: u64,
    /// Allocations per second.
    pub per_second: Option<f64>,
    /// Allocations that returned 0.
    pub failed: u64,
    /// Bytes asked for.
    pub bytes: u64,
    /// `alloc_iova_fast` calls that searched the tree.
    pub slow: Option<u64>,
    /// `slow` as a share of all `alloc_iova_fast` calls.
    pub slow_ratio: Option<f64>,
    /// SAC attempts.
    pub sac_attempts: Option<u64>,
    /// SAC attempts that failed.
    pub sac_failed: Option<u64>,
    /// Tree searches that found nothing.
    pub tree_failed: Option<u64>,
    /// Addresses at or above 4 GiB.
    pub high: u64,
    /// Entry to return.
    pub latency_ns: Latency,
    /// Time in tree searches, of allocations that had any; where these are timed in place of allocations.
    pub search_ns: Latency,
    /// Allocations per order; orders without any left out.
    pub by_order: Vec<OrderCount>,
    /// Latencies per order, of a watched device; orders without any left out. Not part of the report.
    #[serde(skip)]
    pub latency_by_order: Vec<OrderLatency>,
    /// Latency of what no per-CPU cache can serve: orders from [`LARGE_ORDER`] on, of a watched device.
    #[serde(skip)]
    pub large_latency_ns: Latency,
}

/// Allocations of this order and above always search the tree (`IOVA_RANGE_CACHE_MAX_SIZE`, include/linux/iova.h in
/// 5.10, drivers/iommu/iova.c from 5.18 on: 6 in 5.10 to 7.3).
pub const LARGE_ORDER: u32 = 6;

/// Unmaps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Free {
    /// Unmaps.
    pub count: Option<u64>,
    /// Bytes given back.
    pub bytes: Option<u64>,
    /// Entry to return.
    pub latency_ns: Latency,
}

/// `dma_map` calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Map {
    /// Calls; `None` unless measured.
    pub count: Option<u64>,
    /// Entry to return.
    pub latency_ns: Latency,
    /// Time in the allocator as a share of the time in `dma_map`.
    pub allocator_share: Option<f64>,
}

/// The per-CPU caches, as this device met them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cache {
    /// 1 - `alloc.slow_ratio`.
    pub hit_ratio: Option<f64>,
    /// Allocations that flushed all CPUs' caches.
    pub flushes: Option<u64>,
}

/// Waits for the domain's tree lock; shared by all devices of the domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lock {
    /// Waits; `None` unless measured.
    pub waits: Option<u64>,
    /// How long.
    pub wait_ns: Latency,
}

/// One DMA access the IOMMU refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Address, in hexadecimal.
    pub address: String,
    /// "read", "write" or unknown.
    #[serde(deserialize_with = "read::word")]
    pub access: Option<read::Word>,
    /// Reason number of the IOMMU.
    pub reason: Option<u8>,
}

/// One slow allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowCall {
    /// How long it took.
    pub duration_ns: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// Kernel symbols, innermost first.
    pub stack: Vec<String>,
}

/// DMA accesses the IOMMU refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// How many; `None` where the IOMMU's reports cannot be seen.
    pub count: Option<u64>,
    /// The first ones.
    pub first: Vec<Fault>,
}

/// One device over the interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// BDF, or the sysfs name of a platform device; "group 5" where only the group is known.
    pub bdf: String,
    /// Vendor and device, "8086:1533"; `None` for what is no PCI device, or not known.
    pub id: Option<String>,
    /// Name for people.
    pub name: String,
    /// Driver.
    pub driver: Option<String>,
    /// Network interfaces and block devices on top.
    pub functions: Vec<String>,
    /// IOMMU group.
    pub group: Option<u32>,
    /// Type of its default domain.
    pub domain_type: Option<DomainType>,
    /// Width of its DMA mask.
    pub dma_mask_bits: Option<u8>,
    /// Width of its coherent DMA mask.
    pub coherent_mask_bits: Option<u8>,
    /// `bus_dma_limit`, if there is one.
    pub bus_dma_limit: Option<u64>,
    /// How sure the identity is.
    pub presence: Presence,
    /// Policy.
    pub policy: Policy,
    /// Allocations.
    pub alloc: Alloc,
    /// Unmaps.
    pub free: Free,
    /// `dma_map` calls.
    pub map: Map,
    /// Its domain's space below 4 GiB.
    pub low_space: LowSpace,
    /// Caches.
    pub cache: Cache,
    /// Its domain's tree lock.
    pub lock: Lock,
    /// Faults.
    pub faults: Faults,
    /// The slowest allocations, if stacks were taken.
    pub slow_calls: Vec<SlowCall>,
    /// It went above 4 GiB after a failed SAC attempt in this interval; for good, where the kernel has a flag for that.
    pub fell_back: bool,
    /// Metrics (or their common prefix) that are not exact here, and why in `quality.notes`.
    #[serde(deserialize_with = "read::prefixes")]
    pub approximate: Vec<read::Word>,
    /// Address of its `struct device`: only to join, meaningless to readers.
    #[serde(skip)]
    pub dev: Option<u64>,
    /// Address of its IOVA domain: only to find [`super::Domain`], meaningless to readers.
    #[serde(skip)]
    pub iovad: Option<u64>,
}

impl Device {
    /// What people call it: the disk, the interface, or the product.
    pub fn short_name(&self) -> &str {
        self.functions.first().unwrap_or(&self.name)
    }

    /// True if anything happened.
    pub fn active(&self) -> bool {
        self.alloc.count > 0 || self.free.count > Some(0) || self.faults.count > Some(0)
    }

    /// Calls of `alloc_iova_fast`: one per allocation, one more per failed SAC attempt.
    pub fn fast_calls(&self) -> u64 {
        self.alloc.count + self.alloc.sac_failed.unwrap_or(0)
    }

    /// True if `metric` is marked as approximate.
    pub fn is_approximate(&self, metric: &str) -> bool {
        self.approximate.iter().any(|prefix| {
            metric.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}
