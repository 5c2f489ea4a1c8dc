//! Figures as short texts with their labels. The report and `iova top` show them alike.

use iova_core::metric::{self, Unit};
use iova_core::model::{Device, Domain, Latency, OrderCount};
use iova_core::sample::What;

/// Block sizes are listed as scarce below this.
const SCARCE: u64 = 64;

fn labelled(domain: &Domain, names: &[(&str, &str)]) -> Vec<String> {
    names.iter().map(|(label, name)| format!("{label} {}", metric::render_domain(name, domain))).collect()
}

/// Who holds the space below 4 GiB.
pub(crate) fn holders(domain: &Domain) -> Vec<String> {
    let mut items = labelled(
        domain,
        &[
            ("reserved", "low_space.reserved_bytes"),
            ("live", "low_space.live_bytes"),
            ("cached", "low_space.cached_bytes"),
            ("pending", "low_space.pending_bytes"),
            ("free", "low_space.free_bytes"),
        ],
    );
    if domain.low_space.held_bytes > Some(0) {
        let held = metric::render_domain("low_space.held_bytes", domain);
        items.push(format!("held by iova_policy {held} (shown as live)"));
    }
    items
}

/// All of that on one line, the most telling first.
pub(crate) fn space_in_brief(domain: &Domain) -> Vec<String> {
    labelled(
        domain,
        &[
            ("in use", "low_space.pressure"),
            ("largest gap", "low_space.largest_gap_bytes"),
            ("free", "low_space.free_bytes"),
            ("live", "low_space.live_bytes"),
            ("cached", "low_space.cached_bytes"),
            ("pending", "low_space.pending_bytes"),
        ],
    )
}

/// How much of it is used, and in how many pieces.
pub(crate) fn use_of_space(domain: &Domain) -> Vec<String> {
    let mut items = labelled(
        domain,
        &[
            ("in use", "low_space.pressure"),
            ("peak", "low_space.peak_used_bytes"),
            ("largest gap", "low_space.largest_gap_bytes"),
            ("above 4 GiB", "high_bytes"),
            ("tree nodes", "nodes"),
        ],
    );
    if domain.max32_alloc_bytes.is_some() {
        let limit = metric::render_domain("max32_alloc_bytes", domain);
        items.push(format!("requests from {limit} on fail at once"));
    }
    items
}

/// Nothing for a domain that unmaps at once and never ran the timer.
pub(crate) fn flush_queue(domain: &Domain) -> Vec<String> {
    let (queue, timer) = (&domain.flush_queue, &domain.flush_queue.timer_ns);
    let mut items = Vec::new();
    if queue.lazy == Some(true) {
        items.extend(
            queue.entries.map(|entries| format!("{} entries", Unit::Count.render(Some(entries as f64)))),
        );
    }
    if let (Some(runs), Some(p99), Some(max)) = (timer.samples, timer.p99, timer.max) {
        let [p99, max] = [p99, max].map(|ns| Unit::Nanoseconds.render(Some(ns as f64)));
        items.push(format!("{} timer runs of p99 {p99}, max {max}", Unit::Count.render(Some(runs as f64))));
    }
    items
}

/// How many requests of a size would still succeed, where that is few.
pub(crate) fn scarce(domain: &Domain) -> Vec<String> {
    // Larger requests are rare enough not to worry about.
    const LARGEST: u64 = 2 << 20;
    if domain.low_space.held_bytes > Some(0) {
        // Nobody is to find one.
        return Vec::new();
    }
    let granule = granule(Some(domain));
    let common = |entry: &&OrderCount| entry.count < SCARCE && granule << entry.order <= LARGEST;
    domain.aligned_blocks.iter().filter(common).map(|entry| by_size(granule, entry)).collect()
}

/// Addresses in the caches.
pub(crate) fn cached(domain: &Domain) -> Vec<String> {
    domain.cached_by_order.iter().map(|entry| by_size(granule(Some(domain)), entry)).collect()
}

/// Full magazines in the depot.
pub(crate) fn depot(domain: &Domain) -> Vec<String> {
    domain.depot_by_order.iter().map(|entry| by_size(granule(Some(domain)), entry)).collect()
}

