//! `iova record anonymize`: the same figures, of nobody.

use super::copy::Copy;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::{Names, Played};
use iova_core::inventory::Inventory;
use iova_core::record::{Ending, Head, Look, Moment};
use iova_core::sample::{Event, Sample, What};
use iova_core::snapshot::Snapshot;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn run(file: &Path, output: &Path) -> Result<Exit, Stop> {
    let mut played = Played::open(file)?;
    let mut masks = Masks::default();
    let mut head = played.reader().head().clone();
    masks.head(&mut head);
    let mut copy = Copy::begin(output, &head)?;
    while let Some(mut moment) = played.moment_and(&mut |_, mut calls| {
        calls.list.iter_mut().for_each(|call| masks.address(&mut call.dev));
        copy.calls(&calls)
    })? {
        masks.moment(&mut moment);
        copy.moment(&moment)?;
    }
    played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
    let mut ending = played.reader().ending().cloned().unwrap_or_default();
    masks.ending(&mut ending);
    copy.end(&ending)?;
    Ok(Exit::Done)
}

/// What stands for what, the same everywhere in a recording.
#[derive(Debug, Default)]
struct Masks {
    /// Kernel addresses.
    addresses: BTreeMap<u64, u64>,
    /// Of the host, interfaces and disks.
    names: Names,
}

impl Masks {
    /// Numbers from 1 on, in the order in which they are met; 0 stays what it is: unknown.
    fn address(&mut self, address: &mut u64) {
        if *address != 0 {
            let next = self.addresses.len() as u64 + 1;
            *address = *self.addresses.entry(*address).or_insert(next);
        }
    }

    fn head(&mut self, head: &mut Head) {
        self.inventory(&mut head.inventory);
        head.snapshot.iter_mut().for_each(|snapshot| self.snapshot(snapshot));
        // A day is enough to know which kernel and firmware were usual then.
        head.started_unix_s -= head.started_unix_s % 86_400;
    }

    fn inventory(&mut self, inventory: &mut Inventory) {
        self.names.inventory(inventory);
        for device in &mut inventory.devices {
            device.dev.iter_mut().for_each(|address| self.address(address));
            device.iovad.iter_mut().for_each(|address| self.address(address));
        }
    }

    fn snapshot(&mut self, snapshot: &mut Snapshot) {
        snapshot.domains.iter_mut().for_each(|domain| self.address(&mut domain.iovad));
    }

    fn look(&mut self, look: &mut Look) {
        look.inventory.iter_mut().for_each(|inventory| self.inventory(inventory));
        look.snapshot.iter_mut().for_each(|snapshot| self.snapshot(snapshot));
    }

    fn moment(&mut self, moment: &mut Moment) {
        moment.look.iter_mut().for_each(|look| self.look(look));
        let Sample { devices, domains, events, .. } = &mut moment.sample;
        for device in devices {
            self.address(&mut device.dev);
            self.address(&mut device.iovad);
        }
        domains.iter_mut().for_each(|domain| self.address(&mut domain.iovad));
        events.iter_mut().for_each(|event| self.event(event));
    }

    fn event(&mut self, event: &mut Event) {
        self.address(&mut event.dev);
        self.address(&mut event.iovad);
        if let What::SlowCall { stack, .. } = &mut event.what {
            stack.clear();
        }
    }

    fn ending(&mut self, ending: &mut Ending) {
        self.look(&mut ending.look);
        ending.command.iter_mut().for_each(Names::command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;

    #[test]
    fn one_thing_has_one_mask() {
        let mut masks = Masks::default();
        let mut inventory = fixtures::inventory();
        let before = inventory.clone();
        masks.inventory(&mut inventory);
        let text = serde_json::to_string(&inventory).unwrap();
        assert!(!text.contains(&before.host.name), "{text}");
        for device in before.devices.iter().flat_map(|device| &device.functions) {
            assert!(!text.contains(device.as_str()), "{device} in {text}");
        }
        let mut again = before;
        masks.inventory(&mut again);
        assert_eq!(again, inventory);
    }
}
