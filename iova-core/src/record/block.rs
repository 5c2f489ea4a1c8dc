//! A block: what the samples after a known one counted beyond it.

use serde::{Deserialize, Serialize};

use super::scalar::Thing;
use super::wire::put;
use super::{column, spread};
use crate::sample::{Event, Quality, Sample};

/// A part of a block; parts of other numbers are passed over by readers that do not know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    DeviceCounters = 1,
    DeviceLatencies = 2,
    DomainCounters = 3,
    DomainLatencies = 4,
    /// JSON of [`Words`].
    Words = 5,
}

/// What happens rarely: written as JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Words {
    /// Step, and its events.
    pub(super) events: Vec<(usize, Vec<Event>)>,
    /// Step, and the data quality from it on.
    pub(super) quality: Vec<(usize, Quality)>,
}

/// True if `now` can follow `earlier` in a block: the same devices and domains, measured alike.
pub(super) fn follows(earlier: &Sample, now: &Sample) -> bool {
    fn alike<const N: usize, T: Thing<N>>(earlier: &[T], now: &[T]) -> bool {
        let counts_on = |(earlier, now): (&T, &T)| {
            earlier.is_like(now)
                && same_latencies(earlier, now)
                && T::written(&earlier.row(), &now.row()).is_some()
        };
        earlier.len() == now.len() && earlier.iter().zip(now).all(counts_on)
    }
    now.ns >= earlier.ns && alike(&earlier.devices, &now.devices) && alike(&earlier.domains, &now.domains)
}

fn same_latencies<const N: usize, T: Thing<N>>(earlier: &T, now: &T) -> bool {
    earlier.latencies().iter().zip(now.latencies()).all(|(earlier, now)| match (earlier, now) {
        (Some(earlier), Some(now)) => {
            let shrinks = earlier.buckets.iter().zip(&now.buckets).any(|(earlier, now)| now < earlier);
            let more = earlier.buckets.len() <= now.buckets.len();
            more && !shrinks && earlier.sum <= now.sum && earlier.max <= now.max
        }
        (None, None) => true,
        _ => false,
    })
}

/// Without the buckets behind the last that holds something: what is written looks at each of them several times.
pub(super) fn trim(sample: &mut Sample) {
    let latencies = sample.devices.iter_mut().flat_map(Thing::latencies_mut);
    let latencies = latencies.chain(sample.domains.iter_mut().flat_map(Thing::latencies_mut));
    for latency in latencies.flatten() {
        let end = latency.buckets.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        latency.buckets.truncate(end);
    }
}

/// `samples`: the known one, and those to write, each of which [`follows`] the one before it.
pub(super) fn write(samples: &[Sample]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    put(&mut out, samples.len() as u64 - 1);
    for pair in samples.windows(2) {
        put(&mut out, pair[1].ns.checked_sub(pair[0].ns)?);
    }
    let devices: Vec<_> = samples.iter().map(|sample| &sample.devices[..]).collect();
    let domains: Vec<_> = samples.iter().map(|sample| &sample.domains[..]).collect();
    part(&mut out, Part::DeviceCounters, &counters(&devices)?);
    part(&mut out, Part::DeviceLatencies, &latencies(&devices)?);
    part(&mut out, Part::DomainCounters, &counters(&domains)?);
    part(&mut out, Part::DomainLatencies, &latencies(&domains)?);
    let words = words(samples);
    if !words.events.is_empty() || !words.quality.is_empty() {
        part(&mut out, Part::Words, &serde_json::to_vec(&words).ok()?);
    }
    Some(out)
}

fn part(out: &mut Vec<u8>, part: Part, bytes: &[u8]) {
    put(out, part as u64);
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Which columns each thing has, then column by column: numbers that are alike stand together.
fn counters<const N: usize, T: Thing<N>>(steps: &[&[T]]) -> Option<Vec<u8>> {
    let things = steps.first()?.len();
    let mut rows: Vec<Vec<[u64; N]>> = Vec::with_capacity(things);
    for index in 0..things {
        let pairs = steps.windows(2).map(|pair| T::written(&pair[0][index].row(), &pair[1][index].row()));
        rows.push(pairs.collect::<Option<_>>()?);
    }
    // Row by row, as they lie in memory.
    let filled = |mask: u64, row: &[u64; N]| {
        let bits = row.iter().enumerate().filter(|(_, number)| **number != 0);
        bits.fold(mask, |mask, (column, _)| mask | 1 << column)
    };
    let masks: Vec<u64> = rows.iter().map(|rows| rows.iter().fold(0, filled)).collect();
    let mut out = Vec::new();
    masks.iter().for_each(|&mask| put(&mut out, mask));
    let mut numbers = Vec::with_capacity(steps.len());
    for column in 0..N {
        for (rows, _) in rows.iter().zip(&masks).filter(|(_, mask)| **mask >> column & 1 == 1) {
            numbers.clear();
            numbers.extend(rows.iter().map(|row| row[column]));
            column::write(&mut out, &numbers);
        }
    }
    Some(out)
}

fn latencies<const N: usize, T: Thing<N>>(steps: &[&[T]]) -> Option<Vec<u8>> {
    let first = steps.first()?;
    let kinds = first.first().map_or(0, |thing| thing.latencies().len());
    let mut out = Vec::new();
    for kind in 0..kinds {
        for index in 0..first.len() {
            let readings: Vec<_> = steps
                .iter()
                .filter_map(|things| things[index].latencies().get(kind).copied().flatten())
                .collect();
            if !readings.is_empty() {
                let calls =
                    steps.windows(2).map(|pair| T::calls(&pair[0][index].row(), &pair[1][index].row()));
                let expected: Vec<u64> = if kind == 0 { calls.collect() } else { Vec::new() };
                spread::write(&mut out, &readings, &expected)?;
            }
        }
    }
    Some(out)
}

fn words(samples: &[Sample]) -> Words {
    let mut words = Words::default();
    for (step, pair) in samples.windows(2).enumerate() {
        let [before, now] = pair else { continue };
        if !now.events.is_empty() {
            words.events.push((step, now.events.clone()));
        }
        if now.quality != before.quality {
            words.quality.push((step, now.quality.clone()));
        }
    }
    words
}
