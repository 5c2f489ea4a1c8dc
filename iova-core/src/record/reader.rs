//! Reading a recording from the start to the end, or to where it is damaged.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::frame::{self, Found, Kind};
use super::unblock::Block;
use super::{Ending, Head, Look, MOST_SLOTS, RecordError, calls};
use crate::sample::{Calls, Sample};

/// One reading, and what was seen before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Devices and space, if somebody looked since the last reading.
    pub look: Option<Look>,
    /// All counters.
    pub sample: Sample,
    /// Latency distributions are as they were read; else only their powers of two are.
    pub exact: bool,
}

/// What comes next in a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A reading.
    Moment(Box<Moment>),
    /// Single calls; those between two readings may come a block before the later one.
    Calls(Calls),
}

/// A recording that is read.
#[derive(Debug)]
pub struct Reader<R> {
    pub(super) input: R,
    pub(super) at: u64,
    head: Head,
    /// The last sample.
    pub(super) now: Option<Sample>,
    pub(super) block: Option<Block>,
    pub(super) look: Option<Look>,
    ending: Option<Ending>,
    flaw: Option<String>,
    done: bool,
}

impl Reader<BufReader<File>> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: Read> Reader<R> {
    /// Reads what stands before the first sample.
    pub fn new(mut input: R) -> Result<Self, RecordError> {
        frame::read_header(&mut input)?;
        let at = 16;
        let Found::Frame { kind: Kind::Head, payload, length } = frame::read(&mut input, at)? else {
            return Err(RecordError::Empty);
        };
        let head = words(at, &payload)?;
        let at = at + length;
        Ok(Self {
            input,
            at,
            head,
            now: None,
            block: None,
            look: None,
            ending: None,
            flaw: None,
            done: false,
        })
    }

    /// What is known from the beginning.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How it ended; known behind the last moment, unless its writer died.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// What is wrong with the file, behind the last moment that is good: one sentence.
    pub fn flaw(&self) -> Option<&str> {
        self.flaw.as_deref()
    }

    /// The next reading. Where the file is damaged or cut off, it ends: see [`Reader::flaw`].
    pub fn next_moment(&mut self) -> Result<Option<Moment>, RecordError> {
        while let Some(item) = self.next(false)? {
            if let Item::Moment(moment) = item {
                return Ok(Some(*moment));
            }
        }
        Ok(None)
    }

    /// The same with single calls, where there are any.
    pub fn next_item(&mut self) -> Result<Option<Item>, RecordError> {
        self.next(true)
    }

    fn next(&mut self, with_calls: bool) -> Result<Option<Item>, RecordError> {
        while !self.done {
            if let Some(moment) = self.out_of_block() {
                return Ok(Some(Item::Moment(Box::new(moment))));
            }
            match self.frame(with_calls) {
                Ok(Some(item)) => return Ok(Some(item)),
                Ok(None) => {}
                Err(RecordError::Io(error)) => return Err(error.into()),
                Err(error) => self.end(Some(error.to_string())),
            }
        }
        Ok(None)
    }

    fn out_of_block(&mut self) -> Option<Moment> {
        let (block, now) = (self.block.as_mut()?, self.now.as_mut()?);
        if !block.next(now) {
            self.block = None;
            return None;
        }
        Some(Moment { look: self.look.take(), sample: now.clone(), exact: block.is_at_end() })
    }

    fn end(&mut self, flaw: Option<String>) {
        (self.done, self.flaw, self.block) = (true, flaw, None);
    }

    /// Reads the next frame.
    fn frame(&mut self, with_calls: bool) -> Result<Option<Item>, RecordError> {
        let at = self.at;
        let damaged = |what: &str| RecordError::Damaged {
            at,
            what: format!("{what} holds other numbers than it says"),
        };
        let (kind, payload) = match frame::read(&mut self.input, at)? {
            Found::Frame { kind, payload, length } => {
                self.at += length;
                (kind, payload)
            }
            Found::Other { length } => {
                self.at += length;
                return Ok(None);
            }
            Found::Nothing { within } => {
                let flaw = (within || self.ending.is_none())
                    .then(|| format!("this recording ends at byte {at} without its end: its writer was killed, or the file was cut; all before is good"));
                self.end(flaw);
                return Ok(None);
            }
        };
        match kind {
            Kind::Key => return self.key(at, &payload).map(|moment| Some(Item::Moment(Box::new(moment)))),
            Kind::Block => {
                let known = self.now.as_ref().ok_or_else(|| damaged("a block"))?;
                self.block = Some(Block::read(&payload, known).map_err(|_| damaged("a block"))?);
            }
            Kind::Calls if with_calls => {
                return calls::read(&payload)
                    .map(|calls| Some(Item::Calls(calls)))
                    .map_err(|_| damaged("a frame"));
            }
            Kind::Look => self.look = Some(words(at, &payload)?),
            Kind::End => self.ending = Some(words(at, &payload)?),
            Kind::Head | Kind::Index | Kind::Calls => {}
        }
        Ok(None)
    }

    fn key(&mut self, at: u64, payload: &[u8]) -> Result<Moment, RecordError> {
        let sample: Sample = words(at, payload)?;
        if sample.devices.len() + sample.domains.len() > MOST_SLOTS {
            return Err(RecordError::Damaged { at, what: "more devices than there can be".into() });
        }
        self.now = Some(sample.clone());
        Ok(Moment { look: self.look.take(), sample, exact: true })
    }
}

pub(super) fn words<T: serde::de::DeserializeOwned>(at: u64, text: &[u8]) -> Result<T, RecordError> {
    let damaged = |error: serde_json::Error| RecordError::Damaged {
        at,
        what: format!("{error}").chars().take(120).collect(),
    };
    serde_json::from_slice(text).map_err(damaged)
}
