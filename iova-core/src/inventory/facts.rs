//! What only the kernel's memory tells about devices.

use std::collections::HashMap;

use super::policy::{Facts, Global};
use crate::kernel::{Kcore, Kernel};
use crate::snapshot::groups::{Domain, Group};
use crate::snapshot::memory::Memory;

/// Facts of one device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeviceFacts {
    pub(super) dev: u64,
    pub(super) iovad: Option<u64>,
    /// The domain has flush queues (5.10 does not show that in sysfs).
    pub(super) lazy: bool,
    pub(super) dma_mask: Option<u64>,
    pub(super) coherent_mask: Option<u64>,
    pub(super) bus_dma_limit: Option<u64>,
    /// `dev_iommu.pci_32bit_workaround`, 6.6 and later.
    pub(super) prefers_low: Option<bool>,
    /// VT-d on 5.10, with its own rules.
    pub(super) own_allocator: bool,
}

/// All devices in IOMMU groups by sysfs name, and the global switches.
#[derive(Debug, Default)]
pub(super) struct KernelFacts {
    pub(super) devices: HashMap<String, DeviceFacts>,
    pub(super) global: Global,
}

struct Reader<'a> {
    kernel: &'a Kernel,
    memory: Memory<'a>,
}

impl KernelFacts {
    pub(super) fn read(kernel: &Kernel) -> Result<Self, String> {
        let kcore = kernel.kcore().map_err(|error| error.to_string())?;
        let groups = crate::snapshot::groups(kernel, &kcore)?;
        Ok(Self::from_groups(kernel, &kcore, &groups))
    }

    fn from_groups(kernel: &Kernel, kcore: &Kcore, groups: &[Group]) -> Self {
        let reader = Reader { kernel, memory: Memory::new(kcore) };
        let mut devices = HashMap::new();
        for group in groups {
            for device in &group.devices {
                devices.insert(device.name.clone(), reader.device(device.dev, group.domain));
            }
        }
        Self { devices, global: reader.global() }
    }
}

impl Reader<'_> {
    fn device(&self, dev: u64, domain: Option<Domain>) -> DeviceFacts {
        DeviceFacts {
            dev,
            iovad: domain.map(|domain| domain.iovad),
            lazy: domain
                .is_some_and(|domain| self.field(domain.iovad, "iova_domain.fq").is_some_and(|p| p != 0)),
            dma_mask: self.dma_mask(dev),
            coherent_mask: self.field(dev, "device.coherent_dma_mask"),
            bus_dma_limit: self.field(dev, "device.bus_dma_limit"),
            prefers_low: self.prefers_low(dev),
            own_allocator: domain.is_some_and(|domain| domain.cookie.is_none()),
        }
    }

    fn field(&self, base: u64, path: &str) -> Option<u64> {
        let offset = self.kernel.btf.offset(path)?;
        self.memory.u64(base.checked_add(u64::from(offset))?).ok()
    }

    fn dma_mask(&self, dev: u64) -> Option<u64> {
        let pointer = self.field(dev, "device.dma_mask").filter(|&pointer| pointer != 0)?;
        self.memory.u64(pointer).ok()
    }

    fn prefers_low(&self, dev: u64) -> Option<bool> {
        let flag = self.kernel.btf.member("dev_iommu.pci_32bit_workaround")?;
        let iommu = self.field(dev, "device.iommu").filter(|&pointer| pointer != 0)?;
        let byte = iommu.checked_add(u64::from(flag.offset()))?;
        let mut buffer = [0];
        self.memory.read(byte, &mut buffer).ok()?;
        let [bits] = buffer;
        Some(bits >> (flag.bit_offset % 8) & 1 == 1)
    }

    fn global(&self) -> Global {
        Global {
            // `bool iommu_dma_forcedac` (drivers/iommu/dma-iommu.c, 5.13 and later).
            forcedac: self.switch("iommu_dma_forcedac", 1),
            // `static int dmar_forcedac` (drivers/iommu/intel/iommu.c, 5.10).
            vtd_forcedac: self.switch("dmar_forcedac", 4),
        }
    }

    fn switch(&self, symbol: &str, bytes: usize) -> Option<bool> {
        let mut buffer = [0; 4];
        let (part, _) = buffer.split_at_mut(bytes);
        self.memory.read(self.kernel.symbol(symbol)?, part).ok()?;
        Some(part.iter().any(|&byte| byte != 0))
    }
}

impl DeviceFacts {
    pub(super) fn policy(&self, is_pci: bool) -> Facts {
        Facts {
            is_pci,
            mask: self.dma_mask,
            // VT-d on 5.10 never looks at the bus limit (intel_alloc_iova).
            bus_dma_limit: self.bus_dma_limit.filter(|_| !self.own_allocator),
            prefers_low: self.prefers_low,
            own_allocator: self.own_allocator,
        }
    }
}
