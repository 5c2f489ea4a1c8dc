//! Lists of records: the one built in, directories, and what an administrator adds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::complaint::Complaint;
use super::lint::{self, InFile};
use super::parse;
use super::record::Record;

include!(concat!(env!("OUT_DIR"), "/compat.rs"));

/// Where an administrator puts records of the own hosts.
pub const LOCAL_DIR: &str = "etc/iova/compat.d";

/// No record is longer.
const MAX_BYTES: u64 = 64 << 10;

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The list that comes with `iova`.
    Shipped,
    /// The administrator, in [`LOCAL_DIR`].
    Local,
}

/// A record in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Who says it.
    pub origin: Origin,
    /// What.
    #[serde(flatten)]
    pub record: Record,
}

/// Records, by file name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// All of them.
    pub entries: Vec<Listed>,
}

/// A file's name (or path) and its text.
type File = (String, String);

impl List {
    /// The list that this program was built with. Tests keep it free of complaints; what had one would be left out.
    pub fn shipped() -> Self {
        let files = SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let records = files.filter_map(|(name, text)| parse::parse(&name, &text).ok());
        Self::of(records.map(|parsed| parsed.record), Origin::Shipped)
    }

    /// Every `*.toml` of a directory.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(dir: &Path) -> Result<Self, Vec<Complaint>> {
        lint_paths(&[dir.to_owned()]).map(|records| Self::of(records.into_iter(), Origin::Shipped))
    }

    /// The administrator's records; empty without that directory.
    ///
    /// # Errors
    /// Everything that is wrong with them: a quarantine that is not understood must not be passed over.
    pub fn local(root: &crate::kernel::Root) -> Result<Self, Vec<Complaint>> {
        let dir = root.path(LOCAL_DIR);
        if !dir.exists() {
            return Ok(Self::default());
        }
        lint_paths(&[dir]).map(|records| Self::of(records.into_iter(), Origin::Local))
    }

    fn of(records: impl Iterator<Item = Record>, origin: Origin) -> Self {
        Self { entries: records.map(|record| Listed { origin, record }).collect() }
    }

    /// This list and the local one; a local record stands in for the shipped one in a file of the same name.
    #[must_use]
    pub fn with_local(mut self, local: Self) -> Self {
        let names: BTreeSet<&str> = local.entries.iter().map(|entry| entry.record.id.as_str()).collect();
        self.entries.retain(|entry| !names.contains(entry.record.id.as_str()));
        drop(names);
        self.entries.extend(local.entries);
        self.entries.sort_by(|a, b| a.record.id.cmp(&b.record.id));
        self
    }

    /// The records alone.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.entries.iter().map(|entry| &entry.record)
    }
}

/// Checks files and directories (all `*.toml` in them): each record by itself, and all together.
///
/// # Errors
/// Every complaint, by file and line.
pub fn lint_paths(paths: &[PathBuf]) -> Result<Vec<Record>, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let files = files(paths, &mut complaints);
    let mut parsed = Vec::new();
    for (file, text) in &files {
        match parse::parse(file, text) {
            Ok(record) => parsed.push((file, record)),
            Err(more) => complaints.extend(more),
        }
    }
    let all: Vec<_> = parsed.iter().map(|(file, parsed)| InFile { file, parsed }).collect();
    complaints.extend(lint::together(&all));
    complaints.sort();
    if complaints.is_empty() {
        return Ok(parsed.into_iter().map(|(_, parsed)| parsed.record).collect());
    }
    Err(complaints)
}

/// The texts of files, and of those in directories, by path. What can't be read is a complaint.
fn files(paths: &[PathBuf], complaints: &mut Vec<Complaint>) -> Vec<File> {
    let mut wanted = BTreeSet::new();
    for path in paths {
        if !path.is_dir() {
            wanted.insert(path.clone());
            continue;
        }
        match fs::read_dir(path) {
            Ok(entries) => wanted.extend(entries.flatten().map(|entry| entry.path()).filter(is_record)),
            Err(error) => complaints.push(unreadable(path, &error.to_string())),
        }
    }
    let mut texts = Vec::new();
    for path in wanted {
        match text(&path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(error) => complaints.push(unreadable(&path, &error)),
        }
    }
    texts
}

#[expect(clippy::ptr_arg, reason = "a filter over owned paths")]
fn is_record(path: &PathBuf) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn text(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_BYTES {
        return Err(format!("it has {length} bytes, and no record has more than {MAX_BYTES}"));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

fn unreadable(path: &Path, error: &str) -> Complaint {
    Complaint {
        file: path.display().to_string(),
        line: 1,
        reason: format!("it can't be read ({error}): give a record's file, or a directory of them"),
    }
}
