//! What a record looks at: the ids of a PCI device and of the port above it.

use super::report::{MAX_PATH, PciId};
use crate::kernel::Root;
use crate::policy::history::Identity;

/// One PCI device where it is plugged.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PciFacts {
    /// Vendor and device.
    pub id: (u16, u16),
    /// Those of the subsystem, zeros if there is none.
    pub subsystem: (u16, u16),
    /// Revision.
    pub revision: Option<u8>,
    /// Class, 24 bits.
    pub class: Option<u32>,
    /// Vendor and device of the port above; `None` on a root bus.
    pub bridge: Option<(u16, u16)>,
    /// All bridges above, from the port that it is plugged into to the root; `None` if they can't be told.
    pub path: Option<Vec<PciId>>,
    /// Bits that the bound driver may use by its masks; `None` without a driver: until one sets them they say nothing
    /// about the device.
    pub mask_bits: Option<u8>,
}

impl PciFacts {
    /// Of a PCI device (`0000:00:04.0`); `None` if it is gone or none.
    pub fn read(root: &Root, bdf: &str) -> Option<Self> {
        let Identity { id, subsystem } = Identity::read(root, bdf)?;
        let dir = format!("sys/bus/pci/devices/{bdf}");
        let number = |file: &str| root.number(format!("{dir}/{file}"));
        let bits = |file: &str| number(file).and_then(|bits| u8::try_from(bits).ok());
        let masks = || Some(bits("dma_mask_bits")?.max(bits("consistent_dma_mask_bits").unwrap_or(0)));
        Some(Self {
            id,
            subsystem,
            revision: number("revision").and_then(|revision| u8::try_from(revision).ok()),
            class: number("class").and_then(|class| u32::try_from(class).ok()),
            bridge: above(root, &dir),
            path: bridges(root, bdf),
            mask_bits: root.exists(format!("{dir}/driver")).then(masks).flatten(),
        })
    }
}

/// The bridges above a PCI device, from the one it is plugged into to the root; empty on a root bus. `None` if that can't
/// be told, or there are more than [`MAX_PATH`].
pub fn bridges(root: &Root, bdf: &str) -> Option<Vec<PciId>> {
    let place = std::fs::canonicalize(root.path(format!("sys/bus/pci/devices/{bdf}"))).ok()?;
    let above = place.parent()?.iter().rev().filter_map(|part| part.to_str());
    let ids = above.filter_map(|name| Identity::read(root, name));
    let ids: Vec<PciId> = ids.map(|identity| PciId(identity.id.0, identity.id.1)).collect();
    (ids.len() <= MAX_PATH).then_some(ids)
}

/// Devices are directories in that of their port: /sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0.
fn above(root: &Root, dir: &str) -> Option<(u16, u16)> {
    let place = std::fs::canonicalize(root.path(dir)).ok()?;
    let port = Root::at(place.parent()?);
    let id = |file| port.number(file).and_then(|id| u16::try_from(id).ok());
    Some((id("vendor")?, id("device")?))
}
