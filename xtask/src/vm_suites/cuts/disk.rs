//! The disk that is verified: known bytes, and a partition that may be overwritten.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use iova_guest::cuts::{PARTITIONS, Partition, SECTOR, partition_table};
use iova_guest::random::Random;

use crate::lab;

/// The disk, and what it held at first.
pub(super) struct Disk {
    file: Arc<File>,
    content: Vec<u8>,
}

/// The partition that may be written to, in bytes.
fn scratch() -> std::ops::Range<usize> {
    let Partition { first, sectors } = PARTITIONS[1];
    let bytes = |sector: u32| sector as usize * SECTOR;
    bytes(first)..bytes(first + sectors)
}

impl Disk {
    /// Chance of a seed, under a partition table.
    pub(super) fn new(seed: u64) -> Result<Self> {
        let [.., Partition { first, sectors }] = PARTITIONS;
        // One MiB behind the last partition belongs to nobody.
        let length = (first + sectors) as usize * SECTOR + (1 << 20);
        let mut random = Random::new(seed);
        let mut content = Vec::with_capacity(length);
        while content.len() < length {
            content.extend(random.next().to_le_bytes());
        }
        content[..SECTOR].copy_from_slice(&partition_table(&PARTITIONS));
        let file = lab::anonymous_disk(length as u64)?;
        file.write_all_at(&content, 0).context("filling the disk that is verified")?;
        Ok(Self { file: Arc::new(file), content })
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Compares every byte outside the scratch partition; one sentence if one is not as it was.
    pub(super) fn changed(&self) -> Result<Option<String>> {
        let mut now = vec![0; self.content.len()];
        self.file.read_exact_at(&mut now, 0).context("reading the disk that is verified")?;
        let scratch = scratch();
        for part in [0..scratch.start, scratch.end..now.len()] {
            let (was, is) = (&self.content[part.clone()], &now[part.clone()]);
            if was != is {
                let at = was.iter().zip(is).position(|(was, is)| was != is).unwrap_or(0) + part.start;
                return Ok(Some(format!(
                    "byte {at} of the disk has changed; only {} to {} may be written",
                    scratch.start, scratch.end
                )));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_outside_the_scratch_partition_is_seen() {
        let disk = Disk::new(1).unwrap();
        assert_eq!(disk.changed().unwrap(), None);
        let scratch = scratch();
        for at in [scratch.start, scratch.end - 1] {
            disk.file.write_all_at(b"\0\xff\0\xff", at as u64 & !3).unwrap();
            assert_eq!(disk.changed().unwrap(), None, "byte {at} may be written");
        }
        for at in [0, scratch.start - 1, scratch.end, disk.content.len() - 1] {
            let was = disk.content[at];
            disk.file.write_all_at(&[was ^ 1], at as u64).unwrap();
            assert!(disk.changed().unwrap().is_some_and(|what| what.contains(&format!("byte {at} "))));
            disk.file.write_all_at(&[was], at as u64).unwrap();
        }
        assert_eq!(disk.changed().unwrap(), None);
    }
}
