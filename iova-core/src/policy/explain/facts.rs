//! What is known about a device before its policy is changed.

use serde::Serialize;

use super::Wish;
use crate::compat::{List, Word, check_one};
use crate::inventory::{self, Inventory};
use crate::kernel::Root;
use crate::kernel::root::parse_number;
use crate::policy::module::{self, DevicePolicy};
use crate::policy::root_disk;
use crate::snapshot::{DomainState, RangeKind, Snapshot};

/// Everything [`super::plan`] looks at; made by [`Facts::gather`], or by hand in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The device; `None` if the inventory has no such one.
    pub device: Option<inventory::Device>,
    /// BDFs of the other devices of its IOMMU group.
    pub mates: Vec<String>,
    /// State of its domain; `None` if kernel memory can't be read.
    pub domain: Option<DomainState>,
    /// What the module says about it; `None` if it is not loaded.
    pub now: Option<DevicePolicy>,
    /// The root file system is on it.
    pub is_root_disk: bool,
    /// Memory windows and BARs of PCI devices, and the IOMMU's reserved regions: first and last byte.
    pub taken: Vec<(u64, u64)>,
    /// Regions the firmware needs identity mapped (RMRR, IVMD): first and last byte.
    pub direct: Vec<(u64, u64)>,
    /// What the compatibility list says about it; why nothing, if the administrator's records can't be used.
    pub listed: Result<Word, String>,
}

/// Who holds the space below 4 GiB now, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LowUse {
    /// What can be allocated at all.
    pub capacity_bytes: u64,
    /// Mapped by devices.
    pub live_bytes: u64,
    /// In caches.
    pub cached_bytes: u64,
    /// In flush queues.
    pub pending_bytes: u64,
    /// Held by the module.
    pub held_bytes: u64,
    /// In nobody's hands.
    pub free_bytes: u64,
    /// In use at or above 4 GiB (live, cached or pending).
    pub high_bytes: u64,
}

impl Facts {
    /// Looks at one device of the running system (or of a recorded one).
    pub fn gather(root: &Root, inventory: &Inventory, snapshot: &Snapshot, wish: &Wish) -> Self {
        let device = inventory.devices.iter().find(|device| device.bdf == wish.device).cloned();
        let group = device.as_ref().map(|device| device.group);
        let mates =
            inventory.devices.iter().filter(|other| Some(other.group) == group && other.bdf != wish.device);
        let iovad = device.as_ref().and_then(|device| device.iovad);
        let regions = group.map(|group| regions(root, group)).unwrap_or_default();
        let direct = |kind: &str| kind.starts_with("direct");
        Self {
            mates: mates.map(|mate| mate.bdf.clone()).collect(),
            domain: snapshot.domains.iter().find(|domain| Some(domain.iovad) == iovad).cloned(),
            now: module::configured(root, &wish.device),
            is_root_disk: device.as_ref().is_some_and(|device| root_disk::is_below_root(root, &device.bdf)),
            taken: bars(root).into_iter().chain(regions.iter().map(|(range, _)| *range)).collect(),
            direct: regions.iter().filter(|(_, kind)| direct(kind)).map(|(range, _)| *range).collect(),
            listed: listed(root, &wish.device),
            device,
        }
    }

    /// Bytes held by the module in the device's domain.
    pub fn held_bytes(&self) -> u64 {
        self.now.as_ref().map_or(0, |now| now.held_bytes)
    }

    /// Use of the low space; `None` if kernel memory can't be read.
    pub fn low_use(&self) -> Option<LowUse> {
        let domain = self.domain.as_ref()?;
        let bytes = |pages: u64| pages.saturating_mul(domain.granule);
        let low = &domain.low;
        let held = self.held_bytes().min(bytes(low.live));
        let first_high = (1_u64 << 32) / domain.granule.max(1);
        let high = domain.ranges.iter().filter(|range| range.kind != RangeKind::Reserved);
        let high_pages: u64 =
            high.map(|range| (range.pfn_hi + 1).saturating_sub(range.pfn_lo.max(first_high))).sum();
        Some(LowUse {
            capacity_bytes: bytes(low.live + low.cached + low.pending + low.free),
            live_bytes: bytes(low.live) - held,
            cached_bytes: bytes(low.cached),
            pending_bytes: bytes(low.pending),
            held_bytes: held,
            free_bytes: bytes(low.free),
            high_bytes: bytes(high_pages),
        })
    }
}

/// The list's word, with that of the administrator.
fn listed(root: &Root, bdf: &str) -> Result<Word, String> {
    let complaint =
        |all: Vec<crate::compat::Complaint>| all.first().map(ToString::to_string).unwrap_or_default();
    let list = List::shipped().with_local(List::local(root).map_err(complaint)?);
    Ok(check_one(root, &list, bdf).unwrap_or_default())
}

/// First and last byte of a range.
pub(in crate::policy) type Bytes = (u64, u64);

/// `reserved_regions` of a group: `"0x00000000fee00000 0x00000000feefffff msi"`.
pub(in crate::policy) fn regions(root: &Root, group: u32) -> Vec<(Bytes, String)> {
    let path = format!("sys/kernel/iommu_groups/{group}/reserved_regions");
    lines(root, &path).iter().filter_map(|words| Some((range(words)?, words.get(2)?.clone()))).collect()
}

/// Memory resources of all PCI devices, bridge windows among them: `resource` has start, end and flags.
fn bars(root: &Root) -> Vec<Bytes> {
    const MEMORY: u64 = 0x200;
    let memory = |words: &Vec<String>| {
        let flags = parse_number(words.get(2)?)?;
        range(words).filter(|&(first, last)| flags & MEMORY != 0 && first < last)
    };
    let devices = root.names("sys/bus/pci/devices");
    let files = devices.iter().map(|bdf| format!("sys/bus/pci/devices/{bdf}/resource"));
    files.flat_map(|file| lines(root, &file)).filter_map(|words| memory(&words)).collect()
}

fn lines(root: &Root, path: &str) -> Vec<Vec<String>> {
    let bytes = root.bytes(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

fn range(words: &[String]) -> Option<Bytes> {
    Some((parse_number(words.first()?)?, parse_number(words.get(1)?)?))
}
