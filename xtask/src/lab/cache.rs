//! A disk whose cache forgets: when the power goes, what the guest has not flushed may be lost, or half of it.
//!
//! QEMU's filter blklogwrites notes every write and every flush in order, in the format of the kernel's dm-log-writes
//! (Documentation/admin-guide/device-mapper/log-writes.rst). After a cut the disk is put together anew: what it held
//! before, all that was written before the last flush, and of the rest what chance leaves.

use std::fmt;
use std::fs::File;
use std::ops::{AddAssign, Range};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use iova_guest::random::Random;

use super::fds;

/// As blklogwrites counts.
const SECTOR: usize = 512;
/// First word of a log.
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
/// Written through the cache.
const FUA: u64 = 2;
const DISCARD: u64 = 4;
/// Of a guest's ext4: written whole or not at all. A torn one can't be mounted, since its checksum is looked at before the
/// journal is (fs/ext4/super.c, `ext4_init_metadata_csum`, 6.12); a host repairs it with fsck, and a disk whose sectors have
/// 4 KiB doesn't tear it.
const SUPERBLOCK: Range<usize> = 1024..2048;
/// Sparse.
const LOG_BYTES: u64 = 1 << 30;

/// The disk, and what it held at the start of this boot.
pub(crate) struct Forgetful {
    file: Arc<File>,
    content: Vec<u8>,
}

/// What became of the writes since the last flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Writes that were flushed, and so are all there.
    pub(crate) flushed: usize,
    /// Writes that were not.
    pub(crate) unflushed: usize,
    /// Of these, those that are lost, and those of which only the first sectors are left.
    pub(crate) lost: usize,
    pub(crate) torn: usize,
}

impl AddAssign for Lost {
    fn add_assign(&mut self, more: Self) {
        self.flushed += more.flushed;
        self.unflushed += more.unflushed;
        self.lost += more.lost;
        self.torn += more.torn;
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flushed, unflushed, lost, torn } = self;
        write!(f, "{flushed} flushed writes, and of {unflushed} others {lost} lost and {torn} torn")
    }
}

/// A line of the log.
struct Entry {
    flags: u64,
    at: usize,
    data: Vec<u8>,
}

impl Entry {
    /// How many sectors are left of a write that ends after so many.
    fn torn(&self, sectors: usize) -> usize {
        let end = self.at + sectors * SECTOR;
        if end > SUPERBLOCK.start && end < SUPERBLOCK.end {
            return (self.data.len().min(SUPERBLOCK.end - self.at)) / SECTOR;
        }
        sectors
    }
}

impl Forgetful {
    pub(crate) fn new(file: File) -> Result<Self> {
        let length = usize::try_from(file.metadata()?.len())?;
        let mut content = vec![0; length];
        file.read_exact_at(&mut content, 0).context("reading a guest's disk")?;
        Ok(Self { file: Arc::new(file), content })
    }

    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// An empty log for the next boot.
    pub(crate) fn log() -> Result<Arc<File>> {
        Ok(Arc::new(fds::disk(LOG_BYTES)?))
    }

    /// What a boot in good order has left is all there.
    pub(crate) fn keep(&mut self) -> Result<()> {
        self.file.read_exact_at(&mut self.content, 0).context("reading a guest's disk")
    }

    /// The power has gone.
    pub(crate) fn forget(&mut self, log: &File, random: &mut Random) -> Result<Lost> {
        let Some(entries) = read(log)? else {
            self.keep()?;
            return Ok(Lost::default());
        };
        let last = entries.iter().rposition(|entry| entry.flags & FLUSH != 0).map_or(0, |last| last + 1);
        let mut lost = Lost::default();
        for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.data.is_empty()) {
            let sectors = entry.data.len() / SECTOR;
            let kept = if index < last || entry.flags & FUA != 0 {
                lost.flushed += 1;
                sectors
            } else {
                lost.unflushed += 1;
                [0, entry.torn(random.below(sectors)), sectors][random.below(3)]
            };
            lost.lost += usize::from(kept == 0);
            lost.torn += usize::from(kept > 0 && kept < sectors);
            let bytes = kept * SECTOR;
            let place = self.content.get_mut(entry.at..entry.at + bytes).context("a write behind the end")?;
            place.copy_from_slice(&entry.data[..bytes]);
        }
        self.file.write_all_at(&self.content, 0).context("putting a guest's disk together")?;
        Ok(lost)
    }
}

