//! Frames: kind, lengths, checksum, and a payload that is packed with zstd.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::{RecordError, VERSION};

/// The first bytes of a recording: not text, and told from a file that went through a text conversion, as PNG does it.
pub const MAGIC: [u8; 8] = *b"\x89iova\r\n\x1a";
/// The last bytes of a file that was finished.
const END_MAGIC: [u8; 8] = *b"iovaend\n";
/// Header, and the head of a frame.
const HEAD: usize = 16;
/// Offset of the index, and [`END_MAGIC`].
pub(super) const TRAILER: u64 = 16;

/// Bytes of a payload at most, packed or not.
pub(super) const MOST_BYTES: usize = 16 << 20;
/// Of a block, whose numbers take more room than their bytes.
pub(super) const MOST_BLOCK_BYTES: usize = 2 << 20;

/// For words.
const LEVEL: i32 = 9;
/// For numbers in as few bits as they need, in which more effort finds little.
const BLOCK_LEVEL: i32 = 1;

/// For whole columns of numbers, of which there may be many.
const CALLS_LEVEL: i32 = 3;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Host, devices, profile: JSON of [`super::Head`].
    Head = 1,
    /// A whole sample: JSON.
    Key = 2,
    /// What the next samples counted: numbers.
    Block = 3,
    /// Devices and the allocator's state: JSON of [`super::Look`].
    Look = 4,
    /// How it ended: JSON of [`super::Ending`].
    End = 5,
    /// Where the keys are: JSON of [`Index`].
    Index = 6,
    /// Single calls: numbers.
    Calls = 7,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Head, Self::Key, Self::Block, Self::Look, Self::End, Self::Index, Self::Calls];

    fn level(self) -> i32 {
        match self {
            Self::Block => BLOCK_LEVEL,
            Self::Calls => CALLS_LEVEL,
            _ => LEVEL,
        }
    }

    fn most_bytes(self) -> usize {
        if matches!(self, Self::Block | Self::Calls) { MOST_BLOCK_BYTES } else { MOST_BYTES }
    }
}

/// Where a stretch that starts with a whole sample begins in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// `(byte, CLOCK_MONOTONIC ns)` of each key frame.
    pub keys: Vec<(u64, u64)>,
}

/// The first bytes of a file.
pub(super) fn header() -> [u8; HEAD] {
    let mut header = [0; HEAD];
    let (magic, rest) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    let (version, rest) = rest.split_at_mut(4);
    version.copy_from_slice(&u32::from(VERSION).to_le_bytes());
    rest.copy_from_slice(&crc32fast::hash(&[&MAGIC[..], version].concat()).to_le_bytes());
    header
}

/// Reads the first bytes of a file.
pub(super) fn read_header(input: &mut impl Read) -> Result<(), RecordError> {
    let mut found = [0; HEAD];
    let got = fill(input, &mut found)?;
    let expected = header();
    // Made, and not yet written to.
    if got < HEAD && expected.starts_with(&found[..got]) {
        return Err(RecordError::Empty);
    }
    if found[..MAGIC.len()] != MAGIC {
        return Err(RecordError::NotOurs);
    }
    match u16::from_le_bytes([found[8], found[9]]) {
        VERSION if found == expected => Ok(()),
        newer if newer > VERSION => Err(RecordError::TooNew(newer)),
        _ => Err(RecordError::Damaged { at: 0, what: "its header is not what was written".into() }),
    }
}

/// A frame with this payload. Its head and its payload are one piece, so that a writer writes it at once.
pub(super) fn pack(kind: Kind, payload: &[u8]) -> Result<Vec<u8>, RecordError> {
    if payload.len() > kind.most_bytes() {
        return Err(RecordError::TooLarge(format!("{kind:?} of {} bytes", payload.len())));
    }
    let packed = zstd::bulk::compress(payload, kind.level())?;
    let mut frame = Vec::with_capacity(HEAD + packed.len());
    frame.extend((kind as u32).to_le_bytes());
    frame.extend((packed.len() as u32).to_le_bytes());
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(checksum(&frame, &packed).to_le_bytes());
    frame.extend(packed);
    Ok(frame)
}

