//! What is known about a device before it is verified.

use serde::Serialize;

use super::disk;
use crate::inventory::{Device, DomainType, Inventory};
use crate::kernel::Root;
use crate::kernel::root::parse_number;
use crate::policy::explain::regions;
use crate::policy::module::DevicePolicy;
use crate::policy::{module, root_disk};

/// Everything [`super::check`] looks at; made by [`Facts::gather`], or by hand in tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// sysfs name of the device.
    pub bdf: String,
    /// Bound driver.
    pub driver: Option<String>,
    /// The driver lets itself be unbound through sysfs.
    pub unbindable: bool,
    /// Other devices of its group.
    pub mates: Vec<String>,
    /// Its domain.
    pub domain: Option<DomainType>,
    /// The group's `type` can be written (5.11 and later).
    pub type_writable: bool,
    /// It unmaps lazily; `None` if the allocator's state can't be read.
    pub lazy: Option<bool>,
    /// Regions that the firmware needs identity mapped.
    pub direct: Vec<(u64, u64)>,
    /// The root file system is on it.
    pub is_root_disk: bool,
    /// Who uses its disks: mount points, swap, device mapper, RAID.
    pub users: Vec<String>,
    /// Disks and network interfaces on it.
    pub functions: Vec<String>,
    /// Of these, the disks.
    pub disks: Vec<String>,
    /// The driver's DMA mask.
    pub mask_bits: Option<u8>,
    /// What the module says; `None` if it is not loaded.
    pub managed: Option<DevicePolicy>,
    /// Why the module can't be used, though it is loaded.
    pub module_trouble: Option<String>,
    /// Bits of the highest byte of RAM; `None` without the right to know.
    pub ram_bits: Option<u8>,
}

impl Facts {
    /// Looks at one device of the running system. What is not known from files, `lazy` and `module_trouble`, is left to
    /// the caller.
    pub fn gather(root: &Root, inventory: &Inventory, device: &Device) -> Self {
        let bdf = &device.bdf;
        let mates = inventory.devices.iter().filter(|other| other.group == device.group && other.bdf != *bdf);
        let direct = regions(root, device.group).into_iter().filter(|(_, kind)| kind.starts_with("direct"));
        Self {
            driver: device.driver.clone(),
            unbindable: root.exists(format!("sys/bus/pci/devices/{bdf}/driver/unbind")),
            mates: mates.map(|mate| mate.bdf.clone()).collect(),
            domain: Some(device.domain_type),
            type_writable: writable(root, device.group),
            lazy: None,
            direct: direct.map(|(range, _)| range).collect(),
            is_root_disk: root_disk::is_below_root(root, bdf),
            users: disk::users(root, bdf),
            functions: device.functions.clone(),
            disks: disk::disks(root, bdf),
            mask_bits: device.dma_mask_bits,
            managed: module::configured(root, bdf),
            module_trouble: None,
            ram_bits: ram_bits(root),
            bdf: bdf.clone(),
        }
    }

    /// Bits that the device has proved by working: it gets physical addresses while it bypasses the IOMMU.
    pub fn free_bits(&self) -> Option<u8> {
        self.ram_bits.filter(|_| self.domain == Some(DomainType::Identity))
    }
}

/// `iommu_groups/N/type` has been writable since 5.11 (mode 0644, drivers/iommu/iommu.c); before, it only shows.
fn writable(root: &Root, group: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let path = root.path(format!("sys/kernel/iommu_groups/{group}/type"));
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o200 != 0)
}

/// `proc/iomem`: "100000000-47fffffff : System RAM". Without CAP_SYS_ADMIN all addresses are 0.
fn ram_bits(root: &Root) -> Option<u8> {
    let bytes = root.bytes("proc/iomem").ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let ram = text.lines().filter(|line| line.ends_with(" : System RAM"));
    let ends = ram.filter_map(|line| {
        let (_, end) = line.split(" : ").next()?.trim().split_once('-')?;
        parse_number(&format!("0x{end}"))
    });
    let top = ends.max().filter(|&top| top > 0)?;
    u8::try_from(u64::BITS - top.leading_zeros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testdir::TestDir;

    #[test]
    fn the_top_of_ram() {
        let dir = TestDir::new("verify-ram");
        dir.file(
            "proc/iomem",
            "00001000-0009fbff : System RAM\n100000000-47fffffff : System RAM\nfee00000-fee00fff : x\n",
        );
        assert_eq!(ram_bits(&dir.root()), Some(35));
        dir.file("proc/iomem", "00000000-00000000 : System RAM\n");
        assert_eq!(ram_bits(&dir.root()), None, "hidden from us");
        let facts = Facts { ram_bits: Some(35), domain: Some(DomainType::Identity), ..Facts::default() };
        assert_eq!(facts.free_bits(), Some(35));
        assert_eq!(Facts { domain: Some(DomainType::Dma), ..facts }.free_bits(), None);
    }
}
