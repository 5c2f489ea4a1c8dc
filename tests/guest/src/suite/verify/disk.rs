//! The disk: an honest device, and one that holds something.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use iova_guest::cuts::{Partition, SECTOR, partition_table};

use super::answer;
use crate::Outcome;
use crate::policy::device::{self, NVME, PATIENCE};
use crate::robust::run::ask;

pub(super) const DISK: &str = "/dev/nvme0n1";
pub(super) const SCRATCH: &str = "/dev/nvme0n1p2";
const PARTITIONS: [Partition; 2] =
    [Partition { first: 2048, sectors: 32 << 10 }, Partition { first: 64 << 10, sectors: 32 << 10 }];
/// BLKRRPART, include/uapi/linux/fs.h.
const REREAD: libc::Ioctl = 0x125f;

pub(super) fn honest() -> Result<Outcome> {
    device::module()?;
    // A disk full of zeros looks the same wherever it is read.
    appears(DISK)?;
    let disk = disk()?;
    (0..64).try_for_each(|mib| disk.write_all_at(&content(mib), mib << 20))?;
    drop(disk);
    let record = answer::verify(NVME, 0, &[])?;
    println!("# {}", record["sentence"]);
    answer::is_whole(&record)?;
    for step in record["steps"].as_array().context("no steps")? {
        ensure!(step["work"]["bytes"].as_u64() >= Some(128 << 20), "a step moved {}", step["work"]["bytes"]);
    }
    appears(DISK)?;
    Ok(Outcome::Passed)
}

pub(super) fn appears(path: &str) -> Result<()> {
    let start = Instant::now();
    while !Path::new(path).exists() {
        ensure!(start.elapsed() < PATIENCE, "{path} does not appear");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(())
}

fn disk() -> Result<File> {
    Ok(OpenOptions::new().read(true).write(true).custom_flags(libc::O_SYNC).open(DISK)?)
}

/// A table of two partitions, and something in all that is not the second.
fn divide() -> Result<()> {
    appears(DISK)?;
    let disk = disk()?;
    disk.write_all_at(&partition_table(&PARTITIONS), 0)?;
    for (first, last) in around() {
        (first..last).try_for_each(|mib| disk.write_all_at(&content(mib), mib << 20))?;
    }
    // SAFETY: no pointers.
    let read = unsafe { libc::ioctl(disk.as_raw_fd(), REREAD) };
    ensure!(read == 0, "reading the table: {}", std::io::Error::last_os_error());
    drop(disk);
    appears(SCRATCH)
}

/// MiB before and behind the second partition, as far as it could be missed.
fn around() -> [(u64, u64); 2] {
    let mib = |sectors: u32| u64::from(sectors) / 2048;
    let Partition { first, sectors } = PARTITIONS[1];
    [(1, mib(first)), (mib(first + sectors), mib(first + sectors) + 64)]
}

fn content(mib: u64) -> Vec<u8> {
    (0..1 << 20).map(|index: u64| (index.wrapping_mul(31).wrapping_add(mib * 7) % 251) as u8).collect()
}

/// With --scratch, nothing but that partition is written, and that it is; and whatever is no such partition is refused.
pub(super) fn scratch() -> Result<Outcome> {
    device::module()?;
    divide()?;
    for wrong in [DISK, "/dev/nvme0n1p3", "/dev/null"] {
        ask(&["verify", NVME.0, "--scratch", wrong])?.code(2)?;
    }
    let record = answer::verify(NVME, 0, &["--scratch", SCRATCH, "--to", "38"])?;
    println!("# {}", record["sentence"]);
    appears(SCRATCH)?;
    let (disk, mut read) = (disk()?, vec![0; 1 << 20]);
    for (first, last) in around() {
        for mib in first..last {
            disk.read_exact_at(&mut read, mib << 20)?;
            ensure!(read == content(mib), "MiB {mib} of the disk has changed");
        }
    }
    disk.read_exact_at(&mut read, u64::from(PARTITIONS[1].first) * SECTOR as u64)?;
    ensure!(read.iter().any(|byte| *byte != 0), "the scratch partition was not written");
    Ok(Outcome::Passed)
}
