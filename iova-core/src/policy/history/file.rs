//! The file.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use super::{Entry, merge};
use crate::kernel::Root;
use crate::policy::module::Record;
use crate::policy::state_dir::{self, StateDir, StateError};

const NAME: &str = "policy-history.jsonl";

/// The history on disk.
#[derive(Clone, Debug)]
pub struct History {
    dir: StateDir,
}

/// What the history holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// In the order they were written.
    pub entries: Vec<Entry>,
    /// Lines that are no entries: torn by a crash, edited, or of a later version of iova.
    pub unreadable: usize,
}

impl History {
    /// The history in this directory; nothing is opened or made yet.
    pub fn at(dir: StateDir) -> Self {
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.file(NAME)
    }

    /// Everything in it; empty if there is none yet.
    ///
    /// # Errors
    /// If it can't be read, or is no safe file.
    pub fn read(&self) -> Result<Past, StateError> {
        let path = self.path();
        let Some(file) = state_dir::open_read(&path)? else { return Ok(Past::default()) };
        let _lock = Lock::take(&file, libc::LOCK_SH, &path)?;
        parse(&file, &path)
    }

    /// Appends the tool's own entry, on disk when this returns.
    ///
    /// # Errors
    /// `Full` on a full disk: then the file is as before, and the entry is still in the caller's hands.
    pub fn append(&self, entry: &Entry) -> Result<(), StateError> {
        self.write(|_| vec![entry.clone()]).map(|_| ())
    }

    /// Appends the records that are not in it yet, and the gaps between; gives the number of new lines.
    ///
    /// # Errors
    /// As [`Self::append`]; the module still has the records, so the next merge finds them.
    pub fn merge(&self, root: &Root, records: &[Record]) -> Result<usize, StateError> {
        if records.is_empty() {
            return Ok(0);
        }
        let boot = super::entry::boot_id(root);
        self.write(|past| merge::new_entries(past, &boot, records))
    }

    fn write(&self, entries: impl FnOnce(&[Entry]) -> Vec<Entry>) -> Result<usize, StateError> {
        self.dir.prepare(None)?;
        let path = self.path();
        let file = state_dir::open_append(&path)?;
        // Two processes may merge the same records: the second one has to see what the first one wrote.
        let _lock = Lock::take(&file, libc::LOCK_EX, &path)?;
        let past = parse(&file, &path)?;
        let new = entries(&past.entries);
        if new.is_empty() {
            return Ok(0);
        }
        append_lines(&file, &path, &new)?;
        Ok(new.len())
    }
}

/// All lines or none: what a full disk cut off is taken back.
fn append_lines(mut file: &File, path: &Path, entries: &[Entry]) -> Result<(), StateError> {
    let failed = |error| StateError::new(path, error);
    let before = file.seek(SeekFrom::End(0)).map_err(failed)?;
    let mut text = Vec::new();
    if before > 0 && !ends_with_newline(file, before).map_err(failed)? {
        // A torn last line ends here, so that it spoils only itself.
        text.push(b'\n');
    }
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
    }
    let written = file.write_all(&text).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = file.set_len(before);
        return Err(failed(error));
    }
    Ok(())
}

fn ends_with_newline(mut file: &File, length: u64) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn parse(file: &File, path: &Path) -> Result<Past, StateError> {
    let mut bytes = Vec::new();
    let mut file = file;
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
    read.map_err(|error| StateError::new(path, error))?;
    let mut past = Past::default();
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice(line) {
            Ok(entry) => past.entries.push(entry),
            Err(_) => past.unreadable += 1,
        }
    }
    Ok(past)
}

/// Held until dropped; the kernel drops it with the process.
struct Lock<'a>(&'a File);

impl<'a> Lock<'a> {
    fn take(file: &'a File, how: i32, path: &Path) -> Result<Self, StateError> {
        loop {
            // SAFETY: an open descriptor.
            if unsafe { libc::flock(file.as_raw_fd(), how) } == 0 {
                return Ok(Self(file));
            }
            let error = std::io::Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(StateError::new(path, error));
            }
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // SAFETY: an open descriptor.
        unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_UN) };
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
