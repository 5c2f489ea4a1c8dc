//! I/O on the NVMe disk that proves itself: several threads write stamped blocks and read them back, past every cache,
//! in sizes up to what one command of the controller carries.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use iova_guest::random::Random;

use super::device::PATIENCE;
use crate::Outcome;

const DISK: &str = "/dev/nvme0n1";
/// What a stamp covers, and the least that is written.
const BLOCK: usize = 4096;
/// The largest request: the emulated controller takes 512 KiB at once (mdts 7).
const LARGEST: usize = 512 << 10;
/// Sizes of requests, small ones more often.
const SIZES: [usize; 8] = [4 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10, LARGEST];
/// Each thread's own part of the disk. The disk is memory of the host.
const PART: usize = 8 << 20;

/// After a request a thread rests so many times as long as that took, so that whoever changes the policy gets to work: without,
/// everything beside the load takes three times as long.
const REST: u32 = 2;
const LONGEST_REST: Duration = Duration::from_millis(50);

/// Requests that a load makes at least: reads and writes are even, so that there are 100 of each.
const LEAST: u64 = 300;

/// What a load came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) reads: u64,
    pub(super) writes: u64,
    /// Requests that the kernel failed.
    pub(super) failed: u64,
    /// Blocks that came back other than they were written.
    pub(super) wrong: u64,
}

/// Threads at work until [`Load::stop`], or until this is dropped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    /// Requests that are done.
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<Tally>>>,
}

impl Load {
    pub(super) fn start(threads: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let spawn = |index| {
            let (stop, done) = (stop.clone(), done.clone());
            std::thread::spawn(move || Worker::new(index)?.run(&stop, &done))
        };
        Self { threads: (0..threads).map(spawn).collect(), stop, done }
    }

    /// Requests that are done.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Lets every thread end its request, and read its part once more as a whole; not before something was done.
    pub(super) fn stop(mut self) -> Result<Tally> {
        let start = Instant::now();
        while self.done.load(Relaxed) < LEAST && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.join()
    }

    fn join(&mut self) -> Result<Tally> {
        self.stop.store(true, Relaxed);
        let mut sum = Tally::default();
        for thread in self.threads.drain(..) {
            sum.add(thread.join().map_err(|_| anyhow!("a thread of the I/O load panicked"))??);
        }
        Ok(sum)
    }
}

impl Drop for Load {
    /// Waits too: what it still wrote would be wrong for the next one.
    fn drop(&mut self) {
        let _ = self.join();
    }
}

impl Tally {
    fn add(&mut self, more: Self) {
        self.reads += more.reads;
        self.writes += more.writes;
        self.failed += more.failed;
        self.wrong += more.wrong;
    }

    /// Nothing failed, everything came back as it was written, and there was something.
    pub(super) fn is_clean(&self) -> Result<()> {
        println!("# I/O: {} writes, {} reads, all compared", self.writes, self.reads);
        ensure!(self.failed == 0, "{} requests failed", self.failed);
        ensure!(self.wrong == 0, "{} blocks came back wrong", self.wrong);
        ensure!(
            self.reads > 100 && self.writes > 100,
            "only {} reads and {} writes",
            self.reads,
            self.writes
        );
        Ok(())
    }
}

/// The load itself: it finds the one block that somebody else has written, and nothing else.
pub(super) fn load_finds_a_wrong_block() -> Result<Outcome> {
    let honest = Load::start(2);
    honest.stop()?.is_clean()?;

    let mut worker = Worker::new(0)?;
    worker.write(0, LARGEST);
    stamp(worker.buffer.bytes(BLOCK), 7, 2);
    worker.disk.write_all_at(worker.buffer.bytes(BLOCK), 7 * BLOCK as u64)?;
    worker.read(0, LARGEST);
    ensure!(worker.tally.wrong == 1, "one block is wrong, but {} were found", worker.tally.wrong);
    ensure!(worker.tally.failed == 0, "{} requests failed", worker.tally.failed);
    Ok(Outcome::Passed)
}

struct Worker {
    disk: File,
    start: u64,
    buffer: Aligned,
    /// How often each block was written; 0: never.
    written: Vec<u32>,
    random: Random,
    tally: Tally,
}

