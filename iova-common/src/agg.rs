//! Per-CPU aggregates. All counters are cumulative since the programs were attached; user space takes differences.
//!
//! A nested interrupt may run the same program on the same CPU between any two instructions, so every counter is
//! changed with one atomic add, and the readers' copies are consistent per counter, not per struct.

use crate::hist::BUCKETS;

/// Allocations are counted per order of pages, 0..=20 (4 KiB to 4 GiB); larger ones land in the last entry.
pub const ORDERS: usize = 24;

/// Device slot that collects what found no slot of its own (more devices than slots).
pub const SLOT_OTHER: u32 = 0;

/// A latency distribution in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Latency {
    /// Sum of all samples, ns.
    pub sum: u64,
    /// Largest sample, ns. Approximate by one nested interrupt: it is a plain compare and store.
    pub max: u64,
    /// Samples per bucket of [`crate::hist`]; wraps at 2^32, so readers take wrapping differences.
    pub buckets: [u32; BUCKETS],
    /// Keeps the size a multiple of 8.
    pub pad: u32,
}

/// What one CPU saw of one device.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DeviceAgg {
    /// Address of the `struct device`, 0 until this CPU saw it. The fast path trusts a slot only if this matches.
    pub dev: u64,
    /// Its slot.
    pub slot: u32,
    /// Condition for the kernel to try below 4 GiB first for it: one of [`sac`]. A part that never changes of a device is asked once.
    pub sac: u32,
    /// Allocations (returns of `iommu_dma_alloc_iova` or its VT-d twin on 5.10) per order of the rounded-up pages.
    pub alloc_by_order: [u64; ORDERS],
    /// Bytes asked for, sum over all allocations, failed ones included.
    pub alloc_bytes: u64,
    /// Allocations that returned 0.
    pub alloc_failed: u64,
    /// Allocations whose address is at or above 4 GiB.
    pub alloc_high: u64,
    /// Calls of `alloc_iova_fast` that went to the tree (called `alloc_iova`).
    pub alloc_slow: u64,
    /// Calls of `alloc_iova_fast` limited to 4 GiB for a device whose own limit is higher.
    pub sac_attempts: u64,
    /// SAC attempts that returned 0.
    pub sac_failed: u64,
    /// Tree searches (`alloc_iova`) that found nothing.
    pub tree_failed: u64,
    /// Allocations during which all CPUs' caches were flushed.
    pub cache_flushes: u64,
    /// Unmaps seen for the device.
    pub free_count: u64,
    /// Bytes unmapped.
    pub free_bytes: u64,
    /// Entry to return of an allocation.
    pub alloc_latency: Latency,
}

/// Conditions for the kernel to try below 4 GiB first for a device. Larger numbers need a closer look.
pub mod sac {
    /// Not known yet, or the device's bus can't use more than 32 bits: the kernel has no choice, so nothing is an attempt.
    pub const CONFINED: u32 = 0;
    /// Only what searched the tree is told: never for this device, or not to be told.
    pub const SEARCHED: u32 = 1;
    /// Always.
    pub const ALWAYS: u32 = 2;
    /// While the device's flag stands.
    pub const FLAG: u32 = 3;
}

/// What one CPU saw of one device's `dma_map` calls (profile `full` only).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MapAgg {
    /// Entry to return of the outermost map call.
    pub latency: Latency,
}

/// What one CPU saw of one IOVA domain (one `struct iova_domain`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DomainAgg {
    /// Pages below 4 GiB that `alloc_iova` put into the tree.
    pub low_added: u64,
    /// Pages below 4 GiB taken out of the tree.
    pub low_removed: u64,
    /// Pages at or above 4 GiB put into the tree.
    pub high_added: u64,
    /// Pages at or above 4 GiB taken out of the tree.
    pub high_removed: u64,
    /// Nodes put into the tree.
    pub nodes_added: u64,
    /// Nodes taken out of the tree.
    pub nodes_removed: u64,
    /// Pages below 4 GiB reserved by `reserve_iova` since attach.
    pub low_reserved: u64,
    /// Calls of `free_cpu_cached_iovas`: one per CPU and cache flush.
    pub cpu_cache_flushes: u64,
}

/// What one CPU could not count, so that nothing is lost silently.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct QualityAgg {
    /// Allocations or unmaps whose entry record was gone at return: counted, but without latency and inside events.
    pub frames_lost: u64,
    /// Calls of the inner functions that belonged to no open allocation (other users of iova.c).
    pub inner_unowned: u64,
    /// Events not sent because the rate limit was reached; faults apart.
    pub events_limited: u64,
    /// Faults not sent because their own rate limit was reached.
    pub faults_limited: u64,
    /// Events not sent because the ring was full.
    pub events_lost: u64,
    /// Device look-ups that ended in [`SLOT_OTHER`].
    pub no_slot: u64,
    /// Domain look-ups that found no slot.
    pub no_domain_slot: u64,
    /// Single calls drawn to be sent, and not sent because their ring was full.
    pub calls_lost: u64,
    /// Single calls that were not drawn.
    pub calls_passed: u64,
}

/// Addresses that [`Recent`] holds.
pub const RECENT: usize = 64;

/// The last addresses at or above 4 GiB that one CPU got for the watched device. A truncated address is compared with
/// them too: its buffer may have been unmapped, and drained out of the caches, before anybody looks.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Recent {
    /// Index of the next one, modulo [`RECENT`]. An allocation in an interrupt may overwrite the one it interrupts.
    pub next: u64,
    /// See [`pack_recent`]; 0 where there was none yet.
    pub ranges: [u64; RECENT],
}

/// The low bits of a packed range: 4 KiB pages, 4095 for 4095 or more. One word, so that no interrupt mixes two.
const PACKED_PAGES: u64 = 0xfff;

/// An address, aligned to 4 KiB, and the bytes from there as one word of [`Recent`].
#[inline(always)]
pub fn pack_recent(addr: u64, size: u64) -> u64 {
    let pages = size.wrapping_add(PACKED_PAGES) >> 12;
    (addr & !PACKED_PAGES) | if pages < PACKED_PAGES { pages } else { PACKED_PAGES }
}

/// First and last byte; `None` where there was none yet.
pub fn unpack_recent(packed: u64) -> Option<(u64, u64)> {
    let (first, pages) = (packed & !PACKED_PAGES, packed & PACKED_PAGES);
    (pages > 0).then(|| (first, first.saturating_add((pages << 12) - 1)))
}

/// What the slow path learns once per device: the key to its name and its domain.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct DeviceInfo {
    /// Address of the `struct device`.
    pub dev: u64,
    /// Address of the `struct iova_domain` it allocates from, 0 if not known.
    pub iovad: u64,
    /// `iommu_group.id`, or -1 if not known.
    pub group: i32,
    /// The slot in the aggregate maps.
    pub slot: u32,
}

#[cfg(feature = "user")]
mod pod {
    //! # Safety
    //! All of these are `repr(C)`, made of integers, without padding, valid for any bit pattern.
    #![allow(clippy::undocumented_unsafe_blocks, reason = "said once for all impls in the module's doc")]
    unsafe impl aya::Pod for super::DeviceAgg {}
    unsafe impl aya::Pod for super::MapAgg {}
    unsafe impl aya::Pod for super::DomainAgg {}
    unsafe impl aya::Pod for super::QualityAgg {}
    unsafe impl aya::Pod for super::DeviceInfo {}
}
