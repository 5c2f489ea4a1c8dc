//! File work where an interruption must never leave something that looks finished.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{paths, say};

/// Makes `dest` by letting `make` fill a directory under a temporary name and renaming it when done.
/// Call it with the resource's [`Lock`] held: leftovers of an interrupted run are removed.
pub(crate) fn make_dir(dest: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    forget_partial(dest);
    let partial = partial_name(dest)?;
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    if let Err(error) = make(&partial) {
        // Whatever is left is named partial; a failure to clean up must not hide the first error.
        let _ = remove_tree(&partial);
        return Err(error);
    }
    if dest.exists() {
        remove_tree(dest)?;
    }
    fs::rename(&partial, dest).with_context(|| format!("cannot rename {} into place", partial.display()))
}

/// Copies a file so that a reader sees the old content or the new, never half of it.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let partial = partial_name(to)?;
    let parent = to.parent().context("a path without a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    fs::copy(from, &partial)
        .with_context(|| format!("cannot copy {} to {}", from.display(), partial.display()))?;
    fs::rename(&partial, to).with_context(|| format!("cannot rename {} into place", partial.display()))
}

/// Whether both files can be read and are equal.
pub(crate) fn same_content(a: &Path, b: &Path) -> bool {
    matches!((fs::read(a), fs::read(b)), (Ok(a), Ok(b)) if a == b)
}

/// Points the symlink `link` at `to`, atomically.
pub(crate) fn relink(to: &Path, link: &Path) -> Result<()> {
    let partial = partial_name(link)?;
    std::os::unix::fs::symlink(to, &partial)?;
    fs::rename(&partial, link).with_context(|| format!("cannot point {} at {}", link.display(), to.display()))
}

/// Removes the `NAME-…` directories in `dir` that nobody has made or changed for a week: another xtask, perhaps of
/// another checkout, may still be using a younger one.
pub(crate) fn forget_old(dir: &Path, name: &str) -> Result<()> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let is_named =
            entry.file_name().to_str().and_then(|n| n.rsplit_once('-')).is_some_and(|(n, _)| n == name);
        let age =
            entry.metadata().and_then(|meta| meta.modified()).map(|time| time.elapsed().unwrap_or_default());
        if is_named && age.is_ok_and(|age| age > WEEK) {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// A directory of its own for whoever asks, not made yet: guests are packed side by side.
pub(crate) fn stage(name: &str) -> PathBuf {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("iova-{name}-{}-{number}", std::process::id()))
}

/// Removes a directory tree.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}; remove it by hand", dir.display()))
}

/// The name has our process id, so that what a killed run left writing (a tar, say) can't write into ours.
fn partial_name(dest: &Path) -> Result<PathBuf> {
    let name =
        dest.file_name().and_then(|n| n.to_str()).ok_or_else(|| anyhow!("no file name in {dest:?}"))?;
    Ok(dest.with_file_name(format!(".{name}.{}.partial", std::process::id())))
}

/// Removes what interrupted runs left of `dest`, as far as it lets itself be removed.
fn forget_partial(dest: &Path) {
    let (Some(parent), Some(name)) = (dest.parent(), dest.file_name().and_then(|n| n.to_str())) else {
        return;
    };
    let is_partial = |other: &str| other.starts_with(&format!(".{name}.")) && other.ends_with(".partial");
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_partial) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// All files below `dir`, sorted, without hidden ones, what a build left (its directory says so with
/// CACHEDIR.TAG), and without following symlinks.
pub(crate) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        if dir.join("CACHEDIR.TAG").exists() {
            continue;
        }
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                todo.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// An exclusive lock on one resource of the cache, released on drop or when the process ends in any way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock and says so if another xtask holds it.
    pub(crate) fn take(resource: &str) -> Result<Self> {
        let dir = paths::cache()?.join("locks");
        fs::create_dir_all(&dir)?;
        let path = dir.join(resource);
        let file = File::create(&path).with_context(|| format!("cannot open the lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say(format_args!("waiting for another xtask that works on {resource}"));
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => bail!("cannot lock {}: {error}", path.display()),
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_directory_is_there_whole_or_not_at_all() {
        let home = scratch("make-dir");
        let dest = home.join("thing");
        // As if a run had been killed half-way.
        fs::create_dir_all(home.join(".thing.1.partial/old")).unwrap();
        assert!(make_dir(&dest, |_| bail!("no network")).is_err());
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
        make_dir(&dest, |dir| Ok(fs::write(dir.join("file"), "")?)).unwrap();
        assert_eq!(files_below(&home).unwrap(), [dest.join("file")]);
        remove_tree(&home).unwrap();
    }

    #[test]
    fn what_a_build_left_is_no_source() {
        let home = scratch("files-below");
        for file in ["a.rs", "src/b.rs", ".git/c.rs", "target/d.rs", "target/CACHEDIR.TAG"] {
            let path = home.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(files_below(&home).unwrap(), [home.join("a.rs"), home.join("src/b.rs")]);
        remove_tree(&home).unwrap();
    }

    #[test]
    fn only_the_old_is_forgotten() {
        let home = scratch("forget-old");
        for name in ["m-old", "m-new", "other-old"] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
        for name in ["m-old", "other-old"] {
            File::open(home.join(name)).unwrap().set_modified(long_ago).unwrap();
        }
        forget_old(&home, "m").unwrap();
        let left = ["m-old", "m-new", "other-old"].map(|name| home.join(name).exists());
        remove_tree(&home).unwrap();
        assert_eq!(left, [false, true, true]);
    }
}
