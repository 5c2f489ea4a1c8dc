//! A recording as a source: it says what the kernel said.

use super::{Source, part};
use crate::commands::select;
use crate::exit::Stop;
use crate::output;
use iova_core::inventory::Inventory;
use iova_core::model::{Command, SacControl, Unknown};
use iova_core::probe::Profile;
use iova_core::record::{Item, Look, MAGIC, Moment, Reader, RecordError};
use iova_core::sample::{Calls, Sample};
use iova_core::snapshot::Snapshot;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// A recording that is played.
pub(crate) struct Played {
    path: PathBuf,
    reader: Reader<BufReader<File>>,
    /// What is known at this point of it.
    inventory: Inventory,
    snapshot: Option<Snapshot>,
    /// Somebody looked before the last one.
    looked: bool,
    /// The next one, fetched already.
    next: Option<Moment>,
    /// When the recording begins, CLOCK_MONOTONIC.
    first_ns: u64,
    /// What comes later is not played, CLOCK_MONOTONIC.
    until_ns: u64,
    /// Something came later.
    cut: bool,
    /// It was told that latencies are estimates.
    told: bool,
}

impl Played {
    pub(crate) fn open(path: &Path) -> Result<Self, Stop> {
        let failed = |error| Stop::unusable(format!("{}: {error}", path.display()));
        let mut reader = Reader::open(path).map_err(failed)?;
        let head = reader.head();
        let (mut inventory, mut snapshot) = (head.inventory.clone(), head.snapshot.clone());
        let first = reader.next_moment().map_err(failed)?;
        let mut first = first.ok_or_else(|| failed(RecordError::Empty))?;
        // What was seen before the first reading is what it begins with.
        if let Some(look) = first.look.take() {
            inventory = look.inventory.unwrap_or(inventory);
            snapshot = look.snapshot.or(snapshot);
        }
        let first_ns = first.sample.ns;
        Ok(Self {
            path: path.to_owned(),
            reader,
            inventory,
            snapshot,
            looked: false,
            next: Some(first),
            first_ns,
            until_ns: u64::MAX,
            cut: false,
            told: false,
        })
    }

