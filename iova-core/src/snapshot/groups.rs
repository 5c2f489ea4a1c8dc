//! From the list of IOMMU groups to their devices and their IOVA domains.
//!
//! There is no way back from an `iova_domain` to its group, so everything starts at `iommu_group_kset`
//! (`drivers/iommu/iommu.c`): kset -> kobjects embedded in `iommu_group` -> default domain -> cookie -> `iova_domain`.

use super::Changed;
use super::layout::{Lookup, UnknownLayout};
use super::memory::{Memory, kernel_address};
use crate::kernel::Kernel;

/// More groups or devices than any machine has: a list that never ends is one that changed.
const MAX_ENTRIES: usize = 1 << 16;

/// One IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: u32,
    pub(crate) devices: Vec<GroupDevice>,
    pub(crate) domain: Option<Domain>,
}

/// A device of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupDevice {
    /// Address of its `struct device`.
    pub(crate) dev: u64,
    /// Its name in sysfs.
    pub(crate) name: String,
}

/// Where a group's addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// Address of the `struct iova_domain`.
    pub(crate) iovad: u64,
    /// Address of the `struct iommu_dma_cookie`; `None` for VT-d on 5.10, which does without.
    pub(crate) cookie: Option<u64>,
}

/// Where the fields on the way are.
#[derive(Clone, Debug)]
pub(crate) struct GroupLayout {
    kset: Option<u64>,
    kset_list: u64,
    kobject_entry: u64,
    kobject_name: u64,
    group_kobj: u64,
    group_id: u64,
    group_default_domain: u64,
    group_devices: u64,
    member_list: u64,
    member_dev: u64,
    device_kobj: u64,
    domain_cookie: u64,
    domain_start_pfn: u64,
    cookie_iovad: u64,
    kind: CookieKind,
    vtd: Option<VtdLayout>,
}

/// How to tell whether a domain has an IOVA cookie.
#[derive(Clone, Copy, Debug)]
enum CookieKind {
    /// 6.15 and later: `iommu_domain.cookie_type`, because the pointer shares a union with other things.
    InDomain { at: u64, dma_iova: u32 },
    /// Before: `iommu_dma_cookie.type`.
    InCookie { at: u64, dma_iova: u32 },
}

/// VT-d before 5.11 (c588072bba6b): the `iova_domain` is in the driver's own domain.
#[derive(Clone, Copy, Debug)]
struct VtdLayout {
    /// From the `iommu_domain` to the `iova_domain`.
    domain: u64,
    iovad: u64,
    domain_ops: u64,
    intel_ops: u64,
    domain_type: u64,
}

/// `IOMMU_DOMAIN_DMA` (`include/linux/iommu.h`, 5.10): `__IOMMU_DOMAIN_PAGING | __IOMMU_DOMAIN_DMA_API`.
const DOMAIN_DMA: u32 = 3;

impl GroupLayout {
    pub(crate) fn resolve(kernel: &Kernel) -> Result<Self, UnknownLayout> {
        let of = Lookup(&kernel.btf);
        Ok(Self {
            kset: kernel.symbol("iommu_group_kset"),
            kset_list: of.need("kset.list")?,
            kobject_entry: of.need("kobject.entry")?,
            kobject_name: of.need("kobject.name")?,
            group_kobj: of.need("iommu_group.kobj")?,
            group_id: of.need("iommu_group.id")?,
            group_default_domain: of.need("iommu_group.default_domain")?,
            group_devices: of.need("iommu_group.devices")?,
            member_list: of.need("group_device.list")?,
            member_dev: of.need("group_device.dev")?,
            device_kobj: of.need("device.kobj")?,
            domain_cookie: of.need("iommu_domain.iova_cookie")?,
            domain_start_pfn: of.need("iova_domain.start_pfn")?,
            cookie_iovad: of.need("iommu_dma_cookie.iovad")?,
            kind: CookieKind::resolve(&of)?,
            vtd: VtdLayout::resolve(&of, kernel),
        })
    }

    /// All groups, by number.
    pub(crate) fn read(&self, memory: &Memory<'_>) -> Result<Vec<Group>, Changed> {
        let Some(kset) = self.kset else { return Ok(Vec::new()) };
        let kset = memory.pointer(kset)?;
        if kset == 0 {
            return Ok(Vec::new());
        }
        let mut groups = Vec::new();
        for entry in list(memory, kset + self.kset_list)? {
            let group = kernel_address(entry - self.kobject_entry - self.group_kobj)?;
            groups.push(self.group(memory, group)?);
        }
        groups.sort_unstable_by_key(|group| group.id);
        Ok(groups)
    }

