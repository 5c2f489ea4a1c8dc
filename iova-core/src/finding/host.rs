//! What is not a fault of any one device.

use super::{Finding, NOTHING_MEASURED, Severity};
use crate::inventory::DomainType;
use crate::model::{Device, Presence, Report};

const TURN_ON: &str = "To have DMA translated, boot with intel_iommu=on (AMD-Vi is on by default) and without \
                       iommu.passthrough=1 or iommu=pt.";
const TRANSLATION_RISK: &str =
    "Translation costs CPU time per map and unmap, and drivers with DMA bugs start to fault.";

/// No IOMMU, passthrough everywhere, or simply nothing going on.
pub(super) fn nothing_allocated(report: &Report) -> Option<Finding> {
    let translated =
        |device: &Device| matches!(device.domain_type, Some(DomainType::Dma | DomainType::DmaFq));
    if report.devices.iter().any(|device| device.alloc.count > 0) {
        return None;
    }
    if report.devices.is_empty() {
        let text = "No IOVA allocation happens here: no IOMMU is active, so DMA addresses are physical addresses; \
                    there is nothing to run out of, and no protection from stray DMA.";
        return Some(nothing(text).action(TURN_ON).risk(TRANSLATION_RISK));
    }
    if !report.devices.iter().any(translated) {
        let text = format!(
            "No IOVA allocation happens here: all {} devices are in passthrough (identity) domains, so DMA addresses \
             are physical addresses.",
            report.devices.len()
        );
        return Some(nothing(&text).action(TURN_ON).risk(TRANSLATION_RISK));
    }
    let text = format!(
        "No device allocated an IOVA during the {:.1} s of the measurement: either all were idle, or their drivers \
         map their buffers once and keep them.",
        report.duration_s
    );
    let action = "Measure while the load runs: iova report -- COMMAND, or a longer --duration.";
    Some(Finding::new("idle", Severity::Note, text).action(action))
}

fn nothing(text: &str) -> Finding {
    Finding::new(NOTHING_MEASURED, Severity::Note, text)
}

/// Its figures cover part of the interval only.
pub(super) fn replugged(_: &Report, device: &Device) -> Option<Finding> {
    let what = match device.presence {
        Presence::Added => "was added",
        Presence::Removed => "was removed",
        _ => return None,
    };
    let text = format!("The device {what} during the measurement: its figures cover part of the interval.");
    Some(
        Finding::new("hotplug", Severity::Info, text)
            .device(device)
            .action("Measure again if that was not intended."),
    )
}
