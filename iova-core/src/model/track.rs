//! The running state: sums of differences, events, peaks.

use super::assemble;
use super::delta::Counters;
use super::identity::Roll;
use super::quality::Unknown;
use super::report::Figures;
use crate::inventory::{Configured, Device, Inventory};
use crate::sample::{DeviceCounters, DomainCounters, Event, Histogram, Quality, Sample, Watched, What};
use crate::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// Faults kept in detail per device; the rest is counted.
const FAULTS_KEPT: usize = 8;
/// Slow calls kept, over all devices.
const SLOW_CALLS_KEPT: usize = 16;

/// One kind of counters under observation: the last reading and the sum of all differences.
#[derive(Debug)]
struct Running<T> {
    last: T,
    sum: T,
}

impl<T: Counters> Running<T> {
    fn step(&mut self, now: T) {
        let delta = now.since(&self.last);
        self.sum.add(&delta);
        self.last = now;
    }
}

/// Who a fault belongs to: the `struct device`, or the address on the bus where the IOMMU tells only that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Culprit {
    Pointer(u64),
    Bdf(String),
}

/// A fault as the kernel told it.
#[derive(Clone, Debug)]
pub(super) struct RawFault {
    pub(super) addr: u64,
    pub(super) reason: Option<u8>,
    pub(super) read: Option<bool>,
}

/// A slow allocation as the kernel told it.
#[derive(Clone, Debug)]
pub(super) struct RawSlowCall {
    pub(super) dev: u64,
    pub(super) duration_ns: u64,
    pub(super) size: u64,
    pub(super) stack: Vec<String>,
}

/// Counted faults of one culprit.
#[derive(Debug, Default)]
pub(super) struct FaultLog {
    pub(super) count: u64,
    pub(super) first: Vec<RawFault>,
}

/// Everything the interval has brought so far.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) duration_ns: u64,
    pub(super) devices: Vec<DeviceCounters>,
    pub(super) domains: Vec<DomainCounters>,
    pub(super) quality: Quality,
}

/// `struct device`, and which of the devices that were there.
type Owner = (u64, u32);

fn owner(counters: &DeviceCounters) -> Owner {
    (counters.dev, counters.generation)
}

/// The model of one interval.
#[derive(Debug)]
pub struct Model {
    pub(super) inventory: Inventory,
    pub(super) start: Option<Snapshot>,
    pub(super) removed: BTreeSet<usize>,
    pub(super) added: BTreeSet<usize>,
    pub(super) faults: BTreeMap<Culprit, FaultLog>,
    pub(super) fell_back: BTreeSet<u64>,
    /// Where devices were that the probes saw go.
    gone: BTreeSet<u64>,
    /// The slowest calls, slowest first.
    pub(super) slow_calls: Vec<RawSlowCall>,
    /// Most low pages put into the tree since the start, per domain.
    pub(super) peak_low_pages: BTreeMap<u64, i64>,
    pub(super) unknown: Vec<Unknown>,
    first_ns: u64,
    last_ns: u64,
    devices: BTreeMap<Owner, Running<DeviceCounters>>,
    domains: BTreeMap<u64, Running<DomainCounters>>,
    quality: Running<Quality>,
    /// The watched device and its latencies per order.
    watched: Option<(u64, Vec<Running<Histogram>>)>,
}

impl Model {
    /// Starts an interval at `first`; what was counted before it does not count.
    pub fn new(inventory: Inventory, start: Option<Snapshot>, first: Sample) -> Self {
        let devices = first.devices.into_iter();
        let domains = first.domains.into_iter();
        Self {
            inventory,
            start,
            removed: BTreeSet::new(),
            added: BTreeSet::new(),
            faults: BTreeMap::new(),
            fell_back: BTreeSet::new(),
            gone: BTreeSet::new(),
            slow_calls: Vec::new(),
            peak_low_pages: BTreeMap::new(),
            unknown: Vec::new(),
            first_ns: first.ns,
            last_ns: first.ns,
            devices: devices.map(|last| (owner(&last), begin(last))).collect(),
            domains: domains.map(|last| (last.iovad, begin(last))).collect(),
            quality: begin(first.quality),
            watched: first
                .watched
                .map(|Watched { dev, by_order }| (dev, by_order.into_iter().map(begin).collect())),
        }
    }

    /// Says why a metric (or all with this prefix) has no value.
    pub fn unknown(&mut self, metric: impl Into<String>, why: impl Into<String>) {
        self.unknown.push(Unknown { metric: metric.into(), why: why.into() });
    }

    /// Takes the next reading.
    pub fn feed(&mut self, sample: Sample) {
        self.last_ns = sample.ns;
        for now in sample.devices {
            self.devices.entry(owner(&now)).or_insert_with(|| begin(DeviceCounters::default())).step(now);
        }
        for now in sample.domains {
            let iovad = now.iovad;
            let running = self.domains.entry(iovad).or_insert_with(|| begin(DomainCounters::default()));
            running.step(now);
            let peak = self.peak_low_pages.entry(iovad).or_default();
            *peak = (*peak).max(running.sum.low_pages_delta);
        }
        self.quality.step(sample.quality);
        if let (Some((_, orders)), Some(now)) = (&mut self.watched, sample.watched) {
            orders.iter_mut().zip(now.by_order).for_each(|(order, now)| order.step(now));
        }
        for event in sample.events {
            self.note(event);
        }
    }

