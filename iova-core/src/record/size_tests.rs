//! What a day of a busy host takes.

use super::{Ending, Head, Options, Writer};
use crate::sample::{
    AllocCounters, DeviceCounters, DomainCounters, FreeCounters, Histogram, Quality, Sample,
};
use iova_common::hist;

const DEVICES: usize = 20;
/// Until blocks have their full length.
const BEFORE: u64 = 330;
const SECONDS: u64 = 160;

/// Chance that is always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// How often something happens that happens `mean` times on average.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 30.0 {
            let normal = (0..12).map(|_| self.roll()).sum::<f64>() - 6.0;
            return (mean + normal * mean.sqrt()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.roll(), 0);
        while product > limit {
            product *= self.roll();
            count += 1;
        }
        count
    }
}

/// Adds `calls` with a median of `median` ns: most within a factor of two, some far slower.
fn add(histogram: &mut Histogram, dice: &mut Dice, calls: f64, median: f64) -> u64 {
    let share = |bucket: usize| {
        let distance = (hist::midpoint(bucket).max(1) as f64 / median).log2();
        let normal = |width: f64| (-(distance / width).powi(2) / 2.0).exp() / width / 20.0;
        0.93 * normal(0.5) + 0.07 * normal(2.5)
    };
    let mut total = 0;
    for bucket in 30..180 {
        let count = dice.poisson(calls * share(bucket));
        total += count;
        histogram.buckets[bucket] += count;
        histogram.sum += count * hist::midpoint(bucket);
        if count > 0 {
            histogram.max = histogram.max.max(hist::midpoint(bucket));
        }
    }
    total
}

/// One more second of an NVMe disk or network card under load.
fn pass(device: &mut DeviceCounters, domain: &mut DomainCounters, dice: &mut Dice, index: usize) {
    let calls = 4000.0 * (1.0 + index as f64 % 7.0);
    let total = add(&mut device.alloc.latency, dice, calls, 150.0 + 20.0 * index as f64);
    let large = dice.poisson(calls / 9.0).min(total);
    let huge = dice.poisson(calls / 200.0).min(total - large);
    device.alloc.by_order[0] += total - large - huge;
    device.alloc.by_order[2] += large;
    device.alloc.by_order[7] += huge;
    device.alloc.bytes += (total - large - huge + 4 * large + 128 * huge) * 4096 - dice.poisson(900.0) * 512;
    device.alloc.slow += huge + dice.poisson(calls / 500.0);
    device.alloc.sac_attempts = device.alloc.sac_attempts.map(|attempts| attempts + total);
    device.free.count = device.alloc.by_order.iter().sum::<u64>() - dice.poisson(20.0);
    device.free.bytes = device.alloc.bytes - dice.poisson(40.0) * 4096;
    if let Some(latency) = &mut device.free.latency {
        add(latency, dice, calls / 16.0, 400.0);
    }
    domain.low_pages_delta += dice.poisson(9.0).cast_signed() - 9;
    domain.nodes_delta += dice.poisson(5.0).cast_signed() - 5;
    if let Some(runs) = &mut domain.fq_timer {
        add(runs, dice, 90.0, 20_000.0);
    }
}

fn sample() -> Sample {
    let device = |index: u64| DeviceCounters {
        dev: 0xffff_8880_0000_0000 + index * 4096,
        iovad: 0xffff_8881_0000_0000 + index * 8192,
        group: Some(index as u32),
        alloc: AllocCounters { sac_attempts: Some(0), sac_failed: Some(0), ..AllocCounters::default() },
        free: FreeCounters { latency: Some(Histogram::default()), ..FreeCounters::default() },
        ..DeviceCounters::default()
    };
    let domain = |index: u64| DomainCounters {
        iovad: 0xffff_8881_0000_0000 + index * 8192,
        fq_timer: Some(Histogram::default()),
        ..DomainCounters::default()
    };
    let count = DEVICES as u64;
    let quality = Quality { alloc_sampling: 1, free_sampling: 16, ..Quality::default() };
    Sample {
        devices: (0..count).map(device).collect(),
        domains: (0..count).map(domain).collect(),
        quality,
        ..Sample::default()
    }
}

#[test]
fn a_day_of_twenty_busy_devices_takes_fifty_mib_at_most() {
    let head = Head { snapshot: None, ..super::tests::head() };
    let mut writer = Writer::new(Vec::new(), &head, Options::default()).unwrap();
    let (mut now, mut dice) = (sample(), Dice(88_172_645_463_325_252));
    let mut start = 0;
    for second in 0..=BEFORE + SECONDS {
        writer.sample(&now).unwrap();
        start = if second == BEFORE { writer.bytes() } else { start };
        now.ns += 1_000_000_000 + dice.poisson(50_000.0);
        for (index, (device, domain)) in now.devices.iter_mut().zip(&mut now.domains).enumerate() {
            pass(device, domain, &mut dice, index);
        }
    }
    let per_second = (writer.bytes() - start) / SECONDS;
    let key = {
        let before = writer.bytes();
        let mut other = now.clone();
        other.devices.pop();
        writer.sample(&other).unwrap();
        writer.bytes() - before
    };
    writer.finish(&Ending::default()).unwrap();
    let day = per_second * 86_400 + key * 72;
    println!("{per_second} B/s, a key {key} B, a day {:.1} MiB", day as f64 / f64::from(1 << 20));
    assert!(day <= 50 << 20, "{day} bytes");
}
