//! Samples of several recordings of one boot, as if the probes had been attached all the time.

use crate::model::delta::Counters;
use crate::sample::{Quality, Sample};

/// Counts on where the recording before left off. What happened between two of them counts as nothing.
#[derive(Debug, Default)]
pub struct Joined {
    /// The last sample that was given back.
    last: Sample,
    /// At the end of the recording before.
    base: Sample,
    /// First sample of this recording.
    first: Option<Sample>,
}

impl Joined {
    /// The next recording begins.
    pub fn next_recording(&mut self) {
        self.base = self.last.clone();
        self.first = None;
    }

    /// The next sample of this recording.
    pub fn push(&mut self, sample: Sample) -> Sample {
        let first = self.first.get_or_insert_with(|| sample.clone());
        let Self { base, .. } = self;
        let mut joined = Sample {
            devices: continued(&base.devices, &first.devices, &sample.devices, |it| (it.dev, it.generation)),
            domains: continued(&base.domains, &first.domains, &sample.domains, |it| it.iovad),
            quality: quality(&base.quality, &first.quality, &sample.quality),
            ..sample
        };
        joined.devices.sort_by_key(|device| (device.dev, device.generation));
        self.last.clone_from(&joined);
        joined
    }
}

/// Per thing: what it had counted before, and what it counted since the first sample of this recording.
fn continued<T: Counters, K: PartialEq>(base: &[T], first: &[T], now: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let find = |things: &[T], wanted: &T| things.iter().find(|thing| key(thing) == key(wanted)).cloned();
    let mut all: Vec<T> = base.iter().filter(|thing| find(now, thing).is_none()).cloned().collect();
    all.extend(now.iter().map(|thing| match find(base, thing) {
        // Alone, the first sample counts too: nobody saw what was before it.
        None => thing.clone(),
        Some(before) => {
            let mut sum = thing.since(&find(first, thing).unwrap_or_default());
            sum.add(&before);
            sum
        }
    }));
    all
}

fn quality(base: &Quality, first: &Quality, now: &Quality) -> Quality {
    let mut sum = now.since(first);
    sum.add(base);
    let Quality { alloc_sampling, search_sampling, free_sampling, .. } = *now;
    Quality { alloc_sampling, search_sampling, free_sampling, ..sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{DeviceCounters, DomainCounters};

    fn sample(ns: u64, pages: u64) -> Sample {
        let mut device = DeviceCounters { dev: 7, ..DeviceCounters::default() };
        device.alloc.by_order[0] = pages;
        device.alloc.latency.buckets[5] = pages;
        let domain =
            DomainCounters { iovad: 9, low_pages_delta: -(pages.cast_signed()), ..DomainCounters::default() };
        Sample { ns, devices: vec![device], domains: vec![domain], ..Sample::default() }
    }

    #[test]
    fn counters_go_on() {
        let mut joined = Joined::default();
        let count = |sample: Sample| {
            let device = &sample.devices[0];
            (device.alloc.by_order[0], device.alloc.latency.buckets[5], sample.domains[0].low_pages_delta)
        };
        assert_eq!(count(joined.push(sample(1, 5))), (5, 5, -5));
        assert_eq!(count(joined.push(sample(2, 50))), (50, 50, -50));
        joined.next_recording();
        assert_eq!(count(joined.push(sample(10, 1000))), (50, 50, -50));
        assert_eq!(count(joined.push(sample(11, 1007))), (57, 57, -57));
    }
}
