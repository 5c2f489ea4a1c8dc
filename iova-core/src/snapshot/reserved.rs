//! What of a domain's space was never for mappings.
//!
//! A node of the tree does not say why it is there, so the places that make reservations are read again:
//! - `iova_reserve_pci_windows` (`drivers/iommu/dma-iommu.c`, all lines): the memory windows of the device's PCI host
//!   bridge, and what its `dma_ranges` leave out;
//! - `iova_reserve_iommu_regions` (same file; 5.10 VT-d: `intel_iommu_apply_resv_region`): the regions sysfs lists in
//!   `reserved_regions` (MSI, RMRR and other firmware regions);
//! - 5.10 VT-d: `copy_reserved_iova` from `reserved_iova_list` (`drivers/iommu/intel/iommu.c`
//!   dmar_init_reserved_ranges): every memory BAR present at boot, and the I/O APIC.
//!
//! A node wholly inside the union, and neither cached nor queued, is a reservation. One case can't be told apart: a
//! second device that joins a group with other regions than the first; its regions are listed, but not reserved.

use super::groups::{Group, list};
use super::layout::{Layout, Lookup};
use super::memory::{Memory, kernel_address};
use super::space::Pages;
use super::{Changed, tree};
use crate::kernel::Kernel;

/// `MSI_IOVA_BASE` of the ARM SMMU drivers: sysfs calls this software-managed region "msi" too, but its addresses are
/// handed out as needed (`IOMMU_RESV_SW_MSI` is skipped by `iova_reserve_iommu_regions`).
const SOFTWARE_MSI: u64 = 0x0800_0000;
/// `IORESOURCE_TYPE_BITS`, `IORESOURCE_MEM` (`include/linux/ioport.h`).
const TYPE_BITS: u64 = 0x1f00;
const TYPE_MEM: u64 = 0x0200;

/// How to find the reservations of a group.
pub(super) struct Reservations<'a> {
    kernel: &'a Kernel,
    pci: Option<PciLayout>,
    /// 5.10 VT-d: the domain whose tree is copied into every new one.
    boot_list: Option<u64>,
}

struct PciLayout {
    bus_type: u64,
    device_bus: u64,
    pci_dev_dev: u64,
    pci_dev_bus: u64,
    bus_parent: u64,
    bus_bridge: u64,
    bridge_dev: u64,
    windows: u64,
    dma_ranges: u64,
    entry_res: u64,
    entry_offset: u64,
    res_start: u64,
    res_end: u64,
    res_flags: u64,
}

/// A resource as the bus sees it.
struct Window {
    start: u64,
    end: u64,
    memory: bool,
}

impl<'a> Reservations<'a> {
    pub(super) fn new(kernel: &'a Kernel) -> Self {
        let pci = PciLayout::resolve(kernel);
        Self { kernel, pci, boot_list: kernel.symbol("reserved_iova_list") }
    }

    /// What would make every reservation look like a mapping.
    pub(super) fn missing(&self) -> Option<String> {
        self.pci.is_none().then(|| {
            "reserved windows of PCI host bridges can't be told from live mappings: this kernel's type information \
             lacks pci_host_bridge; reserved space is counted as live"
                .to_owned()
        })
    }

    /// The reserved pages of a group whose domain has pages of `1 << shift` bytes.
    pub(super) fn of(&self, memory: &Memory<'_>, layout: &Layout, group: &Group, shift: u32) -> Pages {
        let mut ranges = self.regions(group.id);
        let copied = group.domain.is_some_and(|domain| domain.cookie.is_none());
        match (copied, self.boot_list, &self.pci) {
            (true, Some(list), _) => {
                let nodes = tree::read(memory, layout, list).map(|tree| tree.nodes).unwrap_or_default();
                let mut pages: Vec<_> = nodes.iter().map(|node| (node.lo, node.hi)).collect();
                pages.extend(ranges.iter().map(|(lo, hi)| (lo >> shift, hi >> shift)));
                return Pages::new(pages);
            }
            (false, _, Some(pci)) => {
                for device in &group.devices {
                    ranges.extend(pci.windows(memory, device.dev).unwrap_or_default());
                }
            }
            _ => {}
        }
        Pages::new(ranges.into_iter().map(|(lo, hi)| (lo >> shift, hi >> shift)).collect())
    }

    /// Lines `"0x00000000fee00000 0x00000000feefffff msi"`.
    fn regions(&self, group: u32) -> Vec<(u64, u64)> {
        let path = format!("sys/kernel/iommu_groups/{group}/reserved_regions");
        let Ok(bytes) = self.kernel.root.bytes(path) else { return Vec::new() };
        String::from_utf8_lossy(&bytes).lines().filter_map(region).collect()
    }
}