    /// Takes a second inventory, made at the end: what is new in it is added, what is gone is marked, and where facts
    /// changed (a mask, the policy) the end counts, as it does for the space.
    pub fn learn(&mut self, end: Inventory) {
        let start = self.inventory.devices.len();
        let mut still_there = BTreeSet::new();
        for mut now in end.devices {
            let known = self.inventory.devices[..start]
                .iter()
                .position(|before| same(before, &now) && !self.was_removed(before));
            let Some(index) = known else {
                self.added.insert(self.inventory.devices.len());
                self.inventory.devices.push(now);
                continue;
            };
            still_there.insert(index);
            let before = &mut self.inventory.devices[index];
            (now.dev, now.iovad) = (now.dev.or(before.dev), now.iovad.or(before.iovad));
            if (before.configured, now.configured)
                == (Some(Configured::SacFirst), Some(Configured::FullRange))
            {
                self.fell_back.extend(now.dev);
            }
            *before = now;
        }
        self.removed = (0..start).filter(|index| !still_there.contains(index)).collect();
    }

    /// True if the probes saw it go, even if another one is in its place now.
    fn was_removed(&self, device: &Device) -> bool {
        if device.dev.is_some_and(|dev| self.gone.contains(&dev)) {
            return true;
        }
        let alone = || self.inventory.devices.iter().filter(|other| other.group == device.group).count() == 1;
        self.devices.iter().filter(|(_, run)| run.last.gone).any(|((dev, _), run)| match device.dev {
            Some(ours) => ours == *dev,
            None => run.last.group == Some(device.group) && alone(),
        })
    }

    /// The figures from the start to the last reading.
    pub fn figures(&self, end: Option<&Snapshot>) -> Figures {
        assemble::figures(self, end)
    }

    pub(super) fn roll(&self) -> Roll<'_> {
        Roll { devices: &self.inventory.devices, added: &self.added, removed: &self.removed }
    }

    /// The last that is known of a `struct device`: whose group and domain it is in, and whether it went; no counts.
    pub(super) fn whereabouts(&self, dev: u64) -> Option<DeviceCounters> {
        let (_, run) = self.devices.range((dev, 0)..=(dev, u32::MAX)).next_back()?;
        let DeviceCounters { iovad, group, generation, gone, .. } = run.last;
        Some(DeviceCounters { dev, iovad, group, generation, gone, ..DeviceCounters::default() })
    }

    /// Latencies per order, if `dev` is the watched device.
    pub(super) fn watched(&self, dev: u64) -> Vec<Histogram> {
        let watched = self.watched.iter().filter(|(watched, _)| *watched == dev);
        watched.flat_map(|(_, orders)| orders.iter().map(|order| order.sum.clone())).collect()
    }

    pub(super) fn sums(&self) -> Sums {
        Sums {
            duration_ns: self.last_ns.saturating_sub(self.first_ns),
            devices: self
                .devices
                .iter()
                .map(|(&(dev, generation), run)| DeviceCounters {
                    dev,
                    generation,
                    gone: run.last.gone,
                    ..run.sum.clone()
                })
                .collect(),
            domains: self
                .domains
                .iter()
                .map(|(&iovad, run)| DomainCounters { iovad, ..run.sum.clone() })
                .collect(),
            quality: self.quality.sum.clone(),
        }
    }

    fn note(&mut self, event: Event) {
        match event.what {
            What::FellBack { .. } => {
                self.fell_back.insert(event.dev);
            }
            What::Fault { addr, bdf, reason, read } => {
                let culprit = match (event.dev, bdf) {
                    (0, Some(bdf)) => Culprit::Bdf(bdf),
                    (dev, _) => Culprit::Pointer(dev),
                };
                let log = self.faults.entry(culprit).or_default();
                log.count += 1;
                if log.first.len() < FAULTS_KEPT {
                    log.first.push(RawFault { addr, reason, read });
                }
            }
            What::SlowCall { duration_ns, size, stack } => {
                self.slow_calls.push(RawSlowCall { dev: event.dev, duration_ns, size, stack });
                self.slow_calls.sort_by_key(|call| std::cmp::Reverse(call.duration_ns));
                self.slow_calls.truncate(SLOW_CALLS_KEPT);
            }
            What::DeviceGone => {
                self.gone.insert(event.dev);
            }
            // Counted by the counters, or shown by the inventories.
            What::SacFailed { .. } | What::AllocFailed { .. } | What::CacheFlush | What::DeviceNew => {}
        }
    }
}

/// A device that was removed and added again has another `struct device`.
fn same(a: &Device, b: &Device) -> bool {
    a.bdf == b.bdf && (a.dev == b.dev || a.dev.is_none() || b.dev.is_none())
}

fn begin<T: Counters>(last: T) -> Running<T> {
    Running { last, sum: T::default() }
}