fn by_size(granule: u64, entry: &OrderCount) -> String {
    format!("{}: {}", size(granule, entry.order), Unit::Count.render(Some(entry.count as f64)))
}

/// Bytes per page: of the domain, else what nearly all have.
pub(crate) fn granule(domain: Option<&Domain>) -> u64 {
    domain.and_then(|domain| domain.granule_bytes).unwrap_or(4096)
}

/// What 2^order pages are in bytes.
pub(crate) fn size(granule: u64, order: u32) -> String {
    Unit::Bytes.render(Some(granule as f64 * 2_f64.powi(order.min(64) as i32)))
}

/// Everything that is timed about a device: in words, the figures, the metric. What was not timed is left out.
pub(crate) fn latencies(device: &Device) -> Vec<(&'static str, &Latency, &'static str)> {
    let measured = [
        ("alloc", &device.alloc.latency_ns, "alloc.latency_ns"),
        ("free", &device.free.latency_ns, "free.latency_ns"),
        ("map", &device.map.latency_ns, "map.latency_ns"),
        ("lock wait", &device.lock.wait_ns, "lock.wait_ns"),
    ];
    measured.into_iter().filter(|(_, latency, _)| latency.samples > Some(0)).collect()
}

/// The headings of [`percentiles`], as wide as the figures below them.
pub(crate) const PERCENTILES: [&str; 7] =
    ["    p50", "    p90", "    p99", "  p99.9", "    max", "   mean", "    timed"];

/// The figures of a latency.
pub(crate) fn percentiles(latency: &Latency, approximate: bool) -> [String; 7] {
    let Latency { samples, p50, p90, p99, p999, max, mean, sum: _, buckets: _ } = latency;
    let mark = if approximate { "~" } else { "" };
    let ns = |value: &Option<u64>| {
        format!("{mark}{}", Unit::Nanoseconds.render(value.map(|nanoseconds| nanoseconds as f64)))
    };
    let timed = Unit::Count.render(samples.map(|samples| samples as f64));
    [ns(p50), ns(p90), ns(p99), ns(p999), ns(max), ns(mean), timed]
}

/// The way into the allocator: function names only, our own probes left out, no further than a reader follows.
pub(crate) fn path(stack: &[String]) -> String {
    const FUNCTIONS: usize = 8;
    let names = stack.iter().map(|frame| frame.split('+').next().unwrap_or(frame));
    let mut names: Vec<&str> =
        names.filter(|name| !name.starts_with("bpf_prog_") && !name.starts_with("bpf_trampoline_")).collect();
    // A traced function is on the stack twice: itself, and as called by its trampoline.
    names.dedup();
    let more = if names.len() > FUNCTIONS { " < …" } else { "" };
    let kept: Vec<&str> = names.into_iter().take(FUNCTIONS).collect();
    kept.join(" < ") + more
}

/// What happened, in words; `sizes`: smallest and largest request, bytes.
pub(crate) fn incident(what: &What, sizes: Option<(u64, u64)>) -> String {
    let size = between(sizes);
    match what {
        What::SacFailed { .. } => format!("no room below 4 GiB for {size}"),
        What::FellBack { addr, .. } => format!("no room below 4 GiB for {size}, went above it: {addr:#x}"),
        What::AllocFailed { limit, .. } => format!("no address up to {limit:#x} for {size}"),
        What::CacheFlush => "flushed the caches of all CPUs".to_owned(),
        What::Fault { addr, reason, read, .. } => fault(*addr, *reason, *read),
        What::SlowCall { .. } | What::DeviceGone | What::DeviceNew => "-".to_owned(),
    }
}

fn fault(addr: u64, reason: Option<u8>, read: Option<bool>) -> String {
    let access = match read {
        Some(true) => "a read",
        Some(false) => "a write",
        None => "an access",
    };
    let reason = reason.map(|reason| format!(", reason {reason}")).unwrap_or_default();
    format!("the IOMMU refused {access} at {addr:#x}{reason}")
}

fn between(sizes: Option<(u64, u64)>) -> String {
    let bytes = |bytes: u64| Unit::Bytes.render(Some(bytes as f64));
    match sizes {
        None => "-".to_owned(),
        Some((least, most)) if least == most => bytes(least),
        Some((least, most)) => format!("{} to {}", bytes(least), bytes(most)),
    }
}