    fn group(&self, memory: &Memory<'_>, group: u64) -> Result<Group, Changed> {
        let mut devices = Vec::new();
        for entry in list(memory, group + self.group_devices)? {
            let dev = memory.pointer(entry.wrapping_sub(self.member_list) + self.member_dev)?;
            let name = memory.pointer(dev + self.device_kobj + self.kobject_name)?;
            devices.push(GroupDevice { dev, name: memory.string(name)? });
        }
        let domain = memory.pointer(group + self.group_default_domain)?;
        Ok(Group {
            id: memory.u32(group + self.group_id)?,
            devices,
            domain: if domain == 0 { None } else { self.domain(memory, domain)? },
        })
    }

    fn domain(&self, memory: &Memory<'_>, domain: u64) -> Result<Option<Domain>, Changed> {
        let found = match &self.vtd {
            Some(vtd) if memory.u64(domain + vtd.domain_ops)? == vtd.intel_ops => vtd.find(memory, domain)?,
            _ => self.by_cookie(memory, domain)?,
        };
        // start_pfn is never 0 in a domain in use (init_iova_domain): the group has no DMA set up yet.
        match found {
            Some(found) if memory.u64(found.iovad + self.domain_start_pfn)? != 0 => Ok(Some(found)),
            _ => Ok(None),
        }
    }

    fn by_cookie(&self, memory: &Memory<'_>, domain: u64) -> Result<Option<Domain>, Changed> {
        if let CookieKind::InDomain { at, dma_iova } = self.kind
            && memory.u32(domain + at)? != dma_iova
        {
            return Ok(None);
        }
        let cookie = memory.pointer(domain + self.domain_cookie)?;
        if cookie == 0 {
            return Ok(None);
        }
        if let CookieKind::InCookie { at, dma_iova } = self.kind
            && memory.u32(cookie + at)? != dma_iova
        {
            return Ok(None);
        }
        Ok(Some(Domain { iovad: cookie + self.cookie_iovad, cookie: Some(cookie) }))
    }
}

impl CookieKind {
    fn resolve(of: &Lookup<'_>) -> Result<Self, UnknownLayout> {
        let value =
            |name, value, default| of.0.enumerator(name, value).map_or(default, |number| number as u32);
        if let Some(at) = of.may("iommu_domain.cookie_type") {
            let dma_iova = value("iommu_domain_cookie_type", "IOMMU_COOKIE_DMA_IOVA", 1);
            return Ok(Self::InDomain { at, dma_iova });
        }
        let at = of.need("iommu_dma_cookie.type")?;
        let dma_iova = value("iommu_dma_cookie_type", "IOMMU_DMA_IOVA_COOKIE", 0);
        Ok(Self::InCookie { at, dma_iova })
    }
}

impl VtdLayout {
    fn resolve(of: &Lookup<'_>, kernel: &Kernel) -> Option<Self> {
        Some(Self {
            domain: of.may("dmar_domain.domain")?,
            iovad: of.may("dmar_domain.iovad")?,
            domain_ops: of.may("iommu_domain.ops")?,
            intel_ops: kernel.symbol("intel_iommu_ops")?,
            domain_type: of.may("iommu_domain.type")?,
        })
    }

    fn find(&self, memory: &Memory<'_>, domain: u64) -> Result<Option<Domain>, Changed> {
        if memory.u32(domain + self.domain_type)? != DOMAIN_DMA {
            return Ok(None);
        }
        let iovad = domain.wrapping_sub(self.domain) + self.iovad;
        Ok(Some(Domain { iovad, cookie: None }))
    }
}

/// Addresses of the links of a `struct list_head` list.
pub(super) fn list(memory: &Memory<'_>, head: u64) -> Result<Vec<u64>, Changed> {
    let mut entries = Vec::new();
    let mut at = memory.pointer(head)?;
    while at != head {
        if entries.len() == MAX_ENTRIES {
            return Err(Changed);
        }
        entries.push(kernel_address(at)?);
        at = memory.pointer(at)?;
    }
    Ok(entries)
}
