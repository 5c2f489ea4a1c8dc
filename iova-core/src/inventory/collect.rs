//! Gathering: sysfs first, the kernel's memory where it may be read.

use super::facts::{DeviceFacts, KernelFacts};
use super::pci_ids::PciIds;
use super::policy::{Facts, Global};
use super::{Configured, Device, DomainType, Inventory, functions, host, policy};
use crate::kernel::root::clean;
use crate::kernel::{Kernel, Root};
use crate::policy::module;

const GROUPS: &str = "sys/kernel/iommu_groups";

impl Inventory {
    /// Every device in an IOMMU group. Without a kernel, or without the rights to read its memory, there is less to
    /// know, and `missing` says so.
    pub fn collect(kernel: Option<&Kernel>) -> Self {
        let root = kernel.map_or_else(Root::default, |kernel| kernel.root.clone());
        Self::collect_from(&root, kernel)
    }

    /// The same for a tree of recorded files.
    pub fn collect_from(root: &Root, kernel: Option<&Kernel>) -> Self {
        let mut inventory = Self { host: host::read(root), ..Self::default() };
        let facts = kernel.map_or_else(|| Err(no_kernel()), KernelFacts::read);
        let facts = facts.unwrap_or_else(|sentence| {
            inventory
                .missing
                .push(format!("the policy, bus limits and addresses of devices are unknown: {sentence}"));
            KernelFacts::default()
        });
        let forced = forced_at_boot(&inventory.host.cmdline);
        let known = Known { root, facts: &facts, forced };
        inventory.devices = known.devices();
        if inventory.devices.is_empty() {
            inventory.missing.push(nothing_here(&inventory.host.iommu));
        }
        name(root, &mut inventory.devices);
        inventory
    }
}

fn no_kernel() -> String {
    "the running kernel could not be looked into".to_owned()
}

fn nothing_here(iommus: &[String]) -> String {
    let why = if iommus.is_empty() {
        "this machine runs without an IOMMU: switch VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on \
         (Intel)"
    } else {
        "the IOMMU has no device groups (/sys/kernel/iommu_groups is empty): mount sysfs, and boot without iommu=off"
    };
    format!("no device is behind an IOMMU, so no IOVA is ever allocated: {why}")
}

/// `iommu.forcedac=1` on the command line: still visible when the kernel's memory is not.
fn forced_at_boot(cmdline: &[String]) -> bool {
    let values = ["iommu.forcedac=1", "iommu.forcedac=y", "iommu.forcedac=on", "iommu.forcedac=true"];
    cmdline.iter().any(|word| values.contains(&word.to_lowercase().as_str()))
}

struct Known<'a> {
    root: &'a Root,
    facts: &'a KernelFacts,
    forced: bool,
}

impl Known<'_> {
    fn devices(&self) -> Vec<Device> {
        let mut devices = Vec::new();
        for number in self.root.names(GROUPS) {
            let Ok(group) = number.parse() else { continue };
            let kind = domain_type(self.root.text(format!("{GROUPS}/{number}/type")).as_deref());
            for name in self.root.names(format!("{GROUPS}/{number}/devices")) {
                devices.push(self.device(group, kind, &name));
            }
        }
        devices.sort_by(|a, b| a.bdf.cmp(&b.bdf));
        devices
    }

    fn device(&self, group: u32, kind: DomainType, sysfs_name: &str) -> Device {
        let path = format!("{GROUPS}/{group}/devices/{sysfs_name}");
        let at = |file: &str| format!("{path}/{file}");
        let bdf = clean(sysfs_name.as_bytes());
        let facts = self.facts.devices.get(&bdf);
        let bus = self.root.link_name(at("subsystem")).unwrap_or_else(|| "unknown".to_owned());
        let id = |file| self.root.number(at(file)).and_then(|id| u16::try_from(id).ok());
        let mask = |file, fact: Option<u64>| {
            let shown = self.root.number(at(file)).and_then(|bits| u8::try_from(bits).ok());
            fact.map(width).or(shown)
        };
        let dma_mask_bits = mask("dma_mask_bits", facts.and_then(|facts| facts.dma_mask));
        let managed = (bus == "pci").then(|| module::configured(self.root, &bdf)).flatten();
        Device {
            dev: facts.map(|facts| facts.dev),
            id: id("vendor").zip(id("device")),
            name: bdf.clone(),
            driver: self.root.link_name(at("driver")),
            functions: functions::of(self.root, &path),
            group,
            domain_type: if kind == DomainType::Dma && facts.is_some_and(|facts| facts.lazy) {
                DomainType::DmaFq
            } else {
                kind
            },
            iovad: facts.and_then(|facts| facts.iovad),
            dma_mask_bits,
            coherent_mask_bits: mask("consistent_dma_mask_bits", facts.and_then(|facts| facts.coherent_mask)),
            bus_dma_limit: facts.and_then(|facts| facts.bus_dma_limit),
            configured: match &managed {
                // With the low space held, the attempt below is in vain, and the address is high.
                Some(managed) if managed.held_bytes > 0 => Some(Configured::FullRange),
                _ => self.configured(kind, facts, &bus, dma_mask_bits),
            },
            managed,
            bus,
            bdf,
        }
    }

    fn configured(
        &self,
        kind: DomainType,
        facts: Option<&DeviceFacts>,
        bus: &str,
        mask_bits: Option<u8>,
    ) -> Option<Configured> {
        let is_pci = bus == "pci";
        match (kind, facts) {
            // No allocator, no policy.
            (DomainType::Identity | DomainType::Other, _) => None,
            (_, Some(facts)) => policy::configured(&facts.policy(is_pci), &self.facts.global),
            // From sysfs alone: what is narrow stays low, and what was forced at boot goes anywhere.
            (_, None) if mask_bits.is_some_and(|bits| bits <= 32) => Some(Configured::Low),
            (_, None) if self.forced && is_pci => {
                let global = Global { forcedac: Some(true), vtd_forcedac: None };
                policy::configured(&Facts { is_pci, mask: Some(u64::MAX), ..Facts::default() }, &global)
            }
            (_, None) => None,
        }
    }
}

/// Bits of a mask like 0xffffffff.
fn width(mask: u64) -> u8 {
    (64 - mask.leading_zeros()) as u8
}

/// `iommu_group_show_type` (`drivers/iommu/iommu.c`).
fn domain_type(text: Option<&str>) -> DomainType {
    match text {
        Some("DMA") => DomainType::Dma,
        Some("DMA-FQ") => DomainType::DmaFq,
        Some("identity") => DomainType::Identity,
        _ => DomainType::Other,
    }
}

/// Gives PCI devices the names of pci.ids.
fn name(root: &Root, devices: &mut [Device]) {
    let wanted: Vec<_> = devices.iter().filter_map(|device| device.id).collect();
    let ids = PciIds::load(root, &wanted);
    for device in devices {
        if let Some(id) = device.id {
            device.name = ids.name(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        assert_eq!((width(0xffff_ffff), width(u64::MAX), width(0)), (32, 64, 0));
    }

    #[test]
    fn forced() {
        assert!(forced_at_boot(&["iommu.forcedac=Y".to_owned()]));
        assert!(!forced_at_boot(&["iommu.forcedac=0".to_owned()]));
    }
}