/// The same for the number of a kind.
#[cfg(feature = "fuzz")]
pub(super) fn pack_any(kind: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind)?;
    pack(kind, payload).ok()
}

fn checksum(head: &[u8], packed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(packed);
    hasher.finalize()
}

/// What stands at one place of a file.
#[derive(Debug)]
pub(super) enum Found {
    Frame {
        kind: Kind,
        payload: Vec<u8>,
        /// Bytes of the file that it takes.
        length: u64,
    },
    /// A kind of a later minor version, to be passed over.
    Other { length: u64 },
    /// The file ends here, between two frames or within one.
    Nothing { within: bool },
}

/// Reads the head of a frame: the number of its kind, and bytes of the file that it takes. `None` at the end.
pub(super) fn read_head(input: &mut impl Read) -> Result<Option<(u32, u64)>, RecordError> {
    let mut head = [0; HEAD];
    if fill(input, &mut head)? < HEAD || head[8..] == END_MAGIC {
        return Ok(None);
    }
    let [kind, stored] = [0, 4].map(|at| word(&head, at));
    Ok(Some((kind, HEAD as u64 + u64::from(stored))))
}

/// Reads the last bytes of a file: where the index begins, if that is what they say.
pub(super) fn read_trailer(input: &mut impl Read) -> Result<Option<u64>, RecordError> {
    let mut found = [0; TRAILER as usize];
    let whole = fill(input, &mut found)? == found.len() && found[8..] == END_MAGIC;
    let at = u64::from(word(&found, 4)) << 32 | u64::from(word(&found, 0));
    Ok(whole.then_some(at))
}

/// Four bytes as a number.
fn word(bytes: &[u8; 16], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| word.iter().rev().fold(0, |n, &b| n << 8 | u32::from(b)))
}

/// Reads the frame at byte `at`, where `input` stands.
pub(super) fn read(input: &mut impl Read, at: u64) -> Result<Found, RecordError> {
    let damaged = |what: &str| RecordError::Damaged { at, what: what.into() };
    let mut head = [0; HEAD];
    match fill(input, &mut head)? {
        HEAD => {}
        // The trailer is as long as the head of a frame.
        got => return Ok(Found::Nothing { within: got > 0 }),
    }
    if head[8..] == END_MAGIC {
        return Ok(Found::Nothing { within: false });
    }
    let word = |at| word(&head, at);
    let (kind, stored, plain, crc) = (word(0), word(4) as usize, word(8) as usize, word(12));
    if stored > MOST_BYTES + 1024 || plain > MOST_BYTES {
        return Err(damaged("the length of a frame is out of all bounds"));
    }
    let mut packed = Vec::new();
    input.take(stored as u64).read_to_end(&mut packed)?;
    if packed.len() < stored {
        return Ok(Found::Nothing { within: true });
    }
    if checksum(&head[..12], &packed) != crc {
        return Err(damaged("the checksum of a frame is wrong"));
    }
    let length = (HEAD + stored) as u64;
    let Some(kind) = Kind::ALL.into_iter().find(|known| *known as u32 == kind) else {
        return Ok(Found::Other { length });
    };
    if plain > kind.most_bytes() {
        return Err(damaged("a frame holds more than it may"));
    }
    let payload = zstd::bulk::decompress(&packed, plain).map_err(|_| damaged("a frame can't be unpacked"))?;
    if payload.len() != plain {
        return Err(damaged("a frame is shorter than it says"));
    }
    Ok(Found::Frame { kind, payload, length })
}

/// The last bytes of a file.
pub(super) fn trailer(index_at: u64) -> [u8; TRAILER as usize] {
    let mut trailer = [0; TRAILER as usize];
    let (at, magic) = trailer.split_at_mut(8);
    at.copy_from_slice(&index_at.to_le_bytes());
    magic.copy_from_slice(&END_MAGIC);
    trailer
}

/// Reads as much as there is, up to the length of `buffer`; says how much.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, RecordError> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(got)
}

/// Writes `frame`, and says how long it is.
pub(super) fn write(output: &mut impl Write, frame: &[u8]) -> Result<u64, RecordError> {
    output.write_all(frame)?;
    Ok(frame.len() as u64)
}
