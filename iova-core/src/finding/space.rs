//! The 32-bit space of a domain: full, or in pieces.

use super::thresholds::{BLOCKS_IF_WHOLE, FEW_BLOCKS, PRESSURE_CRITICAL, PRESSURE_WARNING};
use super::{Finding, Severity};
use crate::metric::Unit;
use crate::model::{Domain, LowSpace, Report, SacControl};

const FACTS: &[&str] = &[
    "low_space.pressure",
    "low_space.capacity_bytes",
    "low_space.live_bytes",
    "low_space.cached_bytes",
    "low_space.pending_bytes",
    "low_space.free_bytes",
    "low_space.largest_gap_bytes",
    "max32_alloc_bytes",
    "nodes",
];

/// True if a device of the domain was refused something below 4 GiB in the interval.
pub(super) fn refused(report: &Report, domain: &Domain) -> bool {
    report.devices_of(domain).any(|device| device.alloc.failed > 0 || device.alloc.sac_failed > Some(0))
}

/// True if every device that allocates from the domain skips the space below 4 GiB: then its state matters to none.
fn passed_by(report: &Report, domain: &Domain) -> bool {
    let mut active = report.devices_of(domain).filter(|device| device.alloc.count > 0).peekable();
    active.peek().is_some() && active.all(|device| device.policy.configured == Some("full-range"))
}

fn severity(report: &Report, domain: &Domain, hurts: bool) -> Severity {
    match (passed_by(report, domain), hurts) {
        (true, _) => Severity::Info,
        (false, true) => Severity::Critical,
        (false, false) => Severity::Warning,
    }
}

pub(super) fn nearly_full(report: &Report, domain: &Domain) -> Option<Finding> {
    let space = &domain.low_space;
    let pressure = space.pressure.filter(|&pressure| pressure >= PRESSURE_WARNING)?;
    let critical = pressure >= PRESSURE_CRITICAL && refused(report, domain);
    let (holder, bytes) = holder(space)?;
    let text = format!(
        "{} of the space below 4 GiB is in use ({} of {}), most of it {holder} ({}).",
        Unit::Ratio.render(Some(pressure)),
        Unit::Bytes.render(space.used_bytes().map(|bytes| bytes as f64)),
        Unit::Bytes.render(space.capacity_bytes.map(|bytes| bytes as f64)),
        Unit::Bytes.render(Some(bytes as f64)),
    );
    Some(
        Finding::new("low-space-nearly-full", severity(report, domain, critical), text)
            .domain(domain)
            .domain_facts(domain, FACTS)
            .action(full_action(report, domain, holder)),
    )
}

/// What holds most of the space.
fn holder(space: &LowSpace) -> Option<(&'static str, u64)> {
    let kinds = [
        ("mapped by devices", space.live_bytes?),
        ("in the caches", space.cached_bytes?),
        ("waiting in flush queues", space.pending_bytes?),
    ];
    kinds.into_iter().max_by_key(|&(_, bytes)| bytes)
}

fn full_action(report: &Report, domain: &Domain, holder: &str) -> String {
    let first = match holder {
        "in the caches" => "See cache-holds-space for how to empty the caches.",
        "waiting in flush queues" => "See flush-queue-holds-space for how to shorten the queues.",
        _ => "Reduce what the devices map at once: queue depth, ring sizes, MTU.",
    };
    let then = match report.host.sac_control {
        SacControl::DeviceFlag => {
            "Devices that can use more than 32 bits move up by themselves at the first failure."
        }
        SacControl::Global | SacControl::IntelGlobal | SacControl::Fixed => {
            "On this kernel every request of every device searches this space first, also in vain."
        }
        SacControl::Unknown => "",
    };
    // The device that asks most gains most by leaving.
    let busiest = report.devices_of(domain).max_by_key(|device| device.alloc.count);
    let trial = busiest.and_then(|device| super::sac::dac_trial(device, report.host.sac_control));
    let trial = trial.map(|trial| format!("To move new mappings above 4 GiB: {trial}.")).unwrap_or_default();
    [first, then, &trial].iter().filter(|step| !step.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

/// Enough is free, but not in aligned blocks of a size that is asked for.
pub(super) fn fragmented(report: &Report, domain: &Domain) -> Option<Finding> {
    let (free, granule) = (domain.low_space.free_bytes?, domain.granule_bytes?);
    // What is held is held in pieces, and nobody is to find one.
    if domain.low_space.held_bytes > Some(0) {
        return None;
    }
    // A space without pages has no pieces either; that is the other finding.
    domain.low_space.pressure.filter(|&pressure| pressure < PRESSURE_CRITICAL)?;
    let scarce = |order: &u32| {
        let size = granule << order;
        domain.blocks(*order).is_some_and(|blocks| blocks < FEW_BLOCKS) && free / size >= BLOCKS_IF_WHOLE
    };
    let used =
        report.devices_of(domain).flat_map(|device| device.alloc.by_order.iter().map(|entry| entry.order));
    let order = used.filter(scarce).min()?;
    let (size, blocks) = (granule << order, domain.blocks(order)?);
    let text = format!(
        "The free space below 4 GiB is in pieces: {} are free, but {} of {}, a size that is asked for.",
        Unit::Bytes.render(Some(free as f64)),
        match blocks {
            0 => "there is no aligned block".to_owned(),
            1 => "there is only 1 aligned block".to_owned(),
            more => format!("there are only {more} aligned blocks"),
        },
        Unit::Bytes.render(Some(size as f64)),
    );
    let severity = severity(report, domain, refused(report, domain));
    let disks = report.devices_of(domain).find_map(super::sac::limit_requests);
    let action = disks.unwrap_or_else(|| {
        "Use smaller requests where the driver allows it; the pieces join only when what lies between them is freed."
            .to_owned()
    });
    Some(
        Finding::new("low-space-fragmented", severity, text)
            .domain(domain)
            .domain_facts(domain, FACTS)
            .action(action),
    )
}
