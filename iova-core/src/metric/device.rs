//! Metrics of a device.

use super::{Metric, latency, list, metric};

const PER_CALL: &str = "fentry and fexit of iommu_dma_alloc_iova (VT-d on 5.10: intel_alloc_iova).";
const INSIDE: &str =
    "fentry and fexit of alloc_iova_fast inside an allocation; unknown where it cannot be hooked.";
const INVENTORY: &str = "From the kernel's struct device; unknown where kernel memory cannot be read.";
const UNMAP: &str = "fentry of __iommu_dma_unmap (VT-d on 5.10: intel_unmap).";

/// The same ten figures exist per domain and, for convenience, at each device of the domain.
macro_rules! low_space {
    ($scope:ident) => {
        &[
            metric!($scope, "low_space.capacity_bytes", Bytes, |d| d.low_space.capacity_bytes,
                "What can be allocated below 4 GiB in the device's IOVA domain: 4 GiB - reserved.", SPACE),
            metric!($scope, "low_space.reserved_bytes", Bytes, |d| d.low_space.reserved_bytes,
                "What no allocation can ever get: bridge windows, MSI, firmware regions (reserve_iova).", SPACE),
            metric!($scope, "low_space.live_bytes", Bytes, |d| d.low_space.live_bytes,
                "Mapped by devices: in the tree, but in no cache, no flush queue, and not held.", SPACE),
            metric!($scope, "low_space.held_bytes", Bytes, |d| d.low_space.held_bytes,
                "Held by the module iova_policy, so that no allocation gets it (policy dac:N by fill); not in use.",
                "sysfs (iova_policy/held of the domain's device); unknown without a snapshot."),
            metric!($scope, "low_space.cached_bytes", Bytes, |d| d.low_space.cached_bytes,
                "Freed, but kept in per-CPU caches and the depot (iova_rcache); not available to the tree search.",
                SPACE),
            metric!($scope, "low_space.pending_bytes", Bytes, |d| d.low_space.pending_bytes,
                "Unmapped, but waiting in a flush queue for the IOTLB flush (iova_fq).", SPACE),
            metric!($scope, "low_space.free_bytes", Bytes, |d| d.low_space.free_bytes,
                "In nobody's hands: what a tree search could find.", SPACE),
            metric!($scope, "low_space.largest_gap_bytes", Bytes, |d| d.low_space.largest_gap_bytes,
                "Longest run of free addresses; aligned_blocks says what still fits.", SPACE),
            metric!($scope, "low_space.pressure", Ratio, |d| d.low_space.pressure,
                "(live + cached + pending) / capacity.", SPACE),
            metric!($scope, "low_space.peak_used_bytes", Bytes, |d| d.low_space.peak_used_bytes,
                "Most that was live, cached or pending at any one-second reading of the interval; without what is held.",
                "Start snapshot plus what alloc_iova put into the tree and remove_iova took out; unknown without it."),
        ]
    };
}
const SPACE: &str = "Walk of the tree, caches and flush queues in the kernel's memory at the end of the interval; \
                     unknown where that is forbidden.";
pub(super) const LOW_SPACE_OF_DOMAIN: &[Metric] = low_space!(Domain);

