//! Which part of the address space a device may use.

use super::thresholds::CONFINED_PRESSURE;
use super::{Finding, Severity};
use crate::metric::Unit;
use crate::model::{Device, Report};

/// Kernels with the per-device flag clear it at the first failure below 4 GiB.
pub(super) fn fell_back(report: &Report, device: &Device) -> Option<Finding> {
    // Without the flag a device goes high for one request at a time; that is the cliff's finding.
    let fell_back = device.fell_back && report.host.sac_control.falls_back_for_good();
    let forced = report.host.cmdline.iter().any(|word| word.contains("forcedac"));
    let cleared =
        report.host.sac_control.falls_back_for_good() && device.policy.configured == Some("full-range");
    let earlier = cleared && !forced && device.dma_mask_bits.is_some_and(|bits| bits > 32);
    // Somebody wanted it so.
    if device.policy.is_dac() || !fell_back && !earlier {
        return None;
    }
    let bits = device.dma_mask_bits.map_or_else(|| "its full".to_owned(), |bits| format!("{bits}-bit"));
    let high = Unit::Ratio.render(device.policy.effective_high_ratio);
    let landed = match device.policy.effective_high_ratio {
        Some(_) => format!("; {high} of its addresses were at or above 4 GiB"),
        None => String::new(),
    };
    let (severity, when) = if fell_back {
        (Severity::Warning, "ran out of space below 4 GiB during the interval and")
    } else {
        (Severity::Info, "ran out of space below 4 GiB at some time before and")
    };
    let text = format!(
        "The device {when} now uses {bits} addresses (kernel log: \"Using {}-bit DMA addresses\"){landed}.",
        device.dma_mask_bits.map_or_else(|| "N".to_owned(), |bits| bits.to_string())
    );
    Some(
        Finding::new("fell-back-64-bit", severity, text)
            .device(device)
            .device_facts(device, FACTS)
            .action(format!(
                "If the device works, nothing: the fallback is cheap. Watch for faults of {} in the kernel log. The \
                 kernel tries low again only after the device is removed and rescanned, or its group's type is \
                 written with the driver unbound.",
                device.bdf
            ))
            .risk("A device that drops high address bits shows it from now on: faults, or silent data corruption."),
    )
}

const FACTS: &[&str] = &[
    "policy.effective_high_ratio",
    "alloc.high",
    "alloc.sac_failed",
    "dma_mask_bits",
    "low_space.pressure",
    "low_space.free_bytes",
    "low_space.largest_gap_bytes",
    "faults.count",
];

/// A mask or bus limit of 32 bits: the low space is all it has.
pub(super) fn confined(_: &Report, device: &Device) -> Option<Finding> {
    if device.policy.configured != Some("32-bit") || device.alloc.count == 0 {
        return None;
    }
    let tight = device.low_space.pressure.is_some_and(|pressure| pressure >= CONFINED_PRESSURE);
    let severity = if tight || device.alloc.failed > 0 { Severity::Warning } else { Severity::Info };
    let why = match (device.bus_dma_limit, device.dma_mask_bits) {
        _ if device.policy.is_cap() => {
            format!("its policy is {}", device.policy.set.as_deref().unwrap_or_default())
        }
        (Some(limit), _) if limit < 1 << 32 => "the bus above it ends at 4 GiB".to_owned(),
        (_, Some(bits)) => format!("its driver set a DMA mask of {bits} bits"),
        _ => "its mask or its bus ends there".to_owned(),
    };
    let text = format!("The device can only use addresses below 4 GiB, because {why}.");
    Some(
        Finding::new("confined-32-bit", severity, text)
            .device(device)
            .device_facts(
                device,
                &["dma_mask_bits", "low_space.pressure", "low_space.free_bytes", "alloc.failed"],
            )
            .action(confined_action(device)),
    )
}

fn confined_action(device: &Device) -> String {
    let mut action =
        "Keep other devices out of its group, and its own mappings small: when the space is full, each \
                      request flushes all CPUs' caches and then fails."
            .to_owned();
    if device.policy.is_cap() {
        action += &format!(" `iova policy revert {}` lifts the cap.", device.bdf);
    }
    action
}
