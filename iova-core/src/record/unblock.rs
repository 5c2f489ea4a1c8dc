//! Reading a block, one sample after the other: all of them at once may be more than there is memory for.

use super::block::{Part, Words};
use super::scalar::Thing;
use super::spread::Spread;
use super::wire::{Bytes, Short};
use super::{MOST_SLOTS, MOST_STEPS, column};
use crate::sample::{DeviceCounters, DomainCounters, Sample};

/// A block that is read.
#[derive(Debug)]
pub(super) struct Block {
    /// Next step.
    step: usize,
    /// From each sample to the next, ns.
    times: Vec<u64>,
    devices: Things,
    domains: Things,
    words: Words,
}

/// What its things counted.
#[derive(Debug, Default)]
struct Things {
    /// Per thing its columns, `(column, first of its numbers)`.
    columns: Vec<Vec<(usize, usize)>>,
    numbers: Vec<u64>,
    /// Per kind of latency and thing.
    latencies: Vec<Vec<Option<Spread>>>,
}

impl Block {
    /// `known`: the sample before it.
    pub(super) fn read(payload: &[u8], known: &Sample) -> Result<Self, Short> {
        let mut bytes = Bytes(payload);
        let steps = usize::try_from(bytes.take()?).map_err(|_| Short)?;
        if steps == 0 || steps > MOST_STEPS || known.devices.len() + known.domains.len() > MOST_SLOTS {
            return Err(Short);
        }
        let times = (0..steps).map(|_| bytes.take()).collect::<Result<_, _>>()?;
        let mut block = Self {
            step: 0,
            times,
            devices: Things::default(),
            domains: Things::default(),
            words: Words::default(),
        };
        while !bytes.is_empty() {
            let (number, length) = (bytes.take()?, bytes.take()?);
            let content = bytes.slice(length)?;
            block.part(number, content, known)?;
        }
        Ok(block)
    }

    fn part(&mut self, number: u64, content: &[u8], known: &Sample) -> Result<(), Short> {
        let steps = self.times.len();
        let is = |part: Part| number == part as u64;
        if is(Part::DeviceCounters) {
            self.devices.read_counters::<_, DeviceCounters>(content, known.devices.len(), steps)?;
        } else if is(Part::DeviceLatencies) {
            self.devices.read_latencies(content, &known.devices, steps)?;
        } else if is(Part::DomainCounters) {
            self.domains.read_counters::<_, DomainCounters>(content, known.domains.len(), steps)?;
        } else if is(Part::DomainLatencies) {
            self.domains.read_latencies(content, &known.domains, steps)?;
        } else if is(Part::Words) {
            self.words = serde_json::from_slice(content).map_err(|_| Short)?;
        }
        Ok(())
    }

    /// True behind the last step.
    pub(super) fn is_at_end(&self) -> bool {
        self.step >= self.times.len()
    }

    /// Makes `now`, the last sample, the next one; false behind the last.
    pub(super) fn next(&mut self, now: &mut Sample) -> bool {
        let step = self.step;
        let Some(&passed) = self.times.get(step) else { return false };
        self.step += 1;
        now.ns = now.ns.saturating_add(passed);
        self.devices.step(&mut now.devices, step);
        self.domains.step(&mut now.domains, step);
        let events = self.words.events.iter_mut().find(|(at, _)| *at == step);
        now.events = events.map(|(_, events)| std::mem::take(events)).unwrap_or_default();
        if let Some((_, quality)) = self.words.quality.iter_mut().find(|(at, _)| *at == step) {
            now.quality = std::mem::take(quality);
        }
        true
    }
}

impl Things {
    fn read_counters<const N: usize, T: Thing<N>>(
        &mut self,
        content: &[u8],
        things: usize,
        steps: usize,
    ) -> Result<(), Short> {
        let mut bytes = Bytes(content);
        let masks = (0..things).map(|_| bytes.take()).collect::<Result<Vec<_>, _>>()?;
        if masks.iter().any(|mask| mask >> N != 0) {
            return Err(Short);
        }
        self.columns = vec![Vec::new(); things];
        for column in 0..N {
            for (columns, _) in
                self.columns.iter_mut().zip(&masks).filter(|(_, mask)| **mask >> column & 1 == 1)
            {
                columns.push((column, self.numbers.len()));
                self.numbers.extend(column::read(&mut bytes, steps)?);
            }
        }
        Ok(())
    }

    fn read_latencies<const N: usize, T: Thing<N>>(
        &mut self,
        content: &[u8],
        known: &[T],
        steps: usize,
    ) -> Result<(), Short> {
        let mut bytes = Bytes(content);
        let kinds = known.first().map_or(0, |thing| thing.latencies().len());
        for kind in 0..kinds {
            let mut spreads = Vec::with_capacity(known.len());
            for (index, thing) in known.iter().enumerate() {
                let measured = thing.latencies().get(kind).is_some_and(Option::is_some);
                let expected = if kind == 0 { self.calls::<N, T>(index, steps) } else { Vec::new() };
                spreads.push(measured.then(|| Spread::read(&mut bytes, steps, &expected)).transpose()?);
            }
            self.latencies.push(spreads);
        }
        Ok(())
    }

    /// The counters of one thing in one step, as written.
    fn written<const N: usize>(&self, index: usize, step: usize) -> [u64; N] {
        let mut written = [0; N];
        for &(column, first) in self.columns.get(index).into_iter().flatten() {
            if let (Some(to), Some(&number)) = (written.get_mut(column), self.numbers.get(first + step)) {
                *to = number;
            }
        }
        written
    }

    /// Allocations of a thing per step: what stands before its latencies tells.
    fn calls<const N: usize, T: Thing<N>>(&self, index: usize, steps: usize) -> Vec<u64> {
        (0..steps).map(|step| T::calls(&[0; N], &T::read(&[0; N], &self.written(index, step)))).collect()
    }

    fn step<const N: usize, T: Thing<N>>(&mut self, things: &mut [T], step: usize) {
        for (index, thing) in things.iter_mut().enumerate() {
            thing.set_row(T::read(&thing.row(), &self.written(index, step)));
            let spreads =
                self.latencies.iter_mut().map(|things| things.get_mut(index).and_then(Option::as_mut));
            for (histogram, spread) in thing.latencies_mut().into_iter().zip(spreads) {
                if let (Some(histogram), Some(spread)) = (histogram, spread) {
                    spread.step(histogram, step);
                }
            }
        }
    }
}
