//! Every threshold of the findings, with its reason. Ratios are shares between 0 and 1.

/// Below this many allocations in the interval, ratios of them say nothing.
pub const MIN_CALLS: u64 = 1000;

/// 32-bit space in use from which a warning is due: large requests start to fail well before the last page is gone,
/// because they need aligned blocks.
pub const PRESSURE_WARNING: f64 = 0.80;
/// From here on the next burst fails.
pub const PRESSURE_CRITICAL: f64 = 0.95;

/// Fewer free aligned blocks than this of a size that a device asks for: the space is as good as full for this size.
pub const FEW_BLOCKS: u64 = 4;
/// ... but only if at least this many blocks would fit into the free space, if it were in one piece: otherwise it is
/// not fragmented, it is full.
pub const BLOCKS_IF_WHOLE: u64 = 16;

/// Share of SAC attempts that fail from which every request pays for a vain search (with the flag of 6.6 and later
/// the first failure is the last, so this never accumulates there).
pub const SAC_FAILED_CRITICAL: f64 = 0.10;

/// Share of capacity in caches from which they matter for the space: stock caches of a busy device hold a few percent.
pub const CACHED_SHARE: f64 = 0.25;
/// Share of capacity that is free, below which cached space is missed.
pub const FREE_SHARE_LOW: f64 = 0.20;
/// One order holds this share of the cached bytes: the caches are of one size.
pub const ONE_ORDER_SHARE: f64 = 0.80;
/// ... and less than this share of the cacheable requests has that size: it is the wrong one.
pub const WRONG_ORDER_USE: f64 = 0.10;
/// Cached bytes of the wrong size, as a share of capacity, from which it is worth saying. An MTU change leaves
/// hundreds of MiB behind.
pub const WRONG_SIZE_CACHED: f64 = 0.05;

/// Share of capacity waiting in flush queues. 255 entries per CPU of 4 KiB are 1 MiB per CPU; 10 % of 4 GiB takes large
/// requests.
pub const PENDING_WARNING: f64 = 0.10;
/// From here on the queue alone can exhaust the space.
pub const PENDING_CRITICAL: f64 = 0.40;

/// Share of the cacheable requests that search the tree. A warm cache answers 99 % and more.
pub const SLOW_WARNING: f64 = 0.10;
/// The caches do not work at all for this device.
pub const SLOW_CRITICAL: f64 = 0.50;
/// Share of requests above 128 KiB (order 5), which no cache ever holds.
pub const UNCACHED_INFO: f64 = 0.05;
/// From here on they decide what the allocator costs.
pub const UNCACHED_WARNING: f64 = 0.25;
/// Highest order the kernel caches: IOVA_RANGE_CACHE_MAX_SIZE - 1.
pub const MAX_CACHED_ORDER: u32 = 5;

/// Flushes of all CPUs' caches per second, from which the flushing itself is the load.
pub const FLUSHES_PER_SECOND_CRITICAL: f64 = 1.0;

/// CPU time spent waiting for the tree lock, in CPUs: 1 % of one CPU is visible in a profile.
pub const LOCK_CPUS_WARNING: f64 = 0.01;
/// A fifth of a CPU does nothing but wait.
pub const LOCK_CPUS_CRITICAL: f64 = 0.20;
/// One wait this long with interrupts off delays everything else on that CPU, ns.
pub const LOCK_MAX_WARNING_NS: u64 = 1_000_000;

/// If one run of the flush-queue timer in a hundred is this long, it delays everything else on its CPU often, ns.
pub const TIMER_P99_INFO_NS: u64 = 1_000_000;
/// One run this long is a latency spike that users see, ns; a shorter one may be an accident of scheduling.
pub const TIMER_WARNING_NS: u64 = 10_000_000;
/// This long is on the way to a soft lockup (runs of 31 s have been reported), ns.
pub const TIMER_CRITICAL_NS: u64 = 100_000_000;

/// Pressure from which a device that cannot go above 4 GiB deserves a warning.
pub const CONFINED_PRESSURE: f64 = 0.50;
