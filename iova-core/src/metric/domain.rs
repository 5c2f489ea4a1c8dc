//! Metrics of an IOVA domain.

use super::{Metric, latency, list, metric};

const SNAPSHOT: &str =
    "Read from the kernel's memory at the end of the interval; unknown where that is forbidden.";
const CACHES: &str = "Sum over all CPUs' loaded and previous magazines and the depot, from the snapshot.";

pub(super) const TABLE: &[&[Metric]] = &[
    &[
        metric!(Domain, "group", Number, |d| d.group, "IOMMU group that uses the domain.", "sysfs."),
        metric!(
            Domain,
            "granule_bytes",
            Bytes,
            |d| d.granule_bytes,
            "Bytes per page of the domain (iova_domain.granule).",
            SNAPSHOT
        ),
    ],
    super::device::LOW_SPACE_OF_DOMAIN,
    &[
        metric!(
            Domain,
            "high_bytes",
            Bytes,
            |d| d.high_bytes,
            "Bytes in use at or above 4 GiB: live, cached or pending; reserved ones (64-bit bridge windows) are left out.",
            SNAPSHOT
        ),
        metric!(
            Domain,
            "nodes",
            Count,
            |d| d.nodes,
            "Nodes in the tree: the length of the walk a failing search makes under iova_rbtree_lock.",
            SNAPSHOT
        ),
        metric!(
            Domain,
            "max32_alloc_bytes",
            Bytes,
            |d| d.max32_alloc_bytes,
            "Requests below 4 GiB of this size or more fail at once (iova_domain.max32_alloc_size), until something \
             below 4 GiB leaves the tree.",
            "From the snapshot; unknown if no search has failed lately."
        ),
        list!(
            Domain,
            "aligned_blocks[].order",
            Number,
            "Order of a block: 2^order pages, aligned to its size.",
            SNAPSHOT
        ),
        list!(
            Domain,
            "aligned_blocks[].count",
            Count,
            "Free aligned blocks below 4 GiB: how many allocations of this order would still succeed. Alignment, not \
             the largest gap, decides.",
            SNAPSHOT
        ),
        list!(Domain, "cached_by_order[].order", Number, "Order of cached IOVAs (0 to 5).", CACHES),
        list!(Domain, "cached_by_order[].count", Count, "IOVAs of this order in the caches.", CACHES),
        list!(Domain, "depot_by_order[].order", Number, "Order of the depot's magazines (0 to 5).", SNAPSHOT),
        list!(
            Domain,
            "depot_by_order[].count",
            Count,
            "Full magazines of this order in the depot.",
            SNAPSHOT
        ),
        metric!(
            Domain,
            "flush_queue.entries",
            Count,
            |d| d.flush_queue.entries,
            "Unmapped ranges waiting in the flush queues of all CPUs.",
            SNAPSHOT
        ),
    ],
    latency!(
        Domain,
        "flush_queue.timer_ns",
        |d| d.flush_queue.timer_ns,
        "runs of fq_flush_timeout, entry to return.",
        "fentry and fexit of fq_flush_timeout; unknown where it cannot be hooked."
    ),
    &[
        metric!(
            Domain,
            "cache_flushes",
            Count,
            |d| d.cache_flushes,
            "Flushes of all CPUs' caches, by any device of the domain: calls of free_cpu_cached_iovas / online CPUs.",
            "fentry of free_cpu_cached_iovas."
        ),
        metric!(
            Domain,
            "lock.waits",
            Count,
            |d| d.lock.waits,
            "Waits for iova_rbtree_lock.",
            "Tracepoints lock:contention_begin and contention_end; profile full only."
        ),
    ],
    latency!(
        Domain,
        "lock.wait_ns",
        |d| d.lock.wait_ns,
        "waits for iova_rbtree_lock.",
        "Tracepoints lock:contention_begin and contention_end; profile full only."
    ),
];
