//! Failed attempts below 4 GiB.

use super::thresholds::{MAX_CACHED_ORDER, SAC_FAILED_CRITICAL};
use super::{Finding, Severity};
use crate::metric::Unit;
use crate::model::{Device, Report, SacControl};

const DAC_RISK: &str = "Devices that drop high address bits fail then, with IOMMU faults or with silent data corruption: \
                        test each one, with a backup. A trial of one device ends at its first fault; the boot option \
                        affects every PCI device from the next boot on.";

/// Without the per-device flag, every allocation searches the low space again, however often it was in vain.
pub(super) fn cliff(report: &Report, device: &Device) -> Option<Finding> {
    let failed = device.alloc.sac_failed?;
    // Where attempts are not counted (recordings of profile light by older versions): a device that has any makes one per allocation.
    let attempts = device.alloc.sac_attempts.unwrap_or(device.alloc.count);
    let control = report.host.sac_control;
    if failed == 0 || control.falls_back_for_good() || control == SacControl::Unknown || is_meant(device) {
        return None;
    }
    let share = failed as f64 / attempts.max(1) as f64;
    let severity = if share >= SAC_FAILED_CRITICAL { Severity::Critical } else { Severity::Warning };
    let text = format!(
        "{} of {} attempts below 4 GiB failed ({}){}; this kernel makes the vain attempt for each such request \
         again{}.",
        Unit::Count.render(Some(failed as f64)),
        Unit::Count.render(Some(attempts as f64)),
        Unit::Ratio.render(Some(share)),
        cause(report, device),
        cost(device),
    );
    let finding = Finding::new("low-space-cliff", severity, text)
        .device(device)
        .device_facts(device, FACTS)
        .action(cliff_action(device, control));
    let goes_high = control.boot_option().is_some() || dac_trial(device, control).is_some();
    Some(if goes_high { finding.risk(DAC_RISK) } else { finding })
}

/// With the low space held by the module, the attempts below 4 GiB are to fail: that is the policy.
fn is_meant(device: &Device) -> bool {
    device.low_space.held_bytes > Some(0)
}

/// Width of a trial: ample, and at far less risk than the top of the space (it has 255 times the low space, and a PC
/// with 1 TiB of memory uses as many bits without an IOMMU).
const TRIAL_BITS: u8 = 40;

/// The command that lets this device alone skip the attempt below 4 GiB; `None` where there is none: it can't go
/// higher, it does already, or the kernel offers no way (VT-d on 5.10).
pub(super) fn dac_trial(device: &Device, control: SacControl) -> Option<String> {
    let bits = dac_width(device, control)?;
    let module =
        if device.policy.set.is_some() { "" } else { " (with the module iova_policy, see `iova doctor`)" };
    Some(format!("iova policy try {} dac:{bits} --flush{module}", device.bdf))
}

/// The width of such a trial, bits; `None` where there can be none.
pub(crate) fn dac_width(device: &Device, control: SacControl) -> Option<u8> {
    let bits = device.dma_mask_bits.filter(|&bits| bits > 32)?.min(TRIAL_BITS);
    let offered = !matches!(control, SacControl::IntelGlobal | SacControl::Unknown);
    let free = !device.policy.is_dac() && device.policy.state != Some("quarantined");
    let is_pci = device.bdf.parse::<crate::policy::Bdf>().is_ok();
    (offered && free && is_pci).then_some(bits)
}

const FACTS: &[&str] = &[
    "alloc.sac_failed",
    "alloc.sac_attempts",
    "alloc.tree_failed",
    "alloc.latency_ns.p50",
    "alloc.latency_ns.p99",
    "alloc.latency_ns.max",
    "low_space.pressure",
    "low_space.free_bytes",
    "low_space.largest_gap_bytes",
    "low_space.cached_bytes",
    "low_space.pending_bytes",
    "policy.effective_high_ratio",
];