impl Worker {
    fn new(index: usize) -> Result<Self> {
        let mut options = File::options();
        let disk = options.read(true).write(true).custom_flags(libc::O_DIRECT).open(DISK);
        Ok(Self {
            disk: disk.with_context(|| format!("opening {DISK}"))?,
            start: (index * PART) as u64,
            buffer: Aligned::new(),
            written: vec![0; PART / BLOCK],
            random: Random::new(index as u64 + 1),
            tally: Tally::default(),
        })
    }

    fn run(mut self, stop: &AtomicBool, done: &AtomicU64) -> Result<Tally> {
        while !stop.load(Relaxed) {
            let start = Instant::now();
            let size = SIZES[self.random.below(SIZES.len())];
            let first = self.random.below((PART - size) / BLOCK + 1);
            if self.random.below(2) == 0 {
                self.write(first, size)
            } else {
                self.read(first, size)
            }
            done.fetch_add(1, Relaxed);
            std::thread::sleep((start.elapsed() * REST).min(LONGEST_REST));
        }
        for first in (0..PART / BLOCK).step_by(LARGEST / BLOCK) {
            self.read(first, LARGEST);
        }
        Ok(self.tally)
    }

    fn write(&mut self, first: usize, size: usize) {
        let blocks = first..first + size / BLOCK;
        for (block, bytes) in blocks.clone().zip(self.buffer.bytes(size).chunks_exact_mut(BLOCK)) {
            stamp(bytes, self.start + block as u64, self.written[block] + 1);
        }
        match self.disk.write_all_at(self.buffer.bytes(size), self.start + (first * BLOCK) as u64) {
            Ok(()) => {
                self.tally.writes += 1;
                blocks.for_each(|block| self.written[block] += 1);
            }
            Err(error) => self.failure("write", first, &error),
        }
    }

    fn read(&mut self, first: usize, size: usize) {
        // What was there must not pass for what was read.
        self.buffer.bytes(size).fill(0xee);
        let at = self.start + (first * BLOCK) as u64;
        if let Err(error) = self.disk.read_exact_at(self.buffer.bytes(size), at) {
            return self.failure("read", first, &error);
        }
        self.tally.reads += 1;
        for (block, bytes) in (first..).zip(self.buffer.bytes(size).chunks_exact(BLOCK)) {
            let times = self.written[block];
            if times > 0 && !is_stamped(bytes, self.start + block as u64, times) {
                self.tally.wrong += 1;
                println!("# block {block} of the part at {:#x} is not its version {times}", self.start);
            }
        }
    }

    fn failure(&mut self, what: &str, block: usize, error: &std::io::Error) {
        self.tally.failed += 1;
        println!("# {what} of block {block} of the part at {:#x}: {error}", self.start);
    }
}

/// Fills a block with words that only this version of this block has, and a checksum of them.
fn stamp(bytes: &mut [u8], block: u64, times: u32) {
    let mut random = Random::new(block << 20 ^ u64::from(times));
    let mut sum = 0;
    let (body, last) = bytes.split_at_mut(BLOCK - 8);
    for word in body.chunks_exact_mut(8) {
        let value = random.next();
        sum = checksum(sum, value);
        word.copy_from_slice(&value.to_le_bytes());
    }
    last.copy_from_slice(&sum.to_le_bytes());
}

fn is_stamped(bytes: &[u8], block: u64, times: u32) -> bool {
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let (body, last) = bytes.split_at(BLOCK - 8);
    let sum = body.chunks_exact(8).map(word).fold(0, checksum);
    let first = Random::new(block << 20 ^ u64::from(times)).next();
    word(&body[..8]) == first && word(last) == sum
}

fn checksum(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x100_0000_01b3).rotate_left(17)
}

/// Memory as `O_DIRECT` wants it.
struct Aligned(*mut u8);

impl Aligned {
    const LAYOUT: Layout = match Layout::from_size_align(LARGEST, BLOCK) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    fn new() -> Self {
        // SAFETY: the layout has a size.
        let start = unsafe { alloc_zeroed(Self::LAYOUT) };
        assert!(!start.is_null(), "no memory for a buffer");
        Self(start)
    }

    fn bytes(&mut self, size: usize) -> &mut [u8] {
        assert!(size <= LARGEST);
        // SAFETY: the memory is ours alone, initialised, and as long as the layout says.
        unsafe { std::slice::from_raw_parts_mut(self.0, size) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.0, Self::LAYOUT) };
    }
}
