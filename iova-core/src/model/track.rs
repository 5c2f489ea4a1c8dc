//! The running state: sums of differences, events, peaks.

use super::assemble;
use super::delta::Counters;
use super::identity::Roll;
use super::last::{Delta, Last, Owner, owner};
use super::quality::Unknown;
use super::report::Figures;
use crate::inventory::{Configured, Device, Inventory};
use crate::sample::{DeviceCounters, DomainCounters, Event, Histogram, Quality, Sample, Watched, What};
use crate::snapshot::Snapshot;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Faults kept in detail per device; the rest is counted.
const FAULTS_KEPT: usize = 8;
/// Slow calls kept, over all devices.
const SLOW_CALLS_KEPT: usize = 16;

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

/// One device: what it did, and what became of it.
#[derive(Debug, Default)]
struct Seen {
    gone: bool,
    group: Option<u32>,
    /// `None` until the first reading after the start.
    sum: Option<DeviceCounters>,
}

/// The model of one interval.
#[derive(Debug)]
pub struct Model {
    /// Shared with the models of other stretches, until one learns more.
    pub(super) inventory: Arc<Inventory>,
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
    devices: BTreeMap<Owner, Seen>,
    domains: BTreeMap<u64, Option<DomainCounters>>,
    quality: Quality,
    /// The watched device and its latencies per order.
    watched: Option<Watched>,
    /// What the next reading is compared with. A cursor keeps that once for all of its models.
    last: Last,
}

impl Model {
    /// Starts an interval at `first`; what was counted before it does not count.
    pub fn new(inventory: Inventory, start: Option<Snapshot>, first: Sample) -> Self {
        let last = Last::new(first);
        let model = Self::after(Arc::new(inventory), start, &last);
        Self { last, ..model }
    }

