//! How many slots the maps have: for what is there, and for some that may come.

use std::collections::BTreeSet;

use crate::inventory::{Device, DomainType, Inventory};

/// Slots for devices that come later, at least.
pub(super) const SPARE: u32 = 16;
/// Slots there can be at most: the size of the queues of free slots.
pub(super) const MOST: u32 = 4096;
/// Up to so many bytes of per-CPU values, each device has a slot, also those that nothing maps for.
const PLENTY: u64 = 32 << 20;

/// The devices that may want a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Devices with a driver that may map at any time.
    pub mapping: u32,
    /// Those that nothing maps for now: without a driver, in passthrough, or a port.
    pub idle: u32,
    /// IOVA domains of the first.
    pub domains: u32,
    /// An unmap of one of the first may wait for the IOMMU: its domain is strict, or nothing says that it is lazy (sysfs tells since
    /// 5.15).
    pub strict: bool,
}

/// Slots of the maps, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slots {
    /// For devices; one of them is everybody else's.
    pub(super) devices: u32,
    /// For domains.
    pub(super) domains: u32,
}

impl Demand {
    /// Of the devices behind an IOMMU.
    pub fn of(inventory: &Inventory) -> Self {
        let mapping: Vec<&Device> = inventory.devices.iter().filter(|device| may_map(device)).collect();
        let groups: BTreeSet<u32> = mapping.iter().map(|device| device.group).collect();
        let count = |all: usize| u32::try_from(all).unwrap_or(MOST).min(MOST);
        Self {
            mapping: count(mapping.len()),
            idle: count(inventory.devices.len() - mapping.len()),
            domains: count(groups.len()),
            strict: mapping.iter().any(|device| device.domain_type != DomainType::DmaFq),
        }
    }

    /// Addresses of the domains that are known, of devices that may map first.
    pub fn domains(inventory: &Inventory) -> Vec<u64> {
        let (mapping, idle): (Vec<&Device>, Vec<&Device>) =
            inventory.devices.iter().partition(|device| may_map(device));
        mapping.into_iter().chain(idle).filter_map(|device| device.iovad).collect()
    }

    /// The slots, where one for a device takes so many bytes on all CPUs. Arrays are made entry by entry, so that nothing is gained
    /// by round numbers.
    pub(super) fn slots(self, slot_bytes: u64) -> Slots {
        let affordable = u32::try_from(PLENTY / slot_bytes.max(1)).unwrap_or(MOST);
        let room =
            (SPARE + self.idle).min(affordable.saturating_sub(self.mapping)).max(SPARE.max(self.idle / 4));
        Slots { devices: (self.mapping + room + 1).min(MOST), domains: (self.domains + room + 1).min(MOST) }
    }
}

/// Whether something may map for a device without being bound to it first. A port's driver maps nothing.
fn may_map(device: &Device) -> bool {
    let is_bound = device.driver.as_ref().is_some_and(|driver| driver != "pcieport");
    is_bound && device.domain_type != DomainType::Identity
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device's counters and latencies in the profile `default`.
    const VALUE: u64 = 1392;

    fn devices(mapping: u32, idle: u32, cpus: u64) -> u32 {
        Demand { mapping, idle, domains: mapping, strict: true }.slots(VALUE * cpus).devices
    }

    #[test]
    fn where_memory_is_no_matter_everybody_has_room() {
        assert_eq!(devices(3, 4, 2), 3 + 4 + 16 + 1);
        assert_eq!(devices(99, 101, 2), 200 + 16 + 1);
        assert_eq!(devices(0, 0, 1), 17);
    }

    #[test]
    fn a_large_host_has_slots_for_those_that_map() {
        // No idle device takes any, but a quarter of them may begin at once.
        assert_eq!(devices(120, 180, 256), 120 + 45 + 1);
        assert_eq!(devices(60, 20, 256), 60 + 34 + 1, "the rest of 32 MiB");
        assert_eq!(devices(300, 0, 256), 300 + 16 + 1, "all of them do");
    }

    #[test]
    fn slots_are_never_more_than_with_room_for_all_nor_less_than_with_some() {
        for (mapping, idle) in [(0, 0), (1, 0), (0, 70), (60, 300), (300, 60), (3000, 3000), (4096, 4096)] {
            for cpus in [1, 2, 64, 256, 1024, 8192] {
                let slots = devices(mapping, idle, cpus);
                assert!(slots <= (mapping + idle + SPARE + 1).min(MOST), "{mapping} {idle} {cpus}: {slots}");
                assert!(slots >= (mapping + SPARE + 1).min(MOST), "{mapping} {idle} {cpus}: {slots}");
            }
        }
    }

    #[test]
    fn several_devices_of_a_group_have_one_domain() {
        let slots = Demand { mapping: 10, idle: 2, domains: 4, strict: true }.slots(VALUE);
        assert_eq!(slots, Slots { devices: 10 + 18 + 1, domains: 4 + 18 + 1 });
    }

    #[test]
    fn only_drivers_map() {
        let device = |driver: Option<&str>, kind: &str, group: u32| {
            serde_json::from_value::<Device>(serde_json::json!({
                "dev": null, "bdf": "0000:00:04.0", "bus": "pci", "id": null, "name": "x", "driver": driver,
                "functions": [], "group": group, "domain_type": kind, "iovad": null, "dma_mask_bits": null,
                "coherent_mask_bits": null, "bus_dma_limit": null, "configured": null, "managed": null,
            }))
            .unwrap()
        };
        let devices = vec![
            device(Some("nvme"), "DMA-FQ", 1),
            device(Some("ixgbe"), "DMA", 2),
            device(Some("ixgbe"), "DMA", 2),
            // What can't be read may be anything.
            device(Some("odd"), "other", 3),
            device(None, "DMA", 4),
            device(Some("pcieport"), "DMA", 5),
            device(Some("nvme"), "identity", 6),
        ];
        let inventory = Inventory { devices, ..Inventory::default() };
        assert_eq!(Demand::of(&inventory), Demand { mapping: 4, idle: 3, domains: 3, strict: true });
    }
}
