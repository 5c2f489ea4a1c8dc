//! Devices behind an IOMMU, their groups, domains, drivers and masks.

mod collect;
mod facts;
mod find;
mod functions;
pub(crate) mod host;
mod pci_ids;
mod policy;

pub use find::FindError;
pub(crate) use find::distance;

use serde::{Deserialize, Serialize};

use crate::policy::module::DevicePolicy;

/// How the IOMMU treats the DMA of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainType {
    /// Translated, unmapped strictly.
    #[serde(rename = "DMA")]
    Dma,
    /// Translated, unmapped lazily through a flush queue.
    #[serde(rename = "DMA-FQ")]
    DmaFq,
    /// Passthrough.
    #[serde(rename = "identity")]
    Identity,
    /// Something else (blocked, unmanaged).
    #[serde(rename = "other")]
    Other,
}

/// Where the kernel was told to put this device's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Configured {
    /// Below 4 GiB first, then anywhere the mask allows (the kernel's stock behaviour).
    SacFirst,
    /// Anywhere the mask allows: the device fell back, or `iommu.forcedac` is on.
    FullRange,
    /// Only below 4 GiB: the device's mask or bus limit ends there.
    Low,
}

/// One device behind an IOMMU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Address of its `struct device` in the kernel, if it could be found.
    pub dev: Option<u64>,
    /// sysfs name: the BDF of a PCI device, else the platform name.
    pub bdf: String,
    /// "pci", "platform", …
    pub bus: String,
    /// Vendor and device id, for PCI.
    pub id: Option<(u16, u16)>,
    /// Name from pci.ids, or vendor:device, or the sysfs name.
    pub name: String,
    /// Bound driver.
    pub driver: Option<String>,
    /// Network interfaces and block devices on top ("eth0", "nvme0n1").
    pub functions: Vec<String>,
    /// IOMMU group.
    pub group: u32,
    /// Default domain's type.
    pub domain_type: DomainType,
    /// Address of its group's `struct iova_domain`, if it could be found.
    pub iovad: Option<u64>,
    /// Width of the DMA mask in bits (64 = all ones).
    pub dma_mask_bits: Option<u8>,
    /// Width of the coherent DMA mask in bits.
    pub coherent_mask_bits: Option<u8>,
    /// `bus_dma_limit`, 0 = none.
    pub bus_dma_limit: Option<u64>,
    /// Configured policy.
    pub configured: Option<Configured>,
    /// What the module `iova_policy` was told about the device; `None` if the module is not loaded.
    pub managed: Option<DevicePolicy>,
}

/// Vendor and device as everybody writes them: "8086:1533".
pub fn id_text((vendor, device): (u16, u16)) -> String {
    format!("{vendor:04x}:{device:04x}")
}

/// What the machine is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// `uname -r`.
    pub kernel: String,
    /// "x86_64", …
    pub arch: String,
    /// "Intel VT-d", "AMD-Vi", "virtio-iommu", …; several if there are several kinds; empty without an IOMMU.
    pub iommu: Vec<String>,
    /// Online CPUs.
    pub cpus: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// The words of the kernel command line that concern the IOMMU.
    pub cmdline: Vec<String>,
}

/// Everything known about the machine's devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The machine.
    pub host: Host,
    /// Devices in IOMMU groups, ordered by BDF.
    pub devices: Vec<Device>,
    /// What could not be found out, each one sentence: what is lost and how to get it.
    pub missing: Vec<String>,
}

#[cfg(test)]
mod tests;
