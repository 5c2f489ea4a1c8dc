//! Rare events of an interval, with the device they belong to. Like ones are one, with a count.

use super::assemble::{same_address, stray_name};
use super::identity::{Identity, identify};
use super::track::Model;
use crate::sample::{DeviceCounters, Event, What};
use std::collections::BTreeMap;
use std::mem::discriminant;

/// What happened to one device in one interval, once or several times. Slow calls are in [`super::Device::slow_calls`],
/// devices that come and go in [`super::Presence`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// CLOCK_MONOTONIC of the last one, ns.
    pub ns: u64,
    /// The device, as in [`super::Device::bdf`].
    pub device: String,
    /// How many were told one by one. There may have been more: the kernel side has a budget, and counters for the rest.
    pub count: u64,
    /// The last one.
    pub last: What,
    /// Smallest and largest request, bytes; `None` where none was made.
    pub sizes: Option<(u64, u64)>,
}

impl Incident {
    fn absorb(&mut self, event: &Event) {
        self.count += 1;
        if let (Some((least, most)), Some(size)) = (&mut self.sizes, size(&event.what)) {
            (*least, *most) = ((*least).min(size), (*most).max(size));
        }
        (self.ns, self.last) = (event.ns, event.what.clone());
    }

    /// Takes like ones of a later interval.
    pub(super) fn absorb_all(&mut self, later: &Self) {
        self.count = self.count.saturating_add(later.count);
        if let (Some((least, most)), Some((low, high))) = (&mut self.sizes, later.sizes) {
            (*least, *most) = ((*least).min(low), (*most).max(high));
        }
        (self.ns, self.last) = (later.ns, later.last.clone());
    }
}

/// The incidents among `events` (which are oldest first), oldest first.
pub(super) fn incidents(model: &Model, events: &[Event]) -> Vec<Incident> {
    let mut names = BTreeMap::new();
    let mut incidents: Vec<Incident> = Vec::new();
    for event in events.iter().filter(|event| tells(&event.what)) {
        let device = device(model, event, &mut names);
        let alike = |known: &&mut Incident| known.device == device && like(&known.last, &event.what);
        match incidents.iter_mut().find(alike) {
            Some(known) => known.absorb(event),
            None => {
                let sizes = size(&event.what).map(|size| (size, size));
                incidents.push(Incident { ns: event.ns, device, count: 1, last: event.what.clone(), sizes });
            }
        }
    }
    incidents.sort_by_key(|incident| incident.ns);
    incidents
}

fn tells(what: &What) -> bool {
    match what {
        What::SacFailed { .. }
        | What::FellBack { .. }
        | What::AllocFailed { .. }
        | What::CacheFlush
        | What::Fault { .. } => true,
        What::SlowCall { .. } | What::DeviceGone | What::DeviceNew => false,
    }
}

fn size(what: &What) -> Option<u64> {
    match what {
        What::SacFailed { size } | What::FellBack { size, .. } | What::AllocFailed { size, .. } => {
            Some(*size)
        }
        _ => None,
    }
}

/// Faults of one reason in one direction are alike wherever they hit.
pub(super) fn like(a: &What, b: &What) -> bool {
    match (a, b) {
        (What::Fault { reason, read, .. }, What::Fault { reason: other, read: others, .. }) => {
            (reason, read) == (other, others)
        }
        _ => discriminant(a) == discriminant(b),
    }
}

/// The name of the event's device; those of pointers are kept in `names`.
fn device(model: &Model, event: &Event, names: &mut BTreeMap<u64, String>) -> String {
    match &event.what {
        What::Fault { bdf: Some(bdf), .. } if event.dev == 0 => {
            let known = model.inventory.devices.iter().find(|device| same_address(&device.bdf, bdf));
            known.map_or(bdf, |device| &device.bdf).clone()
        }
        _ => names.entry(event.dev).or_insert_with(|| name(model, event)).clone(),
    }
}

fn name(model: &Model, event: &Event) -> String {
    let unseen = DeviceCounters { dev: event.dev, iovad: event.iovad, ..DeviceCounters::default() };
    let counters = model.whereabouts(event.dev).unwrap_or(unseen);
    let identity = identify(model.roll(), &counters);
    let known = match identity {
        Identity::Known(index) => model.inventory.devices.get(index),
        _ => None,
    };
    known.map_or_else(|| stray_name(identity, counters.group).0, |device| device.bdf.clone())
}

#[cfg(test)]
mod tests {
    use super::super::testdata::{NVME, counters, inventory, sample};
    use super::*;

    fn event(ns: u64, dev: u64, what: What) -> Event {
        Event { ns, cpu: 0, dev, iovad: 0, what }
    }

    fn of(events: &[Event]) -> Vec<Incident> {
        let mut model = Model::new(inventory(), None, sample(0, Vec::new(), Vec::new()));
        model.feed(sample(10, vec![counters()], Vec::new()));
        incidents(&model, events)
    }

    #[test]
    fn like_events_of_a_device_are_one() {
        let events = [
            event(1, NVME.0, What::SacFailed { size: 8192 }),
            event(2, NVME.0, What::CacheFlush),
            event(3, NVME.0, What::SacFailed { size: 4096 }),
            event(4, 0xbad, What::SacFailed { size: 65536 }),
        ];
        let seen = of(&events);
        let brief: Vec<_> = seen.iter().map(|it| (it.ns, it.device.as_str(), it.count, it.sizes)).collect();
        let nvme = "0000:00:04.0";
        assert_eq!(
            brief,
            [(2, nvme, 1, None), (3, nvme, 2, Some((4096, 8192))), (4, "unknown", 1, Some((65536, 65536)))]
        );
    }

    #[test]
    fn faults_are_found_by_bus_address_and_kept_apart_by_reason() {
        let fault = |bdf: &str, reason| {
            let bdf = Some(bdf.to_owned());
            event(1, 0, What::Fault { addr: 0xdead_0000, bdf, reason: Some(reason), read: Some(true) })
        };
        let seen =
            of(&[fault("00:04.0", 6), fault("0000:00:04.0", 6), fault("00:04.0", 5), fault("0a:00.0", 6)]);
        let brief: Vec<_> = seen.iter().map(|it| (it.device.as_str(), it.count)).collect();
        assert_eq!(brief, [("0000:00:04.0", 2), ("0000:00:04.0", 1), ("0a:00.0", 1)]);
    }

    #[test]
    fn what_is_shown_elsewhere_is_none() {
        let slow = What::SlowCall { duration_ns: 1, size: 1, stack: Vec::new() };
        assert_eq!(of(&[event(1, NVME.0, slow), event(1, NVME.0, What::DeviceNew)]), []);
    }
}
