//! Which device of the inventory a `struct device` of the kernel is.

use crate::inventory::Device;
use crate::sample::DeviceCounters;
use std::collections::BTreeSet;

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

/// All devices that were there at the start or at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roll<'a> {
    pub(super) devices: &'a [Device],
    /// Not there at the start.
    pub(super) added: &'a BTreeSet<usize>,
    /// Not there at the end.
    pub(super) removed: &'a BTreeSet<usize>,
}

/// Joins by `struct device`; else by what is left of its domain or group, if that is one device only. Inventory devices
/// whose pointer is known and different are ruled out: then ours was removed before the inventory was made.
pub(super) fn identify(roll: Roll<'_>, counters: &DeviceCounters) -> Identity {
    if counters.dev == 0 {
        return Identity::Other;
    }
    let with = |rule: &dyn Fn(&Device) -> bool| -> Vec<usize> {
        let devices = roll.devices.iter().enumerate();
        devices.filter(|(_, device)| rule(device)).map(|(index, _)| index).collect()
    };
    let there = with(&|device| device.dev == Some(counters.dev));
    if !there.is_empty() {
        return roll.incarnation(&there, counters).map_or(Identity::Unknown(counters.dev), Identity::Known);
    }
    let mut candidates = with(&|device| may_be(device, counters));
    let other_time = if counters.gone { roll.added } else { roll.removed };
    candidates.retain(|index| !other_time.contains(index));
    match (candidates.as_slice(), counters.group) {
        ([only], _) => Identity::Known(*only),
        ([first, ..], _) => Identity::OneOfGroup(roll.devices[*first].group),
        ([], _) => Identity::Unknown(counters.dev),
    }
}

impl Roll<'_> {
    /// Which of the devices at one address this is: the one of the start, the one of the end, or none of both, which
    /// came and went in between.
    fn incarnation(&self, there: &[usize], counters: &DeviceCounters) -> Option<usize> {
        let at_start = there.iter().find(|index| !self.added.contains(index));
        let at_end = there.iter().find(|index| !self.removed.contains(index));
        match (counters.gone, counters.generation) {
            (true, 0) => at_start,
            (true, _) => None,
            (false, 0) => at_end.or(at_start),
            (false, _) => at_end,
        }
        .copied()
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

    fn inventory(devices: &[(Option<u64>, u32, Option<u64>)]) -> Vec<Device> {
        let device = |&(dev, group, iovad): &(Option<u64>, u32, Option<u64>)| Device {
            dev,
            group,
            iovad,
            ..testdata::nvme()
        };
        devices.iter().map(device).collect()
    }

    fn identify(devices: &[Device], counters: &DeviceCounters) -> Identity {
        let none = BTreeSet::new();
        super::identify(Roll { devices, added: &none, removed: &none }, counters)
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

    #[test]
    fn devices_at_one_address_are_told_apart() {
        let devices = inventory(&[(Some(1), 5, None), (Some(1), 6, None)]);
        let (removed, added) = (BTreeSet::from([0]), BTreeSet::from([1]));
        let roll = Roll { devices: &devices, added: &added, removed: &removed };
        let at = |generation, gone| DeviceCounters { generation, gone, ..seen(1, None, 0) };
        assert_eq!(super::identify(roll, &at(0, true)), Identity::Known(0));
        assert_eq!(super::identify(roll, &at(1, true)), Identity::Unknown(1));
        assert_eq!(super::identify(roll, &at(2, false)), Identity::Known(1));
    }
}
