//! What a list says about the devices of a machine.

use serde::Serialize;

use super::device::PciFacts;
use super::list::List;
use super::version::Running;
use super::word::Word;
use crate::kernel::Root;
use crate::policy::Policy;
use crate::policy::module;

/// One PCI device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// sysfs name.
    pub bdf: String,
    /// Vendor and device, `1b21:0612`.
    pub id: String,
    /// The same of the port above it; `None` on a root bus.
    pub bridge: Option<String>,
    /// Type of its IOMMU group's domain, as sysfs has it; `None` without an IOMMU.
    pub domain: Option<String>,
    /// Bits that the module `iova_policy` keeps it below; `None` without the module or a cap.
    pub capped: Option<u8>,
    /// What the list says.
    pub list: Word,
}

/// Every PCI device of a machine, behind an IOMMU or not.
pub fn check(root: &Root, list: &List) -> Vec<Checked> {
    let running = Running::read(root);
    let one = |bdf: String| {
        let facts = PciFacts::read(root, &bdf)?;
        Some(Checked {
            id: id(facts.id),
            bridge: facts.bridge.map(id),
            domain: root.text(format!("sys/bus/pci/devices/{bdf}/iommu_group/type")),
            capped: capped(root, &bdf),
            list: list.word(&facts, running),
            bdf,
        })
    };
    root.names("sys/bus/pci/devices").into_iter().filter_map(one).collect()
}

/// What the list says about one device.
pub fn check_one(root: &Root, list: &List, bdf: &str) -> Option<Word> {
    Some(list.word(&PciFacts::read(root, bdf)?, Running::read(root)))
}

fn id((vendor, device): (u16, u16)) -> String {
    format!("{vendor:04x}:{device:04x}")
}

fn capped(root: &Root, bdf: &str) -> Option<u8> {
    let set = module::configured(root, bdf)?;
    let by_policy = if set.policy == Policy::Stock { None } else { set.policy.width() };
    set.cap.into_iter().chain(by_policy).min()
}

impl Checked {
    /// IOVAs are allocated for it here: its domain is translated.
    pub fn is_translated(&self) -> bool {
        self.domain.as_ref().is_some_and(|domain| domain.starts_with("DMA"))
    }

    /// A cap that neither this kernel nor the module keeps, where there is something to keep.
    pub fn is_open(&self) -> bool {
        self.is_translated()
            && self.list.needed().is_some_and(|entry| self.capped.is_none_or(|capped| capped > entry.width))
    }
}
