//! Going along with a host: what the last interval brought, and what is wrong lately. Live or from a recording.

use super::incident::{self, Incident};
use super::last::{Delta, Last};
use super::quality::Unknown;
use super::report::{Figures, HostFigures, Report};
use super::track::Model;
use crate::inventory::Inventory;
use crate::sample::{Event, Sample};
use crate::snapshot::{DomainState, Snapshot};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Findings look back at least this far, and at most twice as far: one interval alone says little, and what was wrong
/// a minute ago is not wrong now.
const LATELY: Duration = Duration::from_secs(10);
/// They are made anew no more often than this: on a host with hundreds of devices they are half of the work.
const RENEWED: Duration = Duration::from_millis(1900);
/// A report about the past looks back at least this far, and at most twice as far.
const LONG: Duration = Duration::from_secs(300);

/// What one step brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// CLOCK_MONOTONIC at the end of the interval, ns.
    pub ns: u64,
    /// The last interval; without findings.
    pub interval: Report,
    /// The last ten to twenty seconds, made anew every two; its findings are those to show.
    pub lately: Arc<Report>,
    /// The rare events of the interval, oldest first.
    pub incidents: Vec<Incident>,
}

/// A host under observation.
#[derive(Debug)]
pub struct Cursor {
    host: HostFigures,
    profile: String,
    inventory: Arc<Inventory>,
    snapshot: Option<Snapshot>,
    unknown: Vec<Unknown>,
    /// BDFs; empty for all.
    wanted: Vec<String>,
    last: Last,
    interval: Model,
    lately: Window,
    /// For a report about the past.
    long: Window,
    /// What was last said about `lately`.
    said: Option<(u64, Arc<Report>)>,
}

/// The last so many seconds, to twice as many.
#[derive(Debug)]
struct Window {
    length: Duration,
    /// The one that speaks; when the younger one has seen enough, that takes over.
    older: Model,
    younger: Model,
    young_since: u64,
}

impl Window {
    fn new(length: Duration, begin: impl Fn() -> Model, ns: u64) -> Self {
        Self { length, older: begin(), younger: begin(), young_since: ns }
    }

    fn models(&mut self) -> [&mut Model; 2] {
        [&mut self.older, &mut self.younger]
    }

    fn add(&mut self, delta: &Delta) {
        self.models().into_iter().for_each(|model| model.add(Cow::Borrowed(delta)));
    }

    /// To be called behind each step, when the figures have been taken.
    fn move_on(&mut self, ns: u64, begin: impl FnOnce() -> Model) {
        if Duration::from_nanos(ns.saturating_sub(self.young_since)) >= self.length {
            self.young_since = ns;
            self.older = std::mem::replace(&mut self.younger, begin());
        }
    }
}

impl Cursor {
    /// Begins at `first`. `unknown`: what can't be measured here, and why.
    pub fn new(
        host: HostFigures,
        profile: String,
        inventory: Inventory,
        snapshot: Option<Snapshot>,
        unknown: Vec<Unknown>,
        first: Sample,
    ) -> Self {
        let last = Last::new(first);
        let inventory = Arc::new(inventory);
        let model = |start: Option<Snapshot>| begin(&inventory, start, &unknown, &last);
        let whole = || model(snapshot.as_ref().map(without_maps));
        Self {
            interval: model(None),
            lately: Window::new(LATELY, whole, last.ns),
            long: Window::new(LONG, whole, last.ns),
            said: None,
            last,
            host,
            profile,
            snapshot,
            unknown,
            wanted: Vec::new(),
            inventory,
        }
    }

    /// Shows only the devices with these BDFs; all if there are none.
    #[must_use]
    pub fn only(self, bdfs: Vec<String>) -> Self {
        Self { wanted: bdfs, ..self }
    }

    /// What is there now: devices come and go, and the space changes.
    pub fn learn(&mut self, inventory: Inventory, snapshot: Option<Snapshot>) {
        let models = self.lately.models().into_iter().chain(self.long.models());
        models.for_each(|model| model.learn(inventory.clone()));
        self.interval.learn(inventory.clone());
        self.inventory = Arc::new(inventory);
        self.snapshot = snapshot.or(self.snapshot.take());
    }

    /// The space can't be looked at any more: what was seen of it is forgotten, and `why` is said instead.
    pub fn lose_sight(&mut self, why: impl Into<String>) {
        self.snapshot = None;
        self.unknown.push(Unknown { metric: "low_space".to_owned(), why: why.into() });
        self.interval = begin(&self.inventory, None, &self.unknown, &self.last);
    }

    /// Takes the next reading.
    pub fn step(&mut self, now: Sample) -> Step {
        let delta = self.last.step(now);
        let ns = delta.ns;
        self.lately.add(&delta);
        self.long.add(&delta);
        let events = delta.events.clone();
        self.interval.add(Cow::Owned(delta));
        let incidents = self.incidents(&events);
        let (host, profile) = (self.host.clone(), self.profile.clone());
        let interval = Report::without_findings(host, profile, self.figures(&self.interval));
        let step = Step { ns, interval, lately: self.say(ns), incidents };
        self.interval = begin(&self.inventory, None, &self.unknown, &self.last);
        let Self { inventory, snapshot, unknown, last, .. } = self;
        let whole = || begin(inventory, snapshot.as_ref().map(without_maps), unknown, last);
        self.lately.move_on(ns, whole);
        self.long.move_on(ns, whole);
        step
    }

