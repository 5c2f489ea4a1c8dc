//! Writing a recording, frame by frame: nothing is ever changed that was written.

use std::io::Write;
use std::time::Duration;

use super::frame::{self, Index, Kind, MOST_BLOCK_BYTES};
use super::{Ending, Head, Look, MOST_SLOTS, MOST_STEPS, RecordError, block, calls};
use crate::sample::{Calls, Sample};

/// How a recording is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Samples whose latency distributions share their detail at most, and how many are lost at most if the writer
    /// dies; never more than an eighth of those before.
    pub block: usize,
    /// A whole sample at least this often.
    pub key_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { block: 40, key_every: Duration::from_secs(1200) }
    }
}

/// A block is at most so small a part of what is before it.
const SHARE: usize = 8;

/// A recording that is written.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    options: Options,
    /// Bytes written.
    at: u64,
    index: Index,
    /// Samples in blocks so far.
    samples: usize,
    /// The last sample that was written, and those behind it that are not; empty before the first.
    waiting: Vec<Sample>,
}

impl<W: Write> Writer<W> {
    /// Begins a recording.
    pub fn new(output: W, head: &Head, options: Options) -> Result<Self, RecordError> {
        let mut writer = Self::headless(output, options);
        writer.at = frame::write(&mut writer.output, &frame::header())?;
        writer.words(Kind::Head, head)?;
        Ok(writer)
    }

    /// Frames alone, to follow the head of another one.
    pub(super) fn headless(output: W, options: Options) -> Self {
        let options = Options { block: options.block.clamp(1, MOST_STEPS), ..options };
        Self { output, options, at: 0, index: Index::default(), samples: 0, waiting: Vec::new() }
    }

    /// Writes frames of another one, which begin with a key.
    pub(super) fn append(&mut self, frames: &[u8], ns: u64) -> Result<(), RecordError> {
        self.index.keys.push((self.at, ns));
        self.at += frame::write(&mut self.output, frames)?;
        Ok(())
    }

    /// What it is written to.
    pub(super) fn output(&self) -> &W {
        &self.output
    }

    /// All that was written, without an end.
    pub(super) fn into_output(mut self) -> Result<W, RecordError> {
        self.flush()?;
        Ok(self.output)
    }

    /// Takes the next reading.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), RecordError> {
        if sample.devices.len() + sample.domains.len() > MOST_SLOTS {
            return Err(RecordError::TooLarge(format!("{} devices", sample.devices.len())));
        }
        let mut sample = Sample { watched: None, ..sample.clone() };
        block::trim(&mut sample);
        // The order in which the kernel's tables are walked means nothing.
        sample.domains.sort_by_key(|domain| domain.iovad);
        let since_key = self.index.keys.last().map_or(u64::MAX, |(_, ns)| sample.ns.saturating_sub(*ns));
        let key_is_due = Duration::from_nanos(since_key) >= self.options.key_every;
        if key_is_due || !self.waiting.last().is_some_and(|last| block::follows(last, &sample)) {
            self.flush()?;
            return self.key(sample);
        }
        self.waiting.push(sample);
        self.samples += 1;
        // Of a short recording a killed writer shall not lose all.
        let block = self.options.block.min(self.samples / SHARE + 1);
        if self.waiting.len() > block { self.flush() } else { Ok(()) }
    }

    /// Takes what was seen of devices and space; it belongs to the next sample.
    pub fn look(&mut self, look: &Look) -> Result<(), RecordError> {
        self.flush()?;
        match self.words(Kind::Look, look) {
            // A picture less, and all counters as they are.
            Err(RecordError::TooLarge(_)) => Ok(()),
            result => result,
        }
    }

    /// Takes single calls, which are written at once: they are too many to wait for anything.
    pub fn calls(&mut self, calls: &Calls) -> Result<(), RecordError> {
        let full = calls.list.len().saturating_sub(1) / calls::MOST * calls::MOST;
        let (before, last) = calls.list.split_at(full);
        // What was lost and passed over is told once: the ring keeps what came first.
        let part = Calls { lost: 0, passed: 0, list: Vec::new(), ..*calls };
        before
            .chunks(calls::MOST)
            .try_for_each(|list| self.frame(Kind::Calls, &calls::write(&part, list)))?;
        self.frame(Kind::Calls, &calls::write(calls, last))
    }

    /// Writes what waits for its block to be full.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        let Some(last) = self.waiting.last().cloned().filter(|_| self.waiting.len() > 1) else {
            return Ok(());
        };
        let samples = std::mem::replace(&mut self.waiting, vec![last]);
        self.blocks(&samples)?;
        self.output.flush()?;
        Ok(())
    }

    /// One block, or more where one would be too large.
    fn blocks(&mut self, samples: &[Sample]) -> Result<(), RecordError> {
        let payload = block::write(samples)
            .ok_or_else(|| RecordError::TooLarge("counters that run backwards".into()))?;
        let steps = samples.len() - 1;
        if payload.len() > MOST_BLOCK_BYTES && steps > 1 {
            let (first, _) = samples.split_at(steps / 2 + 1);
            self.blocks(first)?;
            return self.blocks(&samples[steps / 2..]);
        }
        self.frame(Kind::Block, &payload)
    }

    fn key(&mut self, sample: Sample) -> Result<(), RecordError> {
        self.index.keys.push((self.at, sample.ns));
        self.words(Kind::Key, &sample)?;
        self.output.flush()?;
        self.waiting = vec![sample];
        Ok(())
    }

    /// Ends the recording; gives back what it was written to.
    pub fn finish(mut self, ending: &Ending) -> Result<W, RecordError> {
        self.flush()?;
        if let Err(error) = self.words(Kind::End, ending) {
            let RecordError::TooLarge(_) = error else { return Err(error) };
            self.words(Kind::End, &Ending { look: Look::default(), ..ending.clone() })?;
        }
        let index_at = self.at;
        let index = std::mem::take(&mut self.index);
        self.words(Kind::Index, &index)?;
        self.output.write_all(&frame::trailer(index_at))?;
        self.output.flush()?;
        Ok(self.output)
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.at
    }

    fn words(&mut self, kind: Kind, words: &impl serde::Serialize) -> Result<(), RecordError> {
        let text = serde_json::to_vec(words).map_err(std::io::Error::from)?;
        self.frame(kind, &text)
    }

    fn frame(&mut self, kind: Kind, payload: &[u8]) -> Result<(), RecordError> {
        let frame = frame::pack(kind, payload)?;
        self.at += frame::write(&mut self.output, &frame)?;
        Ok(())
    }
}