    /// Starts an interval after the reading `last`, for [`Model::add`] only.
    pub(super) fn after(inventory: Arc<Inventory>, start: Option<Snapshot>, last: &Last) -> Self {
        let seen = |device: &DeviceCounters| Seen { gone: device.gone, group: device.group, sum: None };
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
            first_ns: last.ns,
            last_ns: last.ns,
            devices: last.devices.iter().map(|(&owner, device)| (owner, seen(device))).collect(),
            domains: BTreeMap::new(),
            quality: Quality::default(),
            watched: last.watched.as_ref().map(nothing_yet),
            last: Last::default(),
        }
    }

    /// Says why a metric (or all with this prefix) has no value.
    pub fn unknown(&mut self, metric: impl Into<String>, why: impl Into<String>) {
        self.unknown.push(Unknown { metric: metric.into(), why: why.into() });
    }

    /// Takes the next reading.
    pub fn feed(&mut self, sample: Sample) {
        let delta = self.last.step(sample);
        self.add(Cow::Owned(delta));
    }

    /// Takes what came since the last reading.
    pub(super) fn add(&mut self, delta: Cow<'_, Delta>) {
        let delta = match delta {
            Cow::Borrowed(delta) => {
                delta.devices.iter().for_each(|more| self.add_device(Cow::Borrowed(more)));
                delta.domains.iter().for_each(|more| self.add_domain(Cow::Borrowed(more)));
                Cow::Borrowed(delta)
            }
            Cow::Owned(mut delta) => {
                delta.devices.drain(..).for_each(|more| self.add_device(Cow::Owned(more)));
                delta.domains.drain(..).for_each(|more| self.add_domain(Cow::Owned(more)));
                Cow::Owned(delta)
            }
        };
        self.last_ns = delta.ns;
        self.quality.add(&delta.quality);
        if let (Some(sum), Some(more)) = (&mut self.watched, &delta.watched) {
            sum.by_order.iter_mut().zip(&more.by_order).for_each(|(sum, more)| sum.add(more));
        }
        for event in &delta.events {
            self.note(event);
        }
    }

    fn add_device(&mut self, more: Cow<'_, DeviceCounters>) {
        let seen = self.devices.entry(owner(&more)).or_default();
        (seen.gone, seen.group) = (more.gone, more.group);
        add_or_begin(&mut seen.sum, more);
    }

    fn add_domain(&mut self, more: Cow<'_, DomainCounters>) {
        let iovad = more.iovad;
        let sum = self.domains.entry(iovad).or_default();
        add_or_begin(sum, more);
        let pages = sum.as_ref().map_or(0, |sum| sum.low_pages_delta);
        let peak = self.peak_low_pages.entry(iovad).or_default();
        *peak = (*peak).max(pages);
    }

    /// Takes a second inventory, made at the end: what is new in it is added, what is gone is marked, and where facts
    /// changed (a mask, the policy) the end counts, as it does for the space.
    pub fn learn(&mut self, end: Inventory) {
        let start = self.inventory.devices.len();
        let mut ours = Arc::clone(&self.inventory);
        let devices = &mut Arc::make_mut(&mut ours).devices;
        let mut still_there = BTreeSet::new();
        for mut now in end.devices {
            let known =
                devices[..start].iter().position(|before| same(before, &now) && !self.was_removed(before));
            let Some(index) = known else {
                self.added.insert(devices.len());
                devices.push(now);
                continue;
            };
            still_there.insert(index);
            let before = &mut devices[index];
            (now.dev, now.iovad) = (now.dev.or(before.dev), now.iovad.or(before.iovad));
            if (before.configured, now.configured)
                == (Some(Configured::SacFirst), Some(Configured::FullRange))
            {
                self.fell_back.extend(now.dev);
            }
            *before = now;
        }
        self.inventory = ours;
        self.removed = (0..start).filter(|index| !still_there.contains(index)).collect();
    }

    /// True if the probes saw it go, even if another one is in its place now.
    fn was_removed(&self, device: &Device) -> bool {
        if device.dev.is_some_and(|dev| self.gone.contains(&dev)) {
            return true;
        }
        let alone = || self.inventory.devices.iter().filter(|other| other.group == device.group).count() == 1;
        self.devices.iter().filter(|(_, seen)| seen.gone).any(|((dev, _), seen)| match device.dev {
            Some(ours) => ours == *dev,
            None => seen.group == Some(device.group) && alone(),
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
        let ((_, generation), seen) = self.devices.range((dev, 0)..=(dev, u32::MAX)).next_back()?;
        let iovad = seen.sum.as_ref().map_or(0, |sum| sum.iovad);
        let Seen { gone, group, .. } = *seen;
        Some(DeviceCounters { dev, iovad, group, generation: *generation, gone, ..DeviceCounters::default() })
    }

    /// Latencies per order, if `dev` is the watched device.
    pub(super) fn watched(&self, dev: u64) -> &[Histogram] {
        let watched = self.watched.as_ref().filter(|watched| watched.dev == dev);
        watched.map_or(&[], |watched| &watched.by_order)
    }

    pub(super) fn duration_ns(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }

    /// What each device did so far.
    pub(super) fn device_sums(&self) -> impl Iterator<Item = &DeviceCounters> {
        self.devices.values().filter_map(|seen| seen.sum.as_ref())
    }

    /// What happened in each domain so far.
    pub(super) fn domain_sums(&self) -> impl Iterator<Item = &DomainCounters> {
        self.domains.values().flatten()
    }

    /// How far that can be trusted.
    pub(super) fn quality_sum(&self) -> &Quality {
        &self.quality
    }

    fn note(&mut self, event: &Event) {
        match &event.what {
            What::FellBack { .. } => {
                self.fell_back.insert(event.dev);
            }
            What::Fault { addr, bdf, reason, read } => {
                let culprit = match (event.dev, bdf) {
                    (0, Some(bdf)) => Culprit::Bdf(bdf.clone()),
                    (dev, _) => Culprit::Pointer(dev),
                };
                let log = self.faults.entry(culprit).or_default();
                log.count += 1;
                if log.first.len() < FAULTS_KEPT {
                    log.first.push(RawFault { addr: *addr, reason: *reason, read: *read });
                }
            }
            &What::SlowCall { duration_ns, size, ref stack } => {
                self.slow_calls.push(RawSlowCall { dev: event.dev, duration_ns, size, stack: stack.clone() });
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

/// The first is kept as it is: of many devices that is a lot of memory.
fn add_or_begin<T: Counters>(sum: &mut Option<T>, more: Cow<'_, T>) {
    match sum {
        Some(sum) => sum.add(&more),
        None => *sum = Some(more.into_owned()),
    }
}

fn nothing_yet(watched: &Watched) -> Watched {
    let by_order = watched.by_order.iter().map(|_| Histogram::default()).collect();
    Watched { dev: watched.dev, by_order }
}