    /// True if this file begins as recordings do.
    pub(crate) fn is_recording(path: &Path) -> bool {
        // What is no file, such as a pipe, can be read only once.
        if !std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
            return false;
        }
        let mut start = [0; MAGIC.len()];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == MAGIC
    }

    pub(crate) fn profile(&self) -> Result<Profile, Stop> {
        let name = &self.reader.head().profile;
        name.parse()
            .map_err(|why| Stop::unusable(format!("{}: its profile is unknown: {why}", self.path.display())))
    }

    /// When the recording begins, CLOCK_MONOTONIC.
    pub(crate) fn first_ns(&self) -> u64 {
        self.first_ns
    }

    pub(crate) fn reader(&self) -> &Reader<BufReader<File>> {
        &self.reader
    }

    /// When the next reading was made, ns since 1970, to a second.
    pub(crate) fn begun_unix_ns(&self) -> u64 {
        let later = self.next_ns().map_or(0, |next| next.saturating_sub(self.first_ns));
        self.reader.head().started_unix_s.saturating_mul(1_000_000_000).saturating_add(later)
    }

    /// When the next reading was made, CLOCK_MONOTONIC.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.next.as_ref().map(|moment| moment.sample.ns)
    }

    /// What is wrong with the file, once it was played: one sentence.
    pub(crate) fn flaw(&self) -> Option<String> {
        self.reader.flaw().map(|flaw| format!("{}: {flaw}", self.path.display()))
    }

    /// The next reading, with what was seen before it; `None` at the end.
    pub(crate) fn moment(&mut self) -> Result<Option<Moment>, Stop> {
        self.advance(|reader, failed, _| reader.next_moment().map_err(failed))
    }

    /// The same, and hands over the single calls that come before the next one, with the devices known then.
    pub(crate) fn moment_and(
        &mut self,
        hear: &mut dyn FnMut(&Inventory, Calls) -> Result<(), Stop>,
    ) -> Result<Option<Moment>, Stop> {
        self.advance(|reader, failed, inventory| {
            while let Some(item) = reader.next_item().map_err(failed)? {
                match item {
                    Item::Moment(moment) => return Ok(Some(*moment)),
                    Item::Calls(calls) => hear(inventory, calls)?,
                }
            }
            Ok(None)
        })
    }

    /// Goes on at the last whole sample that was read at `ns` or before, if there is an index to find it by.
    pub(super) fn skip_to(&mut self, ns: u64) -> Result<(), Stop> {
        if !self.reader.skip_to(ns).map_err(|error| self.failed(&error))? {
            return Ok(());
        }
        self.next = self.reader.next_moment().map_err(|error| self.failed(&error))?;
        let passed = self.next.as_mut().and_then(|moment| moment.look.take());
        passed.iter().for_each(|look| self.learn(look));
        Ok(())
    }

    /// Goes on at the first sample that was read at `ns` or later.
    pub(super) fn begin_at(&mut self, ns: u64) -> Result<(), Stop> {
        if self.next_ns().is_none_or(|first| first >= ns) {
            return Ok(());
        }
        while self.next_ns().is_some_and(|next| next < ns) {
            self.moment()?;
        }
        let Some(first) = &self.next else { return Ok(()) };
        let (look, exact) = (first.look.clone(), first.exact);
        self.see(look.as_ref(), exact);
        Ok(())
    }

    /// Ends with the last sample that was read at `ns` or earlier; false if there is none.
    pub(super) fn end_at(&mut self, ns: u64) -> bool {
        self.until_ns = ns;
        self.next_ns().is_some_and(|first| first <= ns)
    }

    /// What is known where a part begins or ends, which is less than at the ends of the whole.
    fn see(&mut self, look: Option<&Look>, exact: bool) {
        look.iter().for_each(|look| self.learn(look));
        let snapshot = look.and_then(|look| look.snapshot.clone());
        self.snapshot = Some(snapshot.unwrap_or_else(part::unseen));
        if !exact && !std::mem::replace(&mut self.told, true) {
            output::complain(&format!(
                "{}: latencies of this part are estimates, because it begins or ends within a block",
                self.path.display()
            ));
        }
    }

    fn failed(&self, error: &RecordError) -> Stop {
        Stop::unusable(format!("{}: {error}", self.path.display()))
    }

    fn advance(
        &mut self,
        next: impl FnOnce(
            &mut Reader<BufReader<File>>,
            &dyn Fn(RecordError) -> Stop,
            &Inventory,
        ) -> Result<Option<Moment>, Stop>,
    ) -> Result<Option<Moment>, Stop> {
        let Some(moment) = self.next.take() else { return Ok(None) };
        self.looked = moment.look.is_some();
        moment.look.iter().for_each(|look| self.learn(look));
        let failed = |error| Stop::unusable(format!("{}: {error}", self.path.display()));
        self.next = next(&mut self.reader, &failed, &self.inventory)?;
        if self.next_ns().is_some_and(|next| next > self.until_ns) {
            (self.next, self.cut) = (None, true);
            self.see(moment.look.as_ref(), moment.exact);
        } else if self.next.is_none()
            && let Some(ending) = self.reader.ending().cloned()
        {
            self.learn(&ending.look);
        }
        Ok(Some(moment))
    }

    fn learn(&mut self, look: &Look) {
        if let Some(inventory) = &look.inventory {
            self.inventory.clone_from(inventory);
        }
        self.snapshot = look.snapshot.clone().or(self.snapshot.take());
    }
}

impl Source for Played {
    fn inventory(&mut self) -> Inventory {
        self.inventory.clone()
    }

    fn select(&self, inventory: &Inventory, words: &[String]) -> Result<Vec<String>, Stop> {
        select(inventory, words)
    }

    fn sac_control(&self, _: &Inventory) -> SacControl {
        self.reader.head().sac_control
    }

    fn attach(&mut self, _: Profile, _: &Inventory) -> Result<(), Stop> {
        Ok(())
    }

    fn snapshot(&mut self) -> Snapshot {
        self.snapshot.clone().unwrap_or_default()
    }

    fn sample(&mut self) -> Result<Sample, Stop> {
        let moment = self.moment()?;
        moment.map(|moment| moment.sample).ok_or_else(|| Stop::internal("the recording has ended"))
    }

    fn looked(&self) -> Option<bool> {
        Some(self.looked)
    }

    fn has_more(&self) -> bool {
        self.next.is_some()
    }

    fn ended(&self) -> (bool, Option<Command>) {
        let ending = self.reader.ending().filter(|_| !self.cut);
        ending.map_or((false, None), |ending| (ending.interrupted, ending.command.clone()))
    }

    fn unmeasured(&self) -> Vec<Unknown> {
        self.reader.head().unknown.clone()
    }
}