/// Full, fragmented, or held by caches and queues: said only as far as the snapshot shows it.
fn cause(report: &Report, device: &Device) -> String {
    let space = &device.low_space;
    let (Some(pressure), Some(free)) = (space.pressure, space.free_bytes) else { return String::new() };
    let wanted = device.alloc.by_order.iter().map(|entry| entry.order).max().unwrap_or(0);
    let blocks = report.domain_of(device).and_then(|domain| domain.blocks(wanted));
    let granule = report.domain_of(device).and_then(|domain| domain.granule_bytes).unwrap_or(4096);
    let size = Unit::Bytes.render(Some((granule << wanted) as f64));
    match blocks {
        Some(0) => format!(
            ", because no aligned block of {size} is left there ({} free in pieces)",
            Unit::Bytes.render(Some(free as f64))
        ),
        _ => format!(", with {} of the 32-bit space in use", Unit::Ratio.render(Some(pressure))),
    }
}

fn cost(device: &Device) -> String {
    let latency = &device.alloc.latency_ns;
    let (Some(p50), Some(p99)) = (latency.p50, latency.p99) else { return String::new() };
    let [p50, p99] = [p50, p99].map(|ns| Unit::Nanoseconds.render(Some(ns as f64)));
    format!(": an allocation takes {p50} at the median and {p99} at p99")
}

fn cliff_action(device: &Device, control: SacControl) -> String {
    let mut steps = Vec::new();
    if let Some(limit) = limit_requests(device) {
        steps.push(limit);
    }
    let trial = dac_trial(device, control);
    match (&trial, control.boot_option()) {
        (Some(trial), Some(option)) => steps.push(format!(
            "To skip the attempt below 4 GiB for this device: {trial}; for all PCI devices, boot with {option}."
        )),
        (Some(trial), None) => {
            steps.push(format!("To skip the attempt below 4 GiB for this device: {trial}."));
        }
        (None, Some(option)) => {
            steps.push(format!("To skip the attempt below 4 GiB, boot with {option} (no effect while running)."));
        }
        (None, None) => {}
    }
    if control == SacControl::Fixed {
        steps.push("This kernel has no option to skip it; reduce what the device maps at once (queue depth, ring sizes), \
                    or use a newer kernel, where a device gives up after one failure."
            .to_owned());
    }
    steps.join(" ")
}

/// The command that keeps a block device's requests small enough for the caches, where it makes larger ones.
pub(super) fn limit_requests(device: &Device) -> Option<String> {
    let disk = limited_disk(device)?;
    Some(format!("Keep requests cacheable: echo 128 > /sys/block/{disk}/queue/max_sectors_kb."))
}

/// The disk on top of a device that makes larger requests than the caches hold.
pub(crate) fn limited_disk(device: &Device) -> Option<&str> {
    let large = device.alloc.by_order.iter().any(|entry| entry.order > MAX_CACHED_ORDER);
    device.functions.iter().find(|name| is_disk(name)).filter(|_| large).map(String::as_str)
}

fn is_disk(name: &str) -> bool {
    ["nvme", "sd", "vd"].iter().any(|prefix| name.starts_with(prefix))
}

/// The same failures where the kernel remembers them, or where we do not know what it does.
pub(super) fn failures(report: &Report, device: &Device) -> Option<Finding> {
    let failed = device.alloc.sac_failed.filter(|&failed| failed > 0)?;
    let control = report.host.sac_control;
    let told_as_fallback = device.fell_back && control.falls_back_for_good();
    if is_meant(device)
        || told_as_fallback
        || !(control.falls_back_for_good() || control == SacControl::Unknown)
    {
        return None;
    }
    let text = format!(
        "{} attempts to allocate below 4 GiB failed{}.",
        Unit::Count.render(Some(failed as f64)),
        cause(report, device)
    );
    let action = format!(
        "Look at the 32-bit space of group {} below, and in the kernel log for \"bit DMA addresses\".",
        device.group.map_or_else(|| "?".to_owned(), |group| group.to_string())
    );
    Some(
        Finding::new("sac-failures", Severity::Warning, text)
            .device(device)
            .device_facts(device, FACTS)
            .action(action),
    )
}
