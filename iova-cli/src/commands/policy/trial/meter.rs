//! What a trial measures: the device before, since, and in the last second.

use iova_core::inventory::Inventory;
use iova_core::model::{Alloc, Device, Latency, Model, OrderLatency, Unknown};
use iova_core::sample::Sample;
use serde::{Deserialize, Serialize};

/// The device over one stretch of time. Names and definitions are those of `iova report`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) duration_s: f64,
    pub(crate) policy: PhasePolicy,
    pub(crate) alloc: PhaseAlloc,
    pub(crate) faults: PhaseFaults,
    /// What is not exact in it; empty if everything is.
    pub(crate) quality: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhasePolicy {
    pub(crate) effective_high_ratio: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseFaults {
    pub(crate) count: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseAlloc {
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) high: u64,
    pub(crate) slow_ratio: Option<f64>,
    pub(crate) sac_failed: Option<u64>,
    pub(crate) latency_ns: Latency,
    /// Of 256 KiB and more: what no cache can serve.
    pub(crate) large_latency_ns: Latency,
    pub(crate) latency_by_order: Vec<OrderLatency>,
}

impl Phase {
    fn of(model: &Model, bdf: &str) -> Self {
        let figures = model.figures(None);
        let device = figures.devices.into_iter().find(|device| device.bdf == bdf).unwrap_or_default();
        Self { duration_s: figures.duration_s, quality: figures.quality.notes, ..Self::from(device) }
    }

    /// Without histograms and sizes: what is told once a second.
    pub(crate) fn brief(&self) -> Self {
        let mut brief = self.clone();
        brief.alloc.latency_by_order.clear();
        brief.alloc.latency_ns.buckets.clear();
        brief.alloc.large_latency_ns.buckets.clear();
        brief
    }

    /// Addresses below 4 GiB.
    pub(crate) fn low(&self) -> u64 {
        self.alloc.count.saturating_sub(self.alloc.failed).saturating_sub(self.alloc.high)
    }
}

impl From<Device> for Phase {
    fn from(device: Device) -> Self {
        let Alloc {
            count,
            failed,
            high,
            slow_ratio,
            sac_failed,
            latency_ns,
            large_latency_ns,
            mut latency_by_order,
            ..
        } = device.alloc;
        // Twenty histograms in a document are too much; that of all sizes stays.
        latency_by_order.iter_mut().for_each(|entry| entry.latency_ns.buckets.clear());
        let alloc = PhaseAlloc {
            count,
            failed,
            high,
            slow_ratio,
            sac_failed,
            latency_ns,
            large_latency_ns,
            latency_by_order,
        };
        Self {
            duration_s: 0.0,
            policy: PhasePolicy { effective_high_ratio: device.policy.effective_high_ratio },
            alloc,
            faults: PhaseFaults { count: device.faults.count },
            quality: Vec::new(),
        }
    }
}

/// One device over a stretch that has begun and over the last second of it.
pub(super) struct Meter {
    inventory: Inventory,
    bdf: String,
    all: Model,
    tick: Model,
    last: Sample,
    unmeasured: Vec<Unknown>,
}

impl Meter {
    /// Begins at `first`. What is `unmeasured` has no value.
    pub(super) fn new(inventory: &Inventory, bdf: &str, first: Sample, unmeasured: Vec<Unknown>) -> Self {
        // The others' figures would only cost time.
        let mut inventory = inventory.clone();
        inventory.devices.retain(|device| device.bdf == bdf);
        let all = begin(&inventory, &first, &unmeasured);
        let tick = begin(&inventory, &first, &unmeasured);
        Self { inventory, bdf: bdf.to_owned(), all, tick, last: first, unmeasured }
    }

    /// Takes a reading; what came since the last one.
    pub(super) fn feed(&mut self, sample: Sample) -> Phase {
        self.all.feed(sample.clone());
        self.tick.feed(sample.clone());
        let phase = Phase::of(&self.tick, &self.bdf);
        // Events count once.
        self.last = Sample { events: Vec::new(), ..sample };
        self.tick = begin(&self.inventory, &self.last, &self.unmeasured);
        phase
    }

    /// Forgets what was before the last reading.
    pub(super) fn restart(&mut self) {
        self.all = begin(&self.inventory, &self.last, &self.unmeasured);
    }

    /// Everything since the start.
    pub(super) fn phase(&self) -> Phase {
        Phase::of(&self.all, &self.bdf)
    }
}

fn begin(inventory: &Inventory, first: &Sample, unmeasured: &[Unknown]) -> Model {
    let mut model = Model::new(inventory.clone(), None, first.clone());
    unmeasured.iter().for_each(|unknown| model.unknown(&unknown.metric, &unknown.why));
    model
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;
    use iova_core::sample::DeviceCounters;

    const NVME: &str = "0000:01:00.0";

    fn sample(seconds: u64, count: u64, high: u64) -> Sample {
        let mut nvme = DeviceCounters { dev: 3, group: Some(3), ..DeviceCounters::default() };
        (nvme.alloc.by_order[0], nvme.alloc.high) = (count, high);
        Sample { ns: seconds * 1_000_000_000, devices: vec![nvme], ..Sample::default() }
    }

    #[test]
    fn the_last_second_and_the_whole_are_told_apart() {
        let mut meter = Meter::new(&fixtures::inventory(), NVME, sample(0, 100, 0), Vec::new());
        let first = meter.feed(sample(1, 150, 10));
        assert_eq!(first.faults.count, Some(0));
        assert_eq!((first.alloc.count, first.alloc.high, first.low()), (50, 10, 40));
        let second = meter.feed(sample(2, 250, 110));
        assert_eq!((second.alloc.count, second.policy.effective_high_ratio), (100, Some(1.0)));
        let all = meter.phase();
        assert_eq!((all.alloc.count, all.duration_s), (150, 2.0));
        meter.restart();
        meter.feed(sample(3, 251, 111));
        assert_eq!((meter.phase().alloc.count, meter.phase().low()), (1, 0));
    }

    #[test]
    fn faults_that_cannot_be_seen_are_not_none() {
        let blind = Unknown { metric: "faults.count".into(), why: "no hook".into() };
        let mut meter = Meter::new(&fixtures::inventory(), NVME, sample(0, 100, 0), vec![blind]);
        assert_eq!(meter.feed(sample(1, 150, 10)).faults.count, None);
    }
}
