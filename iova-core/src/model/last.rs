//! The last reading, and what came between it and the next.

use super::delta::Counters;
use crate::sample::{DeviceCounters, DomainCounters, Event, Quality, Sample, Watched};
use std::collections::BTreeMap;

/// `struct device`, and which of the devices that were there.
pub(super) type Owner = (u64, u32);

pub(super) fn owner(counters: &DeviceCounters) -> Owner {
    (counters.dev, counters.generation)
}

/// What came between two readings.
#[derive(Clone, Debug)]
pub(super) struct Delta {
    /// Of the second reading.
    pub(super) ns: u64,
    pub(super) devices: Vec<DeviceCounters>,
    pub(super) domains: Vec<DomainCounters>,
    pub(super) watched: Option<Watched>,
    pub(super) quality: Quality,
    pub(super) events: Vec<Event>,
}

/// Cumulative counters as they were read last.
#[derive(Debug, Default)]
pub(super) struct Last {
    pub(super) ns: u64,
    pub(super) devices: BTreeMap<Owner, DeviceCounters>,
    pub(super) watched: Option<Watched>,
    domains: BTreeMap<u64, DomainCounters>,
    quality: Quality,
}

impl Last {
    pub(super) fn new(sample: Sample) -> Self {
        Self {
            ns: sample.ns,
            devices: sample.devices.into_iter().map(|now| (owner(&now), now)).collect(),
            watched: sample.watched,
            domains: sample.domains.into_iter().map(|now| (now.iovad, now)).collect(),
            quality: sample.quality,
        }
    }

    /// Takes the next reading. What was not there before has counted from nothing.
    pub(super) fn step(&mut self, now: Sample) -> Delta {
        self.ns = now.ns;
        let devices = now.devices.into_iter().map(|now| since(&mut self.devices, owner(&now), now)).collect();
        let domains = now.domains.into_iter().map(|now| since(&mut self.domains, now.iovad, now)).collect();
        let quality = now.quality.since(&self.quality);
        self.quality = now.quality;
        let watched = now.watched.as_ref().zip(self.watched.as_ref()).map(|(now, then)| {
            let orders = now.by_order.iter().zip(&then.by_order);
            Watched { dev: now.dev, by_order: orders.map(|(now, then)| now.since(then)).collect() }
        });
        self.watched = now.watched.or(self.watched.take());
        Delta { ns: now.ns, devices, domains, watched, quality, events: now.events }
    }
}

fn since<K: Ord, T: Counters>(last: &mut BTreeMap<K, T>, key: K, now: T) -> T {
    let delta = last.get(&key).map(|last| now.since(last));
    let delta = delta.unwrap_or_else(|| now.since(&T::default()));
    last.insert(key, now);
    delta
}
