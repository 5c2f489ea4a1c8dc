//! What the host and a guest whose power it cuts agree on: words on both sides, and a disk.

use serde::{Deserialize, Serialize};

/// How the kernel's command line says what is to be done in this boot.
pub const PARAMETER: &str = "iova.cut=";

/// The guest says so right before it starts what is to be cut.
pub const BEGINS: &str = "# the run begins";

/// And so when that has ended, cut or not; it then waits for the cut.
pub const ENDED: &str = "# the run has ended";

/// Then a number from 1, a colon, and how the device is now: a line whenever that has changed.
pub const CHANGE: &str = "# change ";

/// Then what the cut before this boot has left in the journal.
pub const LEFT: &str = "# left: ";

/// Where the guest mounts the disk that outlives a cut,
pub const MOUNT: &str = "/mnt";
/// and its `IOVA_STATE_DIR` there.
pub const STATE: &str = "/mnt/iova";

/// Then [`Notes`] as JSON: right after the boot, and right before the run begins.
pub const NOTES: &str = "# notes: ";

/// What stands on the disk about verifications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Those that are closed.
    pub closed: usize,
    /// Widths of the steps that have begun in the one that is open, one after the other.
    pub begun: Vec<u64>,
}

/// What a guest does before its power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A whole run; nothing is cut, the machine powers off.
    Whole,
    /// Closes what is open; a new run is cut.
    Close,
    /// Goes on with what is open to its end; a new run is cut.
    Finish,
    /// Goes on with what is open, and that is cut.
    Resume,
    /// Goes on with what is open to its end; nothing is cut, the machine powers off.
    Last,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Whole, Self::Close, Self::Finish, Self::Resume, Self::Last];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Close => "close",
            Self::Finish => "finish",
            Self::Resume => "resume",
            Self::Last => "last",
        }
    }
}

/// Bytes of a sector, as partition tables count them.
pub const SECTOR: usize = 512;

/// A part of a disk, in sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The first.
    pub first: u32,
    /// How many.
    pub sectors: u32,
}

/// Those of the disk: the second may be written to, and its neighbours begin and end right at it.
pub const PARTITIONS: [Partition; 3] = [
    Partition { first: 2048, sectors: 32 << 10 },
    Partition { first: 2048 + (32 << 10), sectors: 16 << 10 },
    Partition { first: 2048 + (48 << 10), sectors: 64 << 10 },
];

/// The first sector of a disk with up to four partitions (a master boot record).
pub fn partition_table(partitions: &[Partition]) -> [u8; SECTOR] {
    let mut table = [0; SECTOR];
    for (entry, partition) in table[446..510].chunks_exact_mut(16).zip(partitions) {
        entry[4] = 0x83;
        entry[8..12].copy_from_slice(&partition.first.to_le_bytes());
        entry[12..].copy_from_slice(&partition.sectors.to_le_bytes());
    }
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_one() {
        let table = partition_table(&PARTITIONS);
        assert_eq!(&table[510..], [0x55, 0xaa]);
        assert_eq!(&table[454..462], [0, 8, 0, 0, 0, 128, 0, 0]);
        assert_eq!(&table[494..510], [0; 16], "there is no fourth");
    }

    #[test]
    fn names_are_names() {
        let names: std::collections::BTreeSet<_> = Deed::ALL.iter().map(|deed| deed.name()).collect();
        assert_eq!(names.len(), Deed::ALL.len());
    }
}
