//! The last minutes, in memory, to be written when something happens.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use super::{Ending, Head, Look, Options, RecordError, Writer};
use crate::sample::{Calls, Sample};

/// Pieces that the ring is made of: what is dropped at once is one of them.
const PIECES: u32 = 10;

/// A recording of the last so many minutes.
#[derive(Debug)]
pub struct Ring {
    length: Duration,
    /// Bytes it may take; where that is less than the time takes, the time is shorter.
    most_bytes: usize,
    options: Options,
    /// As it began, with what is known now of devices and space.
    head: Head,
    /// Of the very first sample.
    began_ns: Option<u64>,
    /// Of the last one.
    last_ns: u64,
    /// When their first samples were taken, and their frames; oldest first.
    pieces: VecDeque<(u64, Vec<u8>)>,
    now: Option<Piece>,
}

/// What is written now: it begins with a look and a whole sample.
#[derive(Debug)]
struct Piece {
    /// Of its first sample.
    ns: u64,
    writer: Writer<Vec<u8>>,
}

impl Ring {
    /// An empty ring. `head`: as for a file.
    pub fn new(length: Duration, most_bytes: usize, head: Head, options: Options) -> Self {
        // A piece has one key, at its start.
        let options = Options { key_every: Duration::MAX, ..options };
        let pieces = VecDeque::new();
        Self { length, most_bytes, options, head, began_ns: None, last_ns: 0, pieces, now: None }
    }

