//! Flush queues, their timer, and the lock that everything shares.

use super::thresholds::{
    LOCK_CPUS_CRITICAL, LOCK_CPUS_WARNING, LOCK_MAX_WARNING_NS, PENDING_CRITICAL, PENDING_WARNING,
    TIMER_CRITICAL_NS, TIMER_P99_INFO_NS, TIMER_WARNING_NS,
};
use super::{Finding, Severity, sac};
use crate::metric::Unit;
use crate::model::{Domain, Report};

/// How to leave lazy mode on this kernel.
fn strict(report: &Report, domain: &Domain) -> String {
    let group = domain.group.map_or_else(|| "N".to_owned(), |group| group.to_string());
    match report.host.sac_control {
        crate::model::SacControl::IntelGlobal => "Boot with intel_iommu=strict to unmap at once.".to_owned(),
        crate::model::SacControl::Fixed => "Boot with amd_iommu=fullflush to unmap at once.".to_owned(),
        _ => format!(
            "To unmap at once, unbind the driver and write DMA to /sys/kernel/iommu_groups/{group}/type, or boot with \
             iommu.strict=1."
        ),
    }
}
const STRICT_RISK: &str = "Strict mode waits for an IOTLB flush at every unmap: slower for small requests.";

pub(super) fn holds_space(report: &Report, domain: &Domain) -> Option<Finding> {
    let (pending, capacity) = (domain.low_space.pending_bytes?, domain.low_space.capacity_bytes?.max(1));
    let share = pending as f64 / capacity as f64;
    if share < PENDING_WARNING {
        return None;
    }
    let severity = if share >= PENDING_CRITICAL { Severity::Critical } else { Severity::Warning };
    let text = format!(
        "Flush queues hold {} of the space below 4 GiB ({}): unmapped, but waiting for the IOTLB flush.",
        Unit::Bytes.render(Some(pending as f64)),
        Unit::Ratio.render(Some(share)),
    );
    let smaller = report.devices_of(domain).find_map(sac::limit_requests);
    let action = [smaller, Some(strict(report, domain))].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(
        Finding::new("flush-queue-holds-space", severity, text)
            .domain(domain)
            .domain_facts(
                domain,
                &[
                    "low_space.pending_bytes",
                    "low_space.capacity_bytes",
                    "flush_queue.entries",
                    "low_space.free_bytes",
                ],
            )
            .action(action)
            .risk(STRICT_RISK),
    )
}

pub(super) fn long_timer(report: &Report, domain: &Domain) -> Option<Finding> {
    let timer = &domain.flush_queue.timer_ns;
    let (max, p99) = (timer.max?, timer.p99?);
    let severity = match max {
        TIMER_CRITICAL_NS.. => Severity::Critical,
        TIMER_WARNING_NS.. => Severity::Warning,
        _ if p99 >= TIMER_P99_INFO_NS => Severity::Info,
        _ => return None,
    };
    let text = format!(
        "One run of the flush-queue timer took {} (p99 {}): it frees every CPU's queue on one CPU, in softirq.",
        Unit::Nanoseconds.render(Some(max as f64)),
        Unit::Nanoseconds.render(Some(p99 as f64)),
    );
    let smaller = report.devices_of(domain).find_map(sac::limit_requests);
    let action = [smaller, Some(strict(report, domain))].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(
        Finding::new("long-flush-timer", severity, text)
            .domain(domain)
            .domain_facts(
                domain,
                &[
                    "flush_queue.timer_ns.max",
                    "flush_queue.timer_ns.p99",
                    "flush_queue.timer_ns.samples",
                    "flush_queue.entries",
                ],
            )
            .action(action)
            .risk(STRICT_RISK),
    )
}

pub(super) fn lock_contention(report: &Report, domain: &Domain) -> Option<Finding> {
    let wait = &domain.lock.wait_ns;
    let (waits, mean, max) = (domain.lock.waits?, wait.mean?, wait.max?);
    let cpus = waits as f64 * mean as f64 / (report.duration_s.max(0.001) * 1e9);
    if cpus < LOCK_CPUS_WARNING && max < LOCK_MAX_WARNING_NS {
        return None;
    }
    let severity = if cpus >= LOCK_CPUS_CRITICAL { Severity::Critical } else { Severity::Warning };
    let text = format!(
        "{} waits for the domain's tree lock cost {} of one CPU, the longest {}.",
        Unit::Count.render(Some(waits as f64)),
        Unit::Ratio.render(Some(cpus)),
        Unit::Nanoseconds.render(Some(max as f64)),
    );
    let busiest = report.devices_of(domain).max_by_key(|device| device.alloc.slow);
    let smaller = busiest.and_then(sac::limit_requests);
    let action = smaller.unwrap_or_else(|| {
        "Look for what takes the slow path most (column slow): cache misses, requests above 128 KiB, failed attempts."
            .to_owned()
    });
    Some(
        Finding::new("lock-contention", severity, text)
            .domain(domain)
            .domain_facts(
                domain,
                &["lock.waits", "lock.wait_ns.mean", "lock.wait_ns.p99", "lock.wait_ns.max", "nodes"],
            )
            .action(action),
    )
}