/// Everything in a log, in order; `None` if one entry was still on its way while a later one was not, so that nobody
/// knows where that begins. A disk that has lost nothing is one that there may be, too.
fn read(log: &File) -> Result<Option<Vec<Entry>>> {
    let mut head = [0; SECTOR];
    log.read_exact_at(&mut head, 0)?;
    // Nothing was written at all.
    if head == [0; SECTOR] {
        return Ok(Some(Vec::new()));
    }
    if word(&head, 0) != MAGIC || word(&head, 1) != 1 {
        bail!("the log of a guest's disk has another format than this QEMU's used to have");
    }
    let mut at = SECTOR as u64;
    (0..word(&head, 2)).map(|_| entry(log, &mut at)).collect::<Result<Option<_>>>()
}

/// The entry at an offset, which is moved behind it; `None` if there is none.
fn entry(log: &File, at: &mut u64) -> Result<Option<Entry>> {
    let mut head = [0; SECTOR];
    log.read_exact_at(&mut head, *at)?;
    let (sector, sectors, flags) = (word(&head, 0), word(&head, 1), word(&head, 2));
    if (sectors, flags) == (0, 0) {
        return Ok(None);
    }
    let length = if flags & DISCARD == 0 { usize::try_from(sectors)? * SECTOR } else { 0 };
    let mut data = vec![0; length];
    log.read_exact_at(&mut data, *at + SECTOR as u64)?;
    *at += (SECTOR + length) as u64;
    Ok(Some(Entry { flags, at: usize::try_from(sector)? * SECTOR, data }))
}

/// A little-endian word by its number.
fn word(bytes: &[u8], number: usize) -> u64 {
    let bytes = bytes.get(8 * number..8 * number + 8).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of writes of one sector (place, byte), and of flushes.
    fn log(entries: &[Option<(u64, u8)>]) -> File {
        let mut bytes = vec![0; SECTOR];
        for (number, value) in [MAGIC, 1, entries.len() as u64].into_iter().enumerate() {
            bytes[8 * number..][..8].copy_from_slice(&value.to_le_bytes());
        }
        for entry in entries {
            let mut head = [0; SECTOR];
            match entry {
                None => head[16] = 1,
                Some((place, _)) => (head[0], head[8]) = (*place as u8, 1),
            }
            bytes.extend(head);
            bytes.extend(entry.map(|(_, byte)| [byte; SECTOR]).into_iter().flatten());
        }
        let file = fds::disk(1 << 20).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file
    }

    #[test]
    fn what_was_flushed_stays_and_the_rest_may_go() {
        let written = log(&[Some((0, 1)), Some((1, 1)), None, Some((0, 2)), Some((2, 2))]);
        let (mut kept, mut gone) = (0, 0);
        for seed in 1..=20 {
            let mut disk = Forgetful::new(fds::disk(4 * SECTOR as u64).unwrap()).unwrap();
            let lost = disk.forget(&written, &mut Random::new(seed)).unwrap();
            assert_eq!((lost.flushed, lost.unflushed, lost.torn), (2, 2, 0));
            let mut now = [0; 4 * SECTOR];
            disk.file().read_exact_at(&mut now, 0).unwrap();
            assert_eq!((now[SECTOR], now[3 * SECTOR]), (1, 0));
            assert!([1, 2].contains(&now[0]), "the older of two writes to a place was flushed");
            (kept, gone) = (kept + usize::from(now[2 * SECTOR] == 2), gone + lost.lost);
        }
        assert!((1..20).contains(&kept) && (1..40).contains(&gone), "{kept} {gone}");
    }

    #[test]
    fn a_superblock_is_whole_or_old() {
        let write = |at: usize, sectors: usize| Entry { flags: 0, at, data: vec![1; sectors * SECTOR] };
        assert_eq!([0, 1].map(|kept| write(1024, 2).torn(kept)), [0, 2], "blocks of 1 KiB");
        assert_eq!([1, 2, 3, 4, 5].map(|kept| write(0, 8).torn(kept)), [1, 2, 4, 4, 5], "blocks of 4 KiB");
        assert_eq!([0, 1, 7].map(|kept| write(4096, 8).torn(kept)), [0, 1, 7]);
    }

    #[test]
    fn an_empty_log_changes_nothing() {
        let mut disk = Forgetful::new(fds::disk(SECTOR as u64).unwrap()).unwrap();
        let lost = disk.forget(&fds::disk(1 << 20).unwrap(), &mut Random::new(1)).unwrap();
        assert_eq!(lost, Lost::default());
        assert!(disk.forget(&log(&[Some((9, 1)), None]), &mut Random::new(1)).is_err());
    }
}
