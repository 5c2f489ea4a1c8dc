//! What could not be measured is unknown, even where the counters say 0.

use super::device::Device;
use super::domain::Domain;
use super::latency::Latency;

/// Takes away the values of `metric` and of what is computed from it. Names that are unknown anyway, because nothing
/// ever came in (latencies of a lesser profile), need nothing.
pub(super) fn hide(metric: &str, devices: &mut [Device], domains: &mut [Domain]) {
    for device in devices {
        hide_device(metric, device);
    }
    for domain in domains {
        match metric {
            "low_space.peak_used_bytes" => domain.low_space.peak_used_bytes = None,
            "flush_queue.timer_ns" => domain.flush_queue.timer_ns = Latency::default(),
            _ => {}
        }
    }
}

fn hide_device(metric: &str, device: &mut Device) {
    match metric {
        "alloc.latency_ns" => {
            device.alloc.latency_ns = Latency::default();
            device.map.allocator_share = None;
        }
        "alloc.search_ns" => device.alloc.search_ns = Latency::default(),
        "alloc.slow" => {
            (device.alloc.slow, device.alloc.tree_failed) = (None, None);
            (device.alloc.slow_ratio, device.cache.hit_ratio) = (None, None);
        }
        "cache.flushes" => device.cache.flushes = None,
        "free.count" => (device.free.count, device.free.bytes) = (None, None),
        "faults.count" => device.faults.count = None,
        "low_space.peak_used_bytes" => device.low_space.peak_used_bytes = None,
        _ => {}
    }
}
