//! Where state is kept on disk, and how it is written so that neither a crash nor a full disk nor a planted link hurts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The directory, unless `IOVA_STATE_DIR` names another.
const DEFAULT: &str = "/var/lib/iova";

/// The directory for the history and the persisted policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// Why state can't be read or written; each sentence says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not a directory that only its owner can write to.
    #[error(
        "{path} is not safe to keep state in ({why}): make it a directory of root with mode 700, or set IOVA_STATE_DIR to one"
    )]
    Unsafe {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The disk is full, or a quota.
    #[error(
        "no space is left for {path}: nothing was written and nothing is lost; free some space, then repeat"
    )]
    Full {
        /// Where.
        path: PathBuf,
    },
    /// Anything else.
    #[error(
        "{path}: {error}; state needs a writable directory (IOVA_STATE_DIR names another) and root's rights"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

impl StateError {
    pub(crate) fn new(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Self::Full { path },
            Some(libc::ELOOP) => Self::Unsafe { path, why: "it is a symbolic link" },
            _ => Self::Io { path, error },
        }
    }
}

impl Default for StateDir {
    /// `IOVA_STATE_DIR`, else `/var/lib/iova`.
    fn default() -> Self {
        let named = std::env::var_os("IOVA_STATE_DIR").filter(|name| !name.is_empty());
        Self(named.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from))
    }
}

impl StateDir {
    /// This directory, whether it exists or not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `name` in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes it if need be (mode 700), with the directory `sub` inside, and checks that nobody else can write there.
    pub(crate) fn prepare(&self, sub: Option<&str>) -> Result<PathBuf, StateError> {
        make(&self.0)?;
        let Some(sub) = sub else { return Ok(self.0.clone()) };
        let path = self.0.join(sub);
        make(&path)?;
        Ok(path)
    }
}

fn make(path: &Path) -> Result<(), StateError> {
    let failed = |error| StateError::new(path, error);
    let missing: Vec<_> = path.ancestors().take_while(|part| !part.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    // What will be written in a new directory is on disk only when the directory's name is.
    missing.into_iter().rev().try_for_each(sync_parent).map_err(failed)?;
    let meta = fs::symlink_metadata(path).map_err(|error| StateError::new(path, error))?;
    let unsafe_because = |why| Err(StateError::Unsafe { path: path.to_owned(), why });
    if meta.is_symlink() {
        return unsafe_because("it is a symbolic link");
    }
    if !meta.is_dir() {
        return unsafe_because("it is no directory");
    }
    // SAFETY: the call has no preconditions.
    let me = unsafe { libc::geteuid() };
    if meta.uid() != 0 && meta.uid() != me {
        return unsafe_because("it belongs to somebody else");
    }
    if meta.permissions().mode() & 0o022 != 0 {
        return unsafe_because("others can write there");
    }
    Ok(())
}

/// Opens a file for appending and reading, mode 600, never through a symbolic link.
pub(super) fn open_append(path: &Path) -> Result<File, StateError> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| StateError::new(path, error))?;
    check(&file, path)?;
    Ok(file)
}

/// Opens a file for reading; `None` if there is none.
pub(crate) fn open_read(path: &Path) -> Result<Option<File>, StateError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path);
    match opened {
        Ok(file) => check(&file, path).map(|()| Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::new(path, error)),
    }
}

/// A pipe or a device in the place of the file, or one that others can write to, is somebody's trap.
fn check(file: &File, path: &Path) -> Result<(), StateError> {
    let meta = file.metadata().map_err(|error| StateError::new(path, error))?;
    let unsafe_because = |why| Err(StateError::Unsafe { path: path.to_owned(), why });
    match (meta.is_file(), meta.permissions().mode() & 0o022) {
        (false, _) => unsafe_because("it is no regular file"),
        (true, 0) => Ok(()),
        (true, _) => unsafe_because("others can write to it"),
    }
}

/// Replaces a file in one step: after a crash it is either the old or the new one, whole.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let failed = |error| StateError::new(path, error);
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    // What a crash left behind under our process id.
    let _ = fs::remove_file(&temporary);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(failed)?;
    sync_parent(path).map_err(failed)
}

/// Removes a file for good; false if there was none.
pub(super) fn remove(path: &Path) -> Result<bool, StateError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path).map(|()| true).map_err(|error| StateError::new(path, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StateError::new(path, error)),
    }
}

/// The name of a file is on disk only when its directory is.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        None => Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
    }
}
