//! Which device of the inventory a `struct device` of the kernel is.

use crate::inventory::{Device, Inventory};
use crate::sample::DeviceCounters;

/// What the join found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identity {
    /// The inventory's device with this index.
    Known(usize),
    /// One of several devices of this group.
    OneOfGroup(u32),
    /// A device that is in no inventory.
    Unknown(u64),
    /// The collective slot.
    Other,
}

/// Joins by `struct device`; else by what is left of its domain or group, if that is one device only. Inventory devices
/// whose pointer is known and different are ruled out: then ours was removed before the inventory was made.
pub(super) fn identify(inventory: &Inventory, counters: &DeviceCounters) -> Identity {
    if counters.dev == 0 {
        return Identity::Other;
    }
    let devices = || inventory.devices.iter().enumerate();
    if let Some((index, _)) = devices().find(|(_, device)| device.dev == Some(counters.dev)) {
        return Identity::Known(index);
    }
    let candidates: Vec<usize> =
        devices().filter(|(_, device)| may_be(device, counters)).map(|(index, _)| index).collect();
    match (candidates.as_slice(), counters.group) {
        ([only], _) => Identity::Known(*only),
        ([first, ..], _) => Identity::OneOfGroup(inventory.devices[*first].group),
        ([], _) => Identity::Unknown(counters.dev),
    }
}

fn may_be(device: &Device, counters: &DeviceCounters) -> bool {
    let same_group = counters.group.map_or_else(
        || counters.iovad != 0 && device.iovad == Some(counters.iovad),
        |group| group == device.group,
    );
    device.dev.is_none() && same_group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testdata;

    fn seen(dev: u64, group: Option<u32>, iovad: u64) -> DeviceCounters {
        DeviceCounters { dev, group, iovad, ..DeviceCounters::default() }
    }

    fn inventory(devices: &[(Option<u64>, u32, Option<u64>)]) -> Inventory {
        let device = |&(dev, group, iovad): &(Option<u64>, u32, Option<u64>)| Device {
            dev,
            group,
            iovad,
            ..testdata::nvme()
        };
        Inventory { devices: devices.iter().map(device).collect(), ..Inventory::default() }
    }

    #[test]
    fn the_pointer_decides() {
        let inventory = inventory(&[(Some(1), 5, None), (Some(2), 5, None)]);
        assert_eq!(identify(&inventory, &seen(2, Some(5), 0)), Identity::Known(1));
    }

    #[test]
    fn a_group_of_one_decides_where_pointers_are_unknown() {
        let inventory = inventory(&[(None, 5, None), (None, 6, Some(77))]);
        assert_eq!(identify(&inventory, &seen(9, Some(5), 0)), Identity::Known(0));
        assert_eq!(identify(&inventory, &seen(9, None, 77)), Identity::Known(1));
    }

    #[test]
    fn a_group_of_several_is_not_guessed() {
        let inventory = inventory(&[(None, 5, None), (None, 5, None)]);
        assert_eq!(identify(&inventory, &seen(9, Some(5), 0)), Identity::OneOfGroup(5));
    }

    #[test]
    fn a_device_with_another_pointer_is_another_device() {
        let inventory = inventory(&[(Some(1), 5, None)]);
        assert_eq!(identify(&inventory, &seen(9, Some(5), 0)), Identity::Unknown(9));
        assert_eq!(identify(&inventory, &seen(0, None, 0)), Identity::Other);
    }
}
