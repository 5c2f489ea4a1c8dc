//! Reading a disk by two paths: past the cache into our memory, and through the cache into the kernel's. Both, and what
//! was read at 32 bits, must be the same.

use super::buffer::Buffer;
use super::{STREAMS, Shared};
use iova_core::kernel::Root;
use iova_core::policy::verify::stamp;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How much of the disk is read.
const REGION: u64 = 64 << 20;
/// At once.
const CHUNK: usize = 128 << 10;

const POISON: u8 = 0xa5;

/// Checksums of what was read first, by offset.
#[derive(Debug, Default)]
pub(super) struct Reference(Mutex<HashMap<u64, u32>>);

impl Reference {
    /// Whether it is what was read there before; the first time it is.
    fn agrees(&self, offset: u64, bytes: &[u8]) -> bool {
        let sum = stamp::sum(bytes);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(offset).or_insert(sum) == sum
    }
}

pub(super) fn streams(
    root: &Root,
    disk: &str,
    reference: Option<&Arc<Reference>>,
    shared: &Arc<Shared>,
) -> Vec<JoinHandle<Result<(), String>>> {
    let path = root.path(format!("dev/{disk}"));
    let sectors = root.number(format!("sys/class/block/{disk}/size")).unwrap_or(0);
    let chunks = sectors.saturating_mul(512).min(REGION) / CHUNK as u64;
    let spawn = |stream: u64| {
        let (path, reference, shared) = (path.clone(), reference.cloned(), shared.clone());
        std::thread::spawn(move || Reader { path, reference, shared }.run(stream, chunks))
    };
    (0..STREAMS as u64).map(spawn).collect()
}

struct Reader {
    path: PathBuf,
    reference: Option<Arc<Reference>>,
    shared: Arc<Shared>,
}

impl Reader {
    /// Every eighth chunk, again and again.
    fn run(&self, stream: u64, chunks: u64) -> Result<(), String> {
        if chunks == 0 {
            return Err(format!("{} is too small to be read", self.path.display()));
        }
        let direct = open(&self.path, libc::O_DIRECT)?;
        let cached = open(&self.path, 0)?;
        let (mut one, mut other) = (Buffer::new(CHUNK), Buffer::new(CHUNK));
        loop {
            for chunk in (stream..chunks).step_by(STREAMS) {
                if self.shared.is_stopped() {
                    return Ok(());
                }
                self.compare((&direct, &mut one), (&cached, &mut other), chunk * CHUNK as u64)?;
            }
            self.shared.passed();
            if !self.shared.goes_on() {
                return Ok(());
            }
        }
    }

    fn compare(
        &self,
        one: (&File, &mut Buffer),
        other: (&File, &mut Buffer),
        offset: u64,
    ) -> Result<(), String> {
        let failed = |error| format!("reading {} at {offset}: {error}", self.path.display());
        // What does not arrive must not look like what was read before.
        one.1.fill(POISON);
        other.1.fill(POISON);
        one.0.read_exact_at(one.1, offset).map_err(failed)?;
        forget(other.0, offset);
        other.0.read_exact_at(other.1, offset).map_err(failed)?;
        self.shared.moved(2 * CHUNK);
        if one.1[..] != other.1[..] {
            return Err(format!(
                "{} at {offset}: two reads of the same {CHUNK} bytes differ",
                self.path.display()
            ));
        }
        if self.reference.as_ref().is_some_and(|reference| !reference.agrees(offset, one.1)) {
            return Err(format!(
                "{} at {offset}: {CHUNK} bytes are not those that were read there before",
                self.path.display()
            ));
        }
        Ok(())
    }
}

fn open(path: &Path, flags: i32) -> Result<File, String> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_CLOEXEC | flags).open(path);
    opened.map_err(|error| format!("{}: {error}", path.display()))
}

/// Takes a range out of the cache, so that the next read of it comes from the disk.
fn forget(file: &File, offset: u64) {
    let (Ok(offset), Ok(length)) = (libc::off_t::try_from(offset), libc::off_t::try_from(CHUNK)) else {
        return;
    };
    // SAFETY: an open descriptor, no pointers.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), offset, length, libc::POSIX_FADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_once_is_what_must_come_again() {
        let reference = Reference::default();
        assert!(reference.agrees(0, b"abc") && reference.agrees(0, b"abc"));
        assert!(!reference.agrees(0, b"abd") && reference.agrees(4096, b"abd"));
    }
}