fn region(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let lo = crate::kernel::root::parse_number(words.next()?)?;
    let hi = crate::kernel::root::parse_number(words.next()?)?;
    (words.next() != Some("msi") || lo != SOFTWARE_MSI).then_some((lo, hi))
}

impl PciLayout {
    fn resolve(kernel: &Kernel) -> Option<Self> {
        let of = Lookup(&kernel.btf);
        Some(Self {
            bus_type: kernel.symbol("pci_bus_type")?,
            device_bus: of.may("device.bus")?,
            pci_dev_dev: of.may("pci_dev.dev")?,
            pci_dev_bus: of.may("pci_dev.bus")?,
            bus_parent: of.may("pci_bus.parent")?,
            bus_bridge: of.may("pci_bus.bridge")?,
            bridge_dev: of.may("pci_host_bridge.dev")?,
            windows: of.may("pci_host_bridge.windows")?,
            dma_ranges: of.may("pci_host_bridge.dma_ranges")?,
            entry_res: of.may("resource_entry.res")?,
            entry_offset: of.may("resource_entry.offset")?,
            res_start: of.may("resource.start")?,
            res_end: of.may("resource.end")?,
            res_flags: of.may("resource.flags")?,
        })
    }

    /// Address ranges that `iova_reserve_pci_windows` reserves for a device; none if it is no PCI device.
    fn windows(&self, memory: &Memory<'_>, dev: u64) -> Result<Vec<(u64, u64)>, Changed> {
        if memory.u64(dev + self.device_bus)? != self.bus_type {
            return Ok(Vec::new());
        }
        let bridge = self.host_bridge(memory, dev)?;
        let windows = self.resources(memory, bridge + self.windows)?;
        let mut ranges: Vec<_> =
            windows.into_iter().filter(|window| window.memory).map(|w| (w.start, w.end)).collect();
        ranges.extend(outside(self.resources(memory, bridge + self.dma_ranges)?));
        Ok(ranges)
    }

    /// `pci_find_host_bridge` (`drivers/pci/host-bridge.c`).
    fn host_bridge(&self, memory: &Memory<'_>, dev: u64) -> Result<u64, Changed> {
        let mut bus = memory.pointer(dev.wrapping_sub(self.pci_dev_dev) + self.pci_dev_bus)?;
        // PCI has 256 buses in a domain.
        for _ in 0..256 {
            match memory.pointer(bus + self.bus_parent)? {
                0 => {
                    let dev = memory.pointer(bus + self.bus_bridge)?;
                    return Ok(kernel_address(dev.wrapping_sub(self.bridge_dev))?);
                }
                parent => bus = parent,
            }
        }
        Err(Changed)
    }

    fn resources(&self, memory: &Memory<'_>, head: u64) -> Result<Vec<Window>, Changed> {
        let mut windows = Vec::new();
        // `node` is the first member of `struct resource_entry`, by its use as a list of entries.
        for entry in list(memory, head)? {
            let res = memory.pointer(entry + self.entry_res)?;
            let offset = memory.u64(entry + self.entry_offset)?;
            windows.push(Window {
                start: memory.u64(res + self.res_start)?.wrapping_sub(offset),
                end: memory.u64(res + self.res_end)?.wrapping_sub(offset),
                memory: memory.u64(res + self.res_flags)? & TYPE_BITS == TYPE_MEM,
            });
        }
        Ok(windows)
    }
}

/// What lies between and around the ranges a host bridge lets DMA through; nothing if it lists none.
fn outside(mut allowed: Vec<Window>) -> Vec<(u64, u64)> {
    allowed.sort_unstable_by_key(|window| window.start);
    let mut ranges = Vec::new();
    let mut start = 0;
    for window in &allowed {
        if window.start > start {
            ranges.push((start, window.start));
        }
        start = window.end.wrapping_add(1);
    }
    if !allowed.is_empty() && start != 0 {
        ranges.push((start, u64::MAX));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_reserved_regions() {
        assert_eq!(region("0x00000000fee00000 0x00000000feefffff msi"), Some((0xfee0_0000, 0xfeef_ffff)));
        assert_eq!(region("0x0000000000000000 0x0000000000ffffff direct-relaxable"), Some((0, 0xff_ffff)));
        assert_eq!(region("0x0000000008000000 0x00000000080fffff msi"), None);
        assert_eq!(region("garbage"), None);
    }

    #[test]
    fn what_a_bridge_does_not_let_through() {
        let window = |start, end| Window { start, end, memory: true };
        assert!(outside(Vec::new()).is_empty());
        let ranges = outside(vec![window(0x8000, 0xffff), window(0x1000, 0x1fff)]);
        assert_eq!(ranges, [(0, 0x1000), (0x2000, 0x8000), (0x1_0000, u64::MAX)]);
        assert!(outside(vec![window(0, u64::MAX)]).is_empty());
    }
}
