//! What rarely happens to a device: bounded, and what was dropped is counted.

use super::history::Identity;
use iova_core::model::{Incident, Presence, Step};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Entries that are kept per device.
const KEPT: usize = 200;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Happened {
    /// The kernel told of it, once or several times in one interval.
    Incident(Incident),
    Added,
    Removed,
    /// Before and after.
    Policy(String, String),
    Driver(String, String),
}

/// What happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// CLOCK_MONOTONIC, ns; never after the interval that brought it.
    pub(crate) ns: u64,
    pub(crate) what: Happened,
}

/// The events of one device.
#[derive(Debug, Default)]
struct Log {
    /// Oldest first.
    entries: VecDeque<Entry>,
    dropped: u64,
}

/// The events of all devices.
#[derive(Debug, Default)]
pub(crate) struct Events {
    logs: BTreeMap<String, Log>,
    /// The devices of the last interval.
    known: BTreeMap<String, Rc<Identity>>,
}

impl Events {
    /// Takes what an interval brought; `devices` are those of its report, in the same order. What is older than
    /// `oldest` is forgotten with its device.
    pub(crate) fn push(&mut self, step: &Step, devices: &[Rc<Identity>], oldest: u64) {
        for incident in &step.incidents {
            self.note(&incident.device, incident.ns.min(step.ns), Happened::Incident(incident.clone()));
        }
        let presence = step.interval.devices.iter().map(|device| device.presence);
        let (removed, there): (Vec<_>, Vec<_>) =
            presence.zip(devices).partition(|(presence, _)| *presence == Presence::Removed);
        // First: another device may be at the same address by now.
        for (_, who) in removed {
            self.known.remove(&who.bdf);
            self.note(&who.bdf, step.ns, Happened::Removed);
        }
        for (presence, who) in there {
            if presence == Presence::Added {
                self.note(&who.bdf, step.ns, Happened::Added);
            } else if let Some(before) = self.known.get(&who.bdf).cloned() {
                self.compare(&before, who, step.ns);
            }
            self.known.insert(who.bdf.clone(), Rc::clone(who));
        }
        let known = &self.known;
        self.logs.retain(|bdf, log| {
            known.contains_key(bdf) || log.entries.back().is_some_and(|entry| entry.ns >= oldest)
        });
    }

    fn compare(&mut self, before: &Identity, now: &Identity, ns: u64) {
        if before.policy != now.policy {
            self.note(&now.bdf, ns, Happened::Policy(before.policy.clone(), now.policy.clone()));
        }
        if before.driver != now.driver {
            self.note(&now.bdf, ns, Happened::Driver(before.driver.clone(), now.driver.clone()));
        }
    }

    fn note(&mut self, bdf: &str, ns: u64, what: Happened) {
        let log = self.logs.entry(bdf.to_owned()).or_default();
        log.entries.push_back(Entry { ns, what });
        if log.entries.len() > KEPT {
            log.entries.pop_front();
            log.dropped += 1;
        }
    }

    /// Those of a device up to a moment, newest first.
    pub(crate) fn of(&self, bdf: &str, until: u64) -> impl Iterator<Item = &Entry> {
        let log = self.logs.get(bdf);
        let entries = log.into_iter().flat_map(|log| log.entries.iter().rev());
        entries.filter(move |entry| entry.ns <= until)
    }

    /// Older ones that are not kept.
    pub(crate) fn dropped(&self, bdf: &str) -> u64 {
        self.logs.get(bdf).map_or(0, |log| log.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;
    use iova_core::sample::What;

    const NVME: &str = "0000:01:00.0";

    fn step(ns: u64, incidents: Vec<Incident>) -> Step {
        let report = fixtures::cliff();
        Step { ns, interval: report.clone(), lately: report.into(), incidents }
    }

    fn push(events: &mut Events, step: &Step) {
        let devices: Vec<_> =
            step.interval.devices.iter().map(|device| Rc::new(Identity::of(device))).collect();
        events.push(step, &devices, 0);
    }

    fn seen(events: &Events, until: u64) -> Vec<Happened> {
        events.of(NVME, until).map(|entry| entry.what.clone()).collect()
    }

    #[test]
    fn changes_of_policy_and_driver_are_noted_once() {
        let mut events = Events::default();
        push(&mut events, &step(1, Vec::new()));
        let mut changed = step(2, Vec::new());
        for device in &mut changed.interval.devices {
            device.policy.configured = Some("full-range");
            device.driver = None;
        }
        push(&mut events, &changed);
        changed.ns = 3;
        push(&mut events, &changed);
        let policy = Happened::Policy("sac-first".into(), "full-range".into());
        assert_eq!(seen(&events, 9), [Happened::Driver("nvme".into(), "-".into()), policy]);
        assert_eq!(seen(&events, 1), [], "the past knows nothing of it");
    }

    #[test]
    fn a_device_that_is_replaced_goes_before_the_other_comes() {
        let mut events = Events::default();
        push(&mut events, &step(1, Vec::new()));
        let mut step = step(2, Vec::new());
        let mut other = step.interval.devices.iter().find(|it| it.bdf == NVME).cloned().unwrap();
        (other.presence, other.driver) = (Presence::Added, None);
        step.interval.devices.iter_mut().for_each(|it| it.presence = Presence::Removed);
        step.interval.devices.insert(0, other);
        push(&mut events, &step);
        assert_eq!(seen(&events, 2), [Happened::Added, Happened::Removed]);
    }

    #[test]
    fn a_storm_is_bounded_and_counted() {
        let mut events = Events::default();
        for ns in 0..KEPT as u64 + 50 {
            let last = What::CacheFlush;
            let incident = Incident { ns: ns + 7, device: NVME.into(), count: 3, last, sizes: None };
            push(&mut events, &step(ns, vec![incident]));
        }
        assert_eq!((seen(&events, u64::MAX).len(), events.dropped(NVME)), (KEPT, 50));
        let newest = events.of(NVME, u64::MAX).next().map(|entry| entry.ns);
        assert_eq!(newest, Some(KEPT as u64 + 49), "not after the interval that brought it");
    }

    #[test]
    fn what_is_long_gone_is_forgotten() {
        let mut events = Events::default();
        let last = What::CacheFlush;
        let incident = Incident { ns: 1, device: "group 9?".into(), count: 1, last, sizes: None };
        push(&mut events, &step(1, vec![incident]));
        assert_eq!(events.of("group 9?", 9).count(), 1);
        events.push(&step(900, Vec::new()), &[], 300);
        assert_eq!(events.of("group 9?", 999).count(), 0);
    }
}
