//! Every request first searches a space in which it finds nothing.

use super::super::gain::Walks;
use super::super::{Advice, Gain, Setting, Sureness};
use super::{about, draft};
use crate::finding::dac_width;
use crate::model::{Device, Report};

const TRIED: &str = "The cost of the vain attempts is measured; that this device works above 4 GiB is not.";

/// Skip the vain attempt for this device alone.
pub(super) fn dac(report: &Report, device: &Device) -> Option<Advice> {
    let finding = *about(report, device, &["low-space-cliff"]).first()?;
    let bits = dac_width(device, report.host.sac_control)?;
    let bdf = &device.bdf;
    let policy = format!("dac:{bits}");
    let draft = draft("dac-device", device, Setting::Policy { device: bdf.clone(), policy: policy.clone() });
    Some(Advice {
        text: finding.text.clone(),
        findings: vec![finding.id],
        gain: gain(report, device),
        now: vec![
            format!("iova policy explain {bdf} {policy}"),
            format!("iova policy try {bdf} {policy} --flush"),
        ],
        risk: Some(format!(
            "A device, or a bridge above it, that drops address bits below {bits} then reads and writes elsewhere: silently, if \
             something is mapped there. Have a backup, and try it before it is written down."
        )),
        revert: format!("iova policy revert {bdf}; and remove the saved policy"),
        sure: Sureness::Medium,
        why: TRIED.to_owned(),
        ..draft
    })
}

/// The same for all PCI devices, where the kernel knows no other way.
pub(super) fn boot(report: &Report, device: &Device) -> Option<Advice> {
    let finding = *about(report, device, &["low-space-cliff"]).first()?;
    let option = report.host.sac_control.boot_option()?;
    if dac_width(device, report.host.sac_control).is_some() || device.dma_mask_bits? <= 32 {
        return None;
    }
    Some(Advice {
        text: finding.text.clone(),
        findings: vec![finding.id],
        gain: gain(report, device),
        risk: Some(
            "Every PCI device goes to the top of its range at once, and some drop high address bits: silently, if something is \
             mapped there. For hosts of which every device is known to work so."
                .to_owned(),
        ),
        revert: "boot without it".to_owned(),
        sure: Sureness::Low,
        why: format!("{TRIED} This kernel has no such setting for one device alone."),
        ..draft("dac-boot", device, Setting::BootOption { option })
    })
}

/// A flush queue of one CPU holds so many addresses (IOVA_FQ_SIZE: drivers/iommu/iova.c in 5.10, dma-iommu.c from 5.17 on; one queue
/// for all CPUs, which 6.7 and later may have, holds as many as 128 of them).
const QUEUE: u64 = 256;

/// The vain searches gone. What is freed lately stays in the tree until its queue is flushed, where later searches pass by.
fn gain(report: &Report, device: &Device) -> Option<Gain> {
    let nodes = report.domain_of(device).and_then(|domain| domain.nodes).unwrap_or(0);
    let left = QUEUE * u64::from(report.host.cpus);
    let calls = (device.alloc.sac_failed?, device.alloc.count);
    Gain::without_walks("alloc.latency_ns.mean", &device.alloc.latency_ns, calls, &Walks { nodes, left })
}
