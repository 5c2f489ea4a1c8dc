//! Measurements in a file: what the source said, second by second, to be fed to the same [`crate::model`] later.
//!
//! The format is described in `docs/recording.md`. In short: a header, then frames that each carry their own length and
//! CRC, so that a file is good up to its last whole frame, however its writer ended:
//!
//! ```text
//! header | Head | Key | Block | Block | … | Key | Block | … | Look | … | End | Index | trailer
//! ```
//!
//! A *Key* is a whole [`Sample`](crate::sample::Sample); each *Block* has what the next few samples counted beyond
//! the one before. Counters are exact in every sample. A latency distribution is exact at the end of every block;
//! for the samples inside, only how many were in the faster half, up to the 90th percentile and so on is kept, and how they
//! lie within that is made from the block as a whole. So everything from block to block is exact, and a recording is
//! a third as large.
//!
//! *Calls* are single allocations and frees, where somebody wanted them: a track of its own among the other frames, with
//! its own times.

mod block;
mod calls;
mod column;
mod frame;
mod head;
mod joined;
mod reader;
mod ring;
mod scalar;
mod skip;
mod spread;
mod unblock;
mod wire;
mod writer;

pub use frame::{Index, MAGIC};
pub use head::{Ending, Head, Look};
pub use joined::Joined;
pub use reader::{Item, Moment, Reader};
pub use ring::Ring;
pub use writer::{Options, Writer};

use std::io;

/// The version of the format that is written. Every version from 1 on is read.
pub const VERSION: u16 = 1;

/// Samples in a block at most.
const MOST_STEPS: usize = 64;
/// Devices and domains in a sample at most: as many as the probes have slots for.
const MOST_SLOTS: usize = 2 * 4096 + 2;

/// Why a recording can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no recording of iova: its first bytes are not those of one")]
    NotOurs,
    /// It is of a later version.
    #[error(
        "this recording has version {0} of the format, and this iova reads up to version {VERSION}: take a newer iova"
    )]
    TooNew(u16),
    /// It ends before there is anything to show.
    #[error("this recording ends before its first measurement: there is nothing in it")]
    Empty,
    /// A frame is there, but not what was written.
    #[error("this recording is damaged at byte {at}: {what}")]
    Damaged {
        /// Where the frame begins.
        at: u64,
        /// What is wrong with it.
        what: String,
    },
    /// More than the format can hold.
    #[error("this can't be recorded: {0}")]
    TooLarge(String),
}

/// A file of these frames, kind and payload each, with checksums that are right.
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub fn file_of<'a>(frames: impl IntoIterator<Item = (u8, &'a [u8])>) -> Vec<u8> {
    let mut file = frame::header().to_vec();
    for (kind, payload) in frames {
        file.extend(frame::pack_any(kind, payload).unwrap_or_default());
    }
    file
}

#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod tests;
