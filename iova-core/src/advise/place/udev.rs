//! Rules for udev.
//!
//! A rule has to hit the device that was judged, at every boot: names of disks and numbers of groups change, the place on
//! the bus rarely does, and where it does, vendor and device no longer fit. A rule that fits nothing does nothing.

use super::super::{Advice, Setting};
use crate::inventory::DomainType;
use crate::model::type_name;

/// After the rules that say what a device is, before the one that loads its driver (80-drivers.rules).
pub(super) const FILE: &str = "etc/udev/rules.d/62-iova-advice.rules";

/// The line for this advice, and the subsystem that it is about; `None` if udev can't set it.
pub(super) fn rule(advice: &Advice) -> Option<(&'static str, String)> {
    let kind = advice.kind.as_deref();
    if ![advice.device.as_deref(), kind].into_iter().flatten().all(is_plain) {
        return None;
    }
    match &advice.setting {
        Setting::MaxSectors { kib, .. } => {
            let parent = parent(advice.device.as_deref()?, kind);
            Some(("block", sectors(&parent, *kib)))
        }
        Setting::DomainType { device, to, .. } => Some(("pci", domain(&itself(device, kind), to))),
        _ => None,
    }
}

/// Files of others may hold anything; a rule takes only what addresses and ids are made of.
pub(crate) fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'-' | b'_'))
}

/// The disks below what `parent` selects. Their partitions have no queue.
pub(crate) fn sectors(parent: &str, kib: u32) -> String {
    format!(
        "ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", {parent}, \
         ATTR{{queue/max_sectors_kb}}=\"{kib}\"\n"
    )
}

/// Only from strict to lazy: that is the one change that a domain allows while it is in use (iommu_group_store_type in
/// drivers/iommu/iommu.c, 5.15 and later). What passes through stays so.
pub(crate) fn domain(itself: &str, to: &str) -> String {
    format!(
        "ACTION!=\"remove\", SUBSYSTEM==\"pci\", {itself}, ATTR{{iommu_group/type}}==\"{}\", ATTR{{iommu_group/type}}=\"{to}\"\n",
        type_name(DomainType::Dma)
    )
}

/// A device by its place, and by what it is.
fn itself(bdf: &str, kind: Option<&str>) -> String {
    format!("KERNEL==\"{bdf}\"{}", kind.map(|kind| format!(", {}", ids("ATTR", kind))).unwrap_or_default())
}

/// The same of a device further up: all of these conditions have to hold for one and the same (udev(7)).
fn parent(bdf: &str, kind: Option<&str>) -> String {
    match kind {
        Some(kind) => format!("SUBSYSTEMS==\"pci\", KERNELS==\"{bdf}\", {}", ids("ATTRS", kind)),
        None => format!("KERNELS==\"{bdf}\""),
    }
}

/// A kind of device, wherever it is.
pub(crate) fn ids(key: &str, kind: &str) -> String {
    let (vendor, device) = kind.split_once(':').unwrap_or((kind, "*"));
    format!("{key}{{vendor}}==\"0x{vendor}\", {key}{{device}}==\"0x{device}\"")
}
