//! The journal of a verification: a line of JSON for everything that is about to be done, on disk before it is done.
//!
//! After a crash the next boot is stock, since nothing in the kernel lasts; what the journal tells is how far it came,
//! and what it was all to be put back to. A step that ended has a line of its own; one that only began was cut short.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::disk::Partition;
use super::ladder::Ladder;
use super::record::{Purpose, StepRecord};
use super::verdict::Verdict;
use crate::compat::report::{KernelName, PciId};
use crate::kernel::Root;
use crate::policy::history::Identity;
use crate::policy::state_dir::{self, StateDir, StateError};

/// Directory of the journals, in the state directory.
const PLACE: &str = "verify";

/// More is not read of a journal: a line has some hundred bytes, and a walk some dozen steps.
const MAX_BYTES: u64 = 16 << 20;

/// A step that is cut short so often takes the host with it.
const CUTS: usize = 2;

/// What a verification set out to do, and what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// The device.
    pub bdf: String,
    /// What it is.
    pub identity: Identity,
    /// The bridges above it, from the one it is plugged into to the root: what is proved is proved on this path.
    /// `None` in journals that do not say.
    #[serde(default)]
    pub path: Option<Vec<PciId>>,
    /// What runs; `None` in journals that do not say.
    #[serde(default)]
    pub kernel: Option<KernelName>,
    /// Its driver.
    pub driver: String,
    /// Type of its domain before (`iommu_groups/N/type`).
    pub domain: String,
    /// That type can be written.
    pub typed: bool,
    /// Bits that were proved for free.
    pub proved: u8,
    /// `--to`.
    pub to: Option<u8>,
    /// `--for`, milliseconds.
    pub step_ms: u64,
    /// `--hold`, milliseconds.
    pub hold_ms: u64,
    /// The command.
    pub command: Vec<String>,
    /// What may be written to.
    pub scratch: Option<Partition>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first line.
    Begun(Begun),
    /// The widths to try.
    Ladder(Ladder),
    /// A step begins.
    Step {
        /// Address bits.
        width: u8,
        /// Why.
        purpose: Purpose,
    },
    /// It has ended.
    Ended(StepRecord),
    /// Somebody ended it, and the step under way with it: that is no crash.
    Stopped,
    /// Somebody goes on with it.
    Resumed {
        /// Type of the domain to put back now: after another boot it may be another.
        #[serde(default)]
        domain: Option<String>,
    },
    /// Everything is as it was, and nothing goes on.
    Closed {
        /// The answer, if it came to one.
        answer: Option<Verdict>,
    },
}

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970.
    pub time_s: u64,
    /// `boot_id`.
    pub boot: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What a journal says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// The first line.
    pub begun: Option<Begun>,
    /// Seconds since 1970 of the first line.
    pub began_s: u64,
    /// Boot of the last line.
    pub boot: String,
    /// The widths.
    pub ladder: Option<Ladder>,
    /// Steps that ended.
    pub steps: Vec<StepRecord>,
    /// Steps that began and did not end, by width.
    pub cut: Vec<u8>,
    /// It is closed.
    pub closed: bool,
    /// What it came to, if it came to something.
    pub answer: Option<Verdict>,
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// Somebody is at it.
    #[error("another `iova verify` is at work on {0}: wait for its end, or end it with Ctrl-C")]
    Busy(String),
}

/// The journal of one device, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    boot: String,
    /// Seconds since 1970 of what is under way in it.
    began_s: u64,
}

impl Journal {
    /// Opens a device's journal, and says what is in it. What is closed is no part of it: if the power went before it was
    /// put aside, that is done now.
    ///
    /// # Errors
    /// The state directory is not to be used, or somebody else holds the journal.
    pub fn open(dir: &StateDir, root: &Root, bdf: &str) -> Result<(Self, Past), JournalError> {
        let (journal, past) = Self::open_as_it_is(dir, root, bdf)?;
        if !past.closed {
            return Ok((journal, past));
        }
        journal.put_aside()?;
        drop(journal);
        Self::open_as_it_is(dir, root, bdf)
    }