    /// A report about the last five to ten minutes, or since the beginning.
    pub fn long(&self) -> Report {
        Report::new(self.host.clone(), self.profile.clone(), self.figures(&self.long.older))
    }

    /// What was lately, as said before if that is not long ago.
    fn say(&mut self, ns: u64) -> Arc<Report> {
        let fresh = |since: u64| Duration::from_nanos(ns.saturating_sub(since)) < RENEWED;
        if let Some((since, said)) = &self.said
            && fresh(*since)
        {
            return Arc::clone(said);
        }
        let figures = self.figures(&self.lately.older);
        let report = Arc::new(Report::new(self.host.clone(), self.profile.clone(), figures));
        self.said = Some((ns, Arc::clone(&report)));
        report
    }

    fn incidents(&self, events: &[Event]) -> Vec<Incident> {
        let mut incidents = incident::incidents(&self.interval, events);
        incidents.retain(|incident| self.wanted.is_empty() || self.wanted.contains(&incident.device));
        incidents
    }

    fn figures(&self, model: &Model) -> Figures {
        let mut figures = model.figures(self.snapshot.as_ref());
        if !self.wanted.is_empty() {
            figures.keep(&self.wanted);
        }
        figures
    }
}

/// Where an interval starts: only the end has a map.
fn without_maps(snapshot: &Snapshot) -> Snapshot {
    let domains = snapshot.domains.iter();
    let domains = domains.map(|state| DomainState { ranges: Arc::default(), ..state.clone() }).collect();
    Snapshot { ns: snapshot.ns, domains, missing: Vec::new() }
}

fn begin(inventory: &Arc<Inventory>, start: Option<Snapshot>, unknown: &[Unknown], last: &Last) -> Model {
    let mut model = Model::after(Arc::clone(inventory), start, last);
    for unknown in unknown {
        model.unknown(unknown.metric.clone(), unknown.why.clone());
    }
    model
}

#[cfg(test)]
mod tests {
    use super::super::SacControl;
    use super::super::testdata::{NVME, counters, domain_counters, inventory, sample, snapshot};
    use super::*;
    use crate::sample::{DeviceCounters, What};

    const SECOND: u64 = 1_000_000_000;

    fn times(factor: u64) -> Sample {
        let mut device = counters();
        for count in &mut device.alloc.by_order {
            *count *= factor;
        }
        device.alloc.slow *= factor;
        sample(factor * SECOND, vec![device], vec![domain_counters()])
    }

    fn cursor() -> Cursor {
        let host = HostFigures::new(&inventory(), SacControl::Global);
        let first = sample(0, vec![DeviceCounters { alloc: Default::default(), ..counters() }], Vec::new());
        Cursor::new(host, "full".into(), inventory(), Some(snapshot()), Vec::new(), first)
    }

    #[test]
    fn an_interval_is_what_came_since_the_last_step() {
        let mut cursor = cursor();
        for second in 1..=3 {
            let step = cursor.step(times(second));
            assert_eq!(step.ns, second * SECOND);
            assert_eq!(step.interval.devices[0].alloc.per_second, Some(1010.0), "second {second}");
            // Made anew in the first second and in the third.
            assert_eq!(step.lately.devices[0].alloc.count, if second < 3 { 1010 } else { 3030 });
            assert!(step.interval.devices[0].low_space.pressure.is_some());
        }
    }

    #[test]
    fn lately_is_ten_to_twenty_seconds() {
        let mut cursor = cursor();
        let spans = (1..=45).map(|second| cursor.step(times(second)).lately.duration_s);
        let spans: Vec<f64> = spans.skip(20).collect();
        assert!(spans.iter().all(|span| (10.0..=20.0).contains(span)), "{spans:?}");
    }

    #[test]
    fn incidents_are_those_of_the_wanted_devices() {
        let event = Event { ns: 1, cpu: 0, dev: NVME.0, iovad: 0, what: What::CacheFlush };
        let now = Sample { events: vec![event], ..times(1) };
        assert_eq!(cursor().step(now.clone()).incidents.len(), 1);
        assert_eq!(cursor().only(vec!["0000:00:05.0".into()]).step(now).incidents, []);
    }

    #[test]
    fn a_long_report_is_five_to_ten_minutes() {
        let mut cursor = cursor();
        let mut spans = Vec::new();
        for second in (10..=1800).step_by(10) {
            cursor.step(times(second));
            spans.push(cursor.long().duration_s);
        }
        assert_eq!(spans[0], 10.0);
        assert!(spans[60..].iter().all(|span| (300.0..=600.0).contains(span)), "{spans:?}");
    }

    #[test]
    fn a_space_that_is_out_of_sight_is_unknown() {
        let mut cursor = cursor();
        cursor.step(times(1));
        cursor.lose_sight("closed");
        let interval = cursor.step(times(2)).interval;
        assert_eq!((interval.devices[0].alloc.count, interval.devices[0].low_space.live_bytes), (1010, None));
        assert_eq!(interval.quality.unknown[0].why, "closed");
    }

    #[test]
    fn a_device_that_goes_is_gone_from_the_next_interval_on() {
        let mut cursor = cursor();
        cursor.step(times(1));
        cursor.learn(Inventory { devices: Vec::new(), ..inventory() }, None);
        let step = cursor.step(times(1));
        assert!(step.interval.devices.iter().all(|device| device.alloc.count == 0));
        assert!(cursor.step(times(1)).interval.devices.is_empty());
    }
}