pub(super) const TABLE: &[&[Metric]] = &[
    &[
        metric!(Device, "group", Number, |d| d.group, "IOMMU group.", "sysfs."),
        metric!(
            Device,
            "dma_mask_bits",
            Bits,
            |d| d.dma_mask_bits,
            "Width of the device's DMA mask (64: all ones).",
            INVENTORY
        ),
        metric!(
            Device,
            "coherent_mask_bits",
            Bits,
            |d| d.coherent_mask_bits,
            "Width of the device's coherent DMA mask.",
            INVENTORY
        ),
        metric!(
            Device,
            "bus_dma_limit",
            Number,
            |d| d.bus_dma_limit,
            "Highest address the bus above the device can carry, or its policy allows (bus_dma_limit).",
            "From the kernel's struct device; unknown also if there is no limit."
        ),
        metric!(
            Device,
            "policy.effective_high_ratio",
            Ratio,
            |d| d.policy.effective_high_ratio,
            "Share of the successful allocations whose address is at or above 4 GiB: alloc.high / (alloc.count - \
             alloc.failed).",
            "Computed; unknown without a successful allocation."
        ),
    ],
    &[
        metric!(
            Device,
            "alloc.count",
            Count,
            |d| d.alloc.count,
            "Allocations: returns of iommu_dma_alloc_iova, failed ones included.",
            PER_CALL
        ),
        metric!(
            Device,
            "alloc.per_second",
            PerSecond,
            |d| d.alloc.per_second,
            "alloc.count / duration_s.",
            "Computed; unknown if the interval is empty."
        ),
        metric!(
            Device,
            "alloc.failed",
            Count,
            |d| d.alloc.failed,
            "Allocations that returned 0: the driver got DMA_MAPPING_ERROR.",
            PER_CALL
        ),
        metric!(Device, "alloc.bytes", Bytes, |d| d.alloc.bytes, "Bytes asked for.", PER_CALL),
        metric!(
            Device,
            "alloc.slow",
            Count,
            |d| d.alloc.slow,
            "Calls of alloc_iova_fast that called alloc_iova: nothing fitting in the caches, so the tree was searched \
             under iova_rbtree_lock.",
            "fentry of alloc_iova inside an allocation."
        ),
        metric!(
            Device,
            "alloc.slow_ratio",
            Ratio,
            |d| d.alloc.slow_ratio,
            "alloc.slow / (alloc.count + alloc.sac_failed): each failed SAC attempt is one more call of \
             alloc_iova_fast.",
            "Computed; unknown without a call."
        ),
        metric!(
            Device,
            "alloc.sac_attempts",
            Count,
            |d| d.alloc.sac_attempts,
            "SAC attempts: alloc_iova_fast limited to 4 GiB for a device whose own limit is higher.",
            "Searches limited to 4 GiB; for an allocation from a cache, by what the kernel decides it by: the device's flag \
             pci_32bit_workaround at return (6.5 and later), or that it is a PCI device."
        ),
        metric!(
            Device,
            "alloc.sac_failed",
            Count,
            |d| d.alloc.sac_failed,
            "SAC attempts that returned 0: nothing fitting below 4 GiB.",
            INSIDE
        ),
        metric!(
            Device,
            "alloc.tree_failed",
            Count,
            |d| d.alloc.tree_failed,
            "Tree searches (alloc_iova) that found nothing.",
            "fexit of alloc_iova inside an allocation."
        ),
        metric!(
            Device,
            "alloc.high",
            Count,
            |d| d.alloc.high,
            "Allocations whose address is at or above 4 GiB.",
            PER_CALL
        ),
    ],
    latency!(
        Device,
        "alloc.latency_ns",
        |d| d.alloc.latency_ns,
        "time in iommu_dma_alloc_iova, entry to return.",
        "fentry and fexit of iommu_dma_alloc_iova; one call in quality.alloc_sampling is timed."
    ),
    latency!(
        Device,
        "alloc.search_ns",
        |d| d.alloc.search_ns,
        "time that an allocation spent searching the tree, of those that had to.",
        "fentry and fexit of alloc_iova; profile light only, where alloc.latency_ns is not measured and this is the part of it that \
         can be long."
    ),
    &[
        list!(
            Device,
            "alloc.by_order[].order",
            Number,
            "Order of the request: it needs 2^order pages after rounding up.",
            PER_CALL
        ),
        list!(Device, "alloc.by_order[].count", Count, "Allocations of this order.", PER_CALL),
    ],
    &[
        metric!(Device, "free.count", Count, |d| d.free.count, "Unmaps: calls of __iommu_dma_unmap.", UNMAP),
        metric!(Device, "free.bytes", Bytes, |d| d.free.bytes, "Bytes unmapped.", UNMAP),
    ],
    latency!(
        Device,
        "free.latency_ns",
        |d| d.free.latency_ns,
        "time in __iommu_dma_unmap, entry to return: page tables, IOTLB or flush queue, and the allocator.",
        "fentry and fexit of __iommu_dma_unmap; one call in quality.free_sampling is timed. Profile default has it only on a host with \
         a strict domain, where an unmap waits for the IOMMU; in a lazy one it does not, and timing it costs more than all else on \
         that path."
    ),
    &[metric!(
        Device,
        "map.count",
        Count,
        |d| d.map.count,
        "dma_map calls that reached the IOMMU layer, nested ones counted once.",
        "fentry of iommu_dma_map_*; profile full only."
    )],
    latency!(
        Device,
        "map.latency_ns",
        |d| d.map.latency_ns,
        "time in the outermost iommu_dma_map_* call.",
        "fentry and fexit of iommu_dma_map_*; profile full only."
    ),
    &[metric!(
        Device,
        "map.allocator_share",
        Ratio,
        |d| d.map.allocator_share,
        "Time in the allocator as a share of the time in dma_map. Above 1 if many allocations came from elsewhere \
             (coherent buffers).",
        "Computed from means and counts; profile full only."
    )],
    low_space!(Device),
    &[
        metric!(
            Device,
            "cache.hit_ratio",
            Ratio,
            |d| d.cache.hit_ratio,
            "Share of the alloc_iova_fast calls that the caches answered: 1 - alloc.slow_ratio.",
            "Computed; unknown without a call."
        ),
        metric!(
            Device,
            "cache.flushes",
            Count,
            |d| d.cache.flushes,
            "Allocations that flushed all CPUs' caches, because the full range had nothing fitting either.",
            "fentry of free_cpu_cached_iovas inside an allocation."
        ),
        metric!(
            Device,
            "lock.waits",
            Count,
            |d| d.lock.waits,
            "Waits for iova_rbtree_lock of the device's domain, by all its users.",
            "Tracepoints lock:contention_begin and contention_end; profile full only."
        ),
    ],
    latency!(
        Device,
        "lock.wait_ns",
        |d| d.lock.wait_ns,
        "waits for iova_rbtree_lock of the device's domain, by all its users.",
        "Tracepoints lock:contention_begin and contention_end; profile full only."
    ),
    &[
        metric!(
            Device,
            "faults.count",
            Count,
            |d| d.faults.count,
            "DMA accesses of the device that the IOMMU refused.",
            "fentry of dmar_fault with the fault records (VT-d), tracepoint iommu:io_page_fault (others)."
        ),
        list!(
            Device,
            "faults.first[].reason",
            Number,
            "Reason number the IOMMU gave.",
            "Fault record (VT-d)."
        ),
        list!(
            Device,
            "slow_calls[].duration_ns",
            Nanoseconds,
            "How long one of the slowest allocations took.",
            "Probe event above a threshold; profile full only."
        ),
        list!(
            Device,
            "slow_calls[].size_bytes",
            Bytes,
            "Bytes one of the slowest allocations asked for.",
            "Probe event above a threshold; profile full only."
        ),
    ],
];
