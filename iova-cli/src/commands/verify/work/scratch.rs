//! Stamped blocks on a partition that holds nothing: written past the cache, read back past it, in parallel.

use super::buffer::Buffer;
use super::{STREAMS, Shared};
use iova_core::kernel::Root;
use iova_core::policy::verify::stamp;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// How much of the partition is used at most.
const REGION: u64 = 256 << 20;
/// At once.
const CHUNK: usize = 128 << 10;

pub(super) fn streams(
    root: &Root,
    name: &str,
    sectors: u64,
    seed: u64,
    shared: &Arc<Shared>,
) -> Vec<JoinHandle<Result<(), String>>> {
    let path = root.path(format!("dev/{name}"));
    let chunks = sectors.saturating_mul(512).min(REGION) / CHUNK as u64;
    // Whoever mounts it or builds on it wants it for himself, so this fails if anybody has.
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_DIRECT | libc::O_EXCL | libc::O_CLOEXEC)
        .open(&path);
    let file = match opened {
        Ok(file) => Arc::new(file),
        Err(error) => {
            let why = format!("{}: {error}", path.display());
            return vec![std::thread::spawn(move || Err(why))];
        }
    };
    let spawn = |stream: u64| {
        let (path, file, shared) = (path.clone(), file.clone(), shared.clone());
        std::thread::spawn(move || Writer { path, file, shared, seed }.run(stream, chunks))
    };
    (0..STREAMS as u64).map(spawn).collect()
}

struct Writer {
    path: PathBuf,
    file: Arc<File>,
    shared: Arc<Shared>,
    seed: u64,
}

impl Writer {
    /// Every eighth chunk: all are written, then all are read.
    fn run(&self, stream: u64, chunks: u64) -> Result<(), String> {
        if chunks < STREAMS as u64 {
            return Err(format!(
                "{} is smaller than 1 MiB, so 8 streams have no room on it",
                self.path.display()
            ));
        }
        let mut buffer = Buffer::new(CHUNK);
        for pass in 0.. {
            let seed = self.seed.wrapping_add(pass << 32);
            for chunk in (stream..chunks).step_by(STREAMS) {
                if self.shared.is_stopped() {
                    return Ok(());
                }
                self.write(&mut buffer, seed, chunk * CHUNK as u64)?;
            }
            for chunk in (stream..chunks).step_by(STREAMS) {
                if self.shared.is_stopped() {
                    return Ok(());
                }
                self.read(&mut buffer, seed, chunk * CHUNK as u64)?;
            }
            self.shared.passed();
            if !self.shared.goes_on() {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, buffer: &mut Buffer, seed: u64, offset: u64) -> Result<(), String> {
        for (place, block) in places(offset).zip(buffer.chunks_mut(stamp::BLOCK)) {
            stamp::fill(block, seed, place);
        }
        let written = self.file.write_all_at(buffer, offset);
        self.shared.moved(CHUNK);
        written.map_err(|error| format!("writing {} at {offset}: {error}", self.path.display()))
    }

    fn read(&self, buffer: &mut Buffer, seed: u64, offset: u64) -> Result<(), String> {
        // What does not arrive must not look like what was written.
        buffer.fill(0);
        let read = self.file.read_exact_at(buffer, offset);
        read.map_err(|error| format!("reading {} at {offset}: {error}", self.path.display()))?;
        self.shared.moved(CHUNK);
        let mut blocks = places(offset).zip(buffer.chunks(stamp::BLOCK));
        match blocks.find(|(place, block)| !stamp::is_right(block, seed, *place)) {
            None => Ok(()),
            Some((place, _)) => Err(format!(
                "{}: the block at {} is not the one that was written there",
                self.path.display(),
                place * stamp::BLOCK as u64
            )),
        }
    }
}

/// Numbers of the blocks from an offset on.
fn places(offset: u64) -> impl Iterator<Item = u64> {
    offset / stamp::BLOCK as u64..
}
