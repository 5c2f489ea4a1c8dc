//! DMA that fails: at the IOMMU, or already at the allocator.

use super::{Finding, Severity};
use crate::metric::Unit;
use crate::model::{Device, Fault, Report};

pub(super) fn faults(_: &Report, device: &Device) -> Option<Finding> {
    let count = device.faults.count.filter(|&count| count > 0)?;
    let example = device.faults.first.first().map(describe).unwrap_or_default();
    let text = format!(
        "The IOMMU refused {} DMA accesses of the device{example}{}.",
        Unit::Count.render(Some(count as f64)),
        if truncates(device) { "; the address fits a high one cut to 32 bits" } else { "" },
    );
    let action = if truncates(device) {
        "Suspect that the device drops high address bits: check a copy of its data, and keep it below 4 GiB by a \
         32-bit DMA mask (driver option or quirk)."
    } else {
        "Find the driver that unmaps too early or never mapped: kernel log (DMAR, AMD-Vi), then CONFIG_DMA_API_DEBUG."
    };
    Some(
        Finding::new("dma-faults", Severity::Critical, text)
            .device(device)
            .device_facts(device, &["faults.count", "policy.effective_high_ratio", "dma_mask_bits"])
            .action(action),
    )
}

fn describe(fault: &Fault) -> String {
    let access = fault.access.unwrap_or("access");
    let reason = match fault.reason {
        // Intel VT-d specification, "Fault Reason Encodings"; those a broken device or driver can cause.
        Some(4) => " (address beyond the domain's width)".to_owned(),
        Some(5) => " (no write permission: not mapped)".to_owned(),
        Some(6) => " (no read permission: not mapped)".to_owned(),
        Some(other) => format!(" (reason {other:#04x})"),
        None => String::new(),
    };
    format!(", the first a {access} at {}{reason}", fault.address)
}

/// Faults below 4 GiB of a device whose addresses are above: typical for one that drops the upper half.
fn truncates(device: &Device) -> bool {
    let low = device.faults.first.iter().any(|fault| {
        u64::from_str_radix(fault.address.trim_start_matches("0x"), 16).is_ok_and(|address| address < 1 << 32)
    });
    low && device.policy.effective_high_ratio > Some(0.5)
}

pub(super) fn failed(_: &Report, device: &Device) -> Option<Finding> {
    if device.alloc.failed == 0 {
        return None;
    }
    let share = device.alloc.failed as f64 / device.alloc.count.max(1) as f64;
    let text = format!(
        "{} allocations ({}) failed altogether: the driver got DMA_MAPPING_ERROR.",
        Unit::Count.render(Some(device.alloc.failed as f64)),
        Unit::Ratio.render(Some(share)),
    );
    let confined = device.policy.configured == Some("32-bit");
    let action = if confined {
        "The device cannot leave the full 32-bit space: reduce what it maps at once (queue depth, ring sizes), or \
         move other devices out of its group."
    } else {
        "Compare the failed sizes with the device's mask; a request larger than any aligned block can never succeed."
    };
    Some(
        Finding::new("alloc-failures", Severity::Critical, text)
            .device(device)
            .device_facts(
                device,
                &[
                    "alloc.failed",
                    "alloc.count",
                    "alloc.tree_failed",
                    "cache.flushes",
                    "dma_mask_bits",
                    "low_space.pressure",
                    "low_space.largest_gap_bytes",
                ],
            )
            .action(action),
    )
}