    fn open_as_it_is(dir: &StateDir, root: &Root, bdf: &str) -> Result<(Self, Past), JournalError> {
        let path = dir.prepare(Some(PLACE))?.join(format!("{bdf}.jsonl"));
        let mut file = state_dir::open_append(&path)?;
        // SAFETY: an open descriptor.
        let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
        // Whoever held it until now may have put this very file aside.
        if !locked || !is_at(&file, &path) {
            return Err(JournalError::Busy(bdf.to_owned()));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| StateError::new(&path, error))?;
        let past = Past::of(&String::from_utf8_lossy(&text));
        let boot = root.text("proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut journal = Self { file, path, boot, began_s: past.began_s };
        // A line that was torn must not take the next one with it.
        if !text.is_empty() && !text.ends_with(b"\n") {
            journal.append(b"\n")?;
        }
        Ok((journal, past))
    }

    /// Whether what it says is from before this boot, which has put everything back by itself.
    pub fn is_of_another_boot(&self, past: &Past) -> bool {
        past.boot != self.boot
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line; it is on disk when this returns.
    ///
    /// # Errors
    /// If it can't be written: then what it announces must not be done.
    pub fn note(&mut self, event: Event) -> Result<(), StateError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if matches!(event, Event::Begun(_)) {
            self.began_s = now.as_secs();
        }
        let entry = Entry { time_s: now.as_secs(), boot: self.boot.clone(), event };
        let mut line = serde_json::to_vec(&entry)
            .map_err(|error| StateError::new(&self.path, std::io::Error::other(error)))?;
        line.push(b'\n');
        self.append(&line)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        written.map_err(|error| StateError::new(&self.path, error))?;
        state_dir::sync_parent(&self.path).map_err(|error| StateError::new(&self.path, error))
    }

    /// Puts a closed journal aside, under the time at which it began; the device's next one begins anew.
    ///
    /// # Errors
    /// If the file can't be renamed.
    pub fn put_aside(&self) -> Result<PathBuf, StateError> {
        let name = |end: String| self.path.with_extension(format!("{}{end}.done.jsonl", self.began_s));
        let mut aside = name(String::new());
        // A host whose clock begins anew at each boot must not lose one to the other.
        for number in 2.. {
            if !aside.exists() {
                break;
            }
            aside = name(format!("-{number}"));
        }
        let failed = |error| StateError::new(&self.path, error);
        std::fs::rename(&self.path, &aside).map_err(failed)?;
        state_dir::sync_parent(&self.path).map_err(failed)?;
        Ok(aside)
    }

    /// Removes a journal in which nothing is.
    pub fn discard(self) {
        let _ = state_dir::remove(&self.path);
    }
}

/// Whether an open file is the one that has this name now.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let open = file.metadata().map(place);
    open.is_ok_and(|open| std::fs::symlink_metadata(path).map(place).is_ok_and(|named| named == open))
}

/// What all journals in the state directory say, those put aside too; none without that directory.
///
/// # Errors
/// If one can't be read, or is no safe file.
pub fn journals(dir: &StateDir) -> Result<Vec<Past>, StateError> {
    let place = dir.path().join(PLACE);
    let failed = |error| StateError::new(&place, error);
    let entries = match std::fs::read_dir(&place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    paths.sort_unstable();
    let mut journals = Vec::new();
    for path in paths {
        let Some(file) = state_dir::open_read(&path)? else { continue };
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(|error| StateError::new(&path, error))?;
        journals.push(Past::of(&String::from_utf8_lossy(&text)));
    }
    Ok(journals)
}

impl Past {
    /// What the lines say; one that is no entry was torn by a crash.
    pub fn of(text: &str) -> Self {
        let mut past = Self::default();
        let mut open = None;
        for entry in text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()) {
            past.boot = entry.boot;
            match entry.event {
                Event::Begun(begun) => {
                    past = Self {
                        begun: Some(begun),
                        began_s: entry.time_s,
                        boot: past.boot,
                        ..Self::default()
                    };
                    open = None;
                }
                Event::Ladder(ladder) => past.ladder = Some(ladder),
                Event::Step { width, .. } => past.cut.extend(open.replace(width)),
                Event::Ended(step) => {
                    open = None;
                    past.steps.push(step);
                }
                Event::Stopped => open = None,
                Event::Resumed { domain } => {
                    past.cut.extend(open.take());
                    if let (Some(begun), Some(domain)) = (&mut past.begun, domain) {
                        begun.domain = domain;
                    }
                }
                Event::Closed { answer } => {
                    (past.closed, open) = (true, None);
                    past.answer = answer;
                }
            }
        }
        past.cut.extend(open);
        past
    }

    /// Something was begun and not closed.
    pub fn is_open(&self) -> bool {
        self.begun.is_some() && !self.closed
    }

    /// The width that was cut short too often to be tried again.
    pub fn deadly(&self) -> Option<u8> {
        self.cut.iter().copied().find(|width| self.cut.iter().filter(|cut| *cut == width).count() >= CUTS)
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
