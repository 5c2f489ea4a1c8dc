//! Where the kernel puts a device's addresses: the decision of `iommu_dma_alloc_iova`, repeated.

use super::Configured;

/// Switches for all devices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Global {
    /// `iommu.forcedac`; `None` where it does not exist (5.10).
    pub(super) forcedac: Option<bool>,
    /// `intel_iommu=forcedac` of 5.10.
    pub(super) vtd_forcedac: Option<bool>,
}

/// What decides for one device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub(super) is_pci: bool,
    pub(super) mask: Option<u64>,
    pub(super) bus_dma_limit: Option<u64>,
    pub(super) prefers_low: Option<bool>,
    pub(super) own_allocator: bool,
}

const LOW: u64 = 0xffff_ffff;

/// - 6.6 and later (791c2b17fb40): the device's own flag, cleared at its first failure below 4 GiB;
/// - 5.13 to 6.5: PCI devices, unless `iommu_dma_forcedac`, read at every allocation;
/// - 5.10 AMD-Vi and others: PCI devices, always;
/// - 5.10 VT-d (`intel_alloc_iova`): every device, unless `dmar_forcedac`.
pub(super) fn configured(facts: &Facts, global: &Global) -> Option<Configured> {
    let bus = facts.bus_dma_limit.filter(|&limit| limit != 0).unwrap_or(u64::MAX);
    if facts.mask?.min(bus) <= LOW {
        return Some(Configured::Low);
    }
    let low_first = match (facts.prefers_low, facts.own_allocator) {
        (Some(flag), _) => flag,
        (None, true) => !global.vtd_forcedac?,
        (None, false) => facts.is_pci && !global.forcedac.unwrap_or(false),
    };
    Some(if low_first { Configured::SacFirst } else { Configured::FullRange })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Facts = Facts {
        is_pci: true,
        mask: Some(u64::MAX),
        bus_dma_limit: Some(0),
        prefers_low: None,
        own_allocator: false,
    };
    const OFF: Global = Global { forcedac: Some(false), vtd_forcedac: None };

    #[test]
    fn limits_come_first() {
        let narrow = Facts { mask: Some(LOW), ..ANY };
        assert_eq!(configured(&narrow, &OFF), Some(Configured::Low));
        let behind = Facts { bus_dma_limit: Some(LOW), prefers_low: Some(true), ..ANY };
        assert_eq!(configured(&behind, &OFF), Some(Configured::Low));
        assert_eq!(configured(&Facts { mask: None, ..ANY }, &OFF), None);
    }

    #[test]
    fn per_device_flag_wins() {
        let fell_back = Facts { prefers_low: Some(false), ..ANY };
        assert_eq!(configured(&fell_back, &OFF), Some(Configured::FullRange));
        let stock = Facts { prefers_low: Some(true), ..ANY };
        let on = Global { forcedac: Some(true), ..OFF };
        assert_eq!(configured(&stock, &on), Some(Configured::SacFirst));
    }

    #[test]
    fn global_switch_before_6_6() {
        assert_eq!(configured(&ANY, &OFF), Some(Configured::SacFirst));
        assert_eq!(configured(&ANY, &Global { forcedac: Some(true), ..OFF }), Some(Configured::FullRange));
        assert_eq!(configured(&Facts { is_pci: false, ..ANY }, &OFF), Some(Configured::FullRange));
    }

    #[test]
    fn vtd_of_5_10() {
        let vtd = Facts { own_allocator: true, is_pci: false, ..ANY };
        let global = |value| Global { forcedac: None, vtd_forcedac: value };
        assert_eq!(configured(&vtd, &global(Some(false))), Some(Configured::SacFirst));
        assert_eq!(configured(&vtd, &global(Some(true))), Some(Configured::FullRange));
        assert_eq!(configured(&vtd, &global(None)), None);
    }
}