    /// Takes the next reading.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), RecordError> {
        let since = |ns: u64| Duration::from_nanos(sample.ns.saturating_sub(ns));
        self.began_ns.get_or_insert(sample.ns);
        self.last_ns = sample.ns;
        if self.now.as_ref().is_none_or(|now| since(now.ns) >= self.length / PIECES) {
            self.turn(sample.ns)?;
        }
        if let Some(now) = &mut self.now {
            now.writer.sample(sample)?;
        }
        // What is left behind the oldest is still as long as wanted.
        while self.pieces.get(1).is_some_and(|(second, _)| since(*second) >= self.length)
            || self.bytes() > self.most_bytes
        {
            if self.pieces.pop_front().is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Takes what was seen of devices and space.
    pub fn look(&mut self, look: Look) -> Result<(), RecordError> {
        let written = self.now.as_mut().map_or(Ok(()), |now| now.writer.look(&look));
        self.know(look);
        written
    }

    /// The same, to be written no sooner than with the next piece: a picture of many spaces is large.
    pub fn know(&mut self, Look { inventory, snapshot }: Look) {
        self.head.inventory = inventory.unwrap_or(std::mem::take(&mut self.head.inventory));
        self.head.snapshot = snapshot.or(self.head.snapshot.take());
    }

    /// What is known now.
    fn known(&self) -> Look {
        let Head { inventory, snapshot, .. } = &self.head;
        Look { inventory: Some(inventory.clone()), snapshot: snapshot.clone() }
    }

    /// Takes single calls.
    pub fn calls(&mut self, calls: &Calls) -> Result<(), RecordError> {
        self.now.as_mut().map_or(Ok(()), |now| now.writer.calls(calls))
    }

    /// Begins a new piece.
    fn turn(&mut self, ns: u64) -> Result<(), RecordError> {
        let mut writer = Writer::headless(Vec::new(), self.options);
        writer.look(&self.known())?;
        if let Some(full) = self.now.replace(Piece { ns, writer }) {
            let mut frames = full.writer.into_output()?;
            frames.shrink_to_fit();
            self.pieces.push_back((full.ns, frames));
        }
        Ok(())
    }

    /// From its first sample to its last.
    pub fn span(&self) -> Duration {
        let first = self.frames().next().map_or(self.last_ns, |(ns, _)| ns);
        Duration::from_nanos(self.last_ns.saturating_sub(first))
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.frames().map(|(_, frames)| frames.len()).sum()
    }

    /// What is in it, oldest first.
    fn frames(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let now = self.now.iter().map(|now| (now.ns, &now.writer.output()[..]));
        self.pieces.iter().map(|(ns, frames)| (*ns, &frames[..])).chain(now)
    }

    /// Writes all that is in it as a recording, and goes on. `ending`: its look is what the ring knows.
    pub fn write<W: Write>(&mut self, output: W, ending: &Ending) -> Result<W, RecordError> {
        if let Some(now) = &mut self.now {
            now.writer.flush()?;
        }
        let gone_ns = self.frames().next().zip(self.began_ns);
        let gone_s = gone_ns.map_or(0, |((first, _), began)| first.saturating_sub(began) / 1_000_000_000);
        // Each piece begins with what was known then.
        let started_unix_s = self.head.started_unix_s + gone_s;
        let head = Head { started_unix_s, snapshot: None, ..self.head.clone() };
        let mut writer = Writer::new(output, &head, self.options)?;
        for (ns, frames) in self.frames() {
            writer.append(frames, ns)?;
        }
        writer.finish(&Ending { look: self.known(), ..ending.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{head, samples};
    use super::super::{Ending, Options, Reader};
    use super::*;
    use crate::inventory::{Host, Inventory};

    fn seconds(ring: &mut Ring) -> Vec<u64> {
        let bytes = ring.write(Vec::new(), &Ending::default()).unwrap();
        let mut reader = Reader::new(&bytes[..]).unwrap();
        let mut seconds = Vec::new();
        while let Some(moment) = reader.next_moment().unwrap() {
            seconds.push(moment.sample.ns / 1_000_000_000);
        }
        assert_eq!(reader.flaw(), None);
        seconds
    }

    #[test]
    fn a_ring_keeps_what_it_is_asked_to_and_little_more() {
        let mut ring = Ring::new(Duration::from_secs(20), 1 << 20, head(), Options::default());
        for sample in samples(60) {
            ring.sample(&sample).unwrap();
        }
        let kept = seconds(&mut ring);
        assert_eq!(*kept.last().unwrap(), 59);
        assert!((20..=23).contains(&kept.len()), "{kept:?}");
        assert_eq!(seconds(&mut ring), kept);
        assert_eq!(ring.span().as_secs(), kept.len() as u64 - 1);
        let bytes = ring.write(Vec::new(), &Ending::default()).unwrap();
        let started = Reader::new(&bytes[..]).unwrap().head().started_unix_s;
        assert_eq!(started, head().started_unix_s + kept[0], "when what is left began");
    }

    #[test]
    fn what_was_known_then_stands_before_the_first_sample() {
        let mut ring = Ring::new(Duration::from_secs(20), 1 << 20, head(), Options::default());
        for sample in samples(60) {
            let host = Host { cpus: (sample.ns / 1_000_000_000) as u32, ..head().inventory.host };
            ring.know(Look { inventory: Some(Inventory { host, ..head().inventory }), snapshot: None });
            ring.sample(&sample).unwrap();
        }
        let bytes = ring.write(Vec::new(), &Ending::default()).unwrap();
        let mut reader = Reader::new(&bytes[..]).unwrap();
        let cpus = |look: &Option<Look>| look.as_ref().unwrap().inventory.as_ref().unwrap().host.cpus;
        let first = reader.next_moment().unwrap().unwrap();
        assert_eq!(u64::from(cpus(&first.look)), first.sample.ns / 1_000_000_000);
        while reader.next_moment().unwrap().is_some() {}
        assert_eq!(cpus(&Some(reader.ending().unwrap().look.clone())), 59);
    }

    #[test]
    fn it_never_takes_more_memory_than_it_may() {
        let mut ring = Ring::new(Duration::from_secs(40), 3000, head(), Options::default());
        for sample in samples(60) {
            ring.sample(&sample).unwrap();
            assert!(ring.bytes() < 6000);
        }
        assert_eq!(seconds(&mut ring).last(), Some(&59));
    }
}
