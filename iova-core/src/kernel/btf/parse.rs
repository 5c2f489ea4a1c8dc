//! The bytes: header, type records, strings.

use super::{Record, kind};

/// Why type information could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// Not BTF, or not of this machine's byte order.
    #[error("this is not BTF of this machine's byte order")]
    Magic,
    /// A section reaches past the end, or a record does.
    #[error("the BTF is cut off or damaged at byte {0}")]
    Damaged(usize),
    /// A kind this reader has never heard of, so that the records behind it can't be found.
    #[error("the BTF has a type of unknown kind {0}; this kernel is newer than this `iova`: update it")]
    UnknownKind(u32),
}

/// Where the sections are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    types: (usize, usize),
    strings: (usize, usize),
}

impl Header {
    pub(crate) fn read(data: &[u8]) -> Result<Self, BtfError> {
        let word = |at| u32_at(data, at).ok_or(BtfError::Damaged(data.len()));
        if word(0)? & 0xffff != 0xeb9f {
            return Err(BtfError::Magic);
        }
        let base = word(4)? as usize;
        let section = |off: u32, len: u32| {
            let start = base.saturating_add(off as usize);
            let end = start.saturating_add(len as usize);
            if end <= data.len() { Ok((start, end)) } else { Err(BtfError::Damaged(data.len())) }
        };
        Ok(Self { types: section(word(8)?, word(12)?)?, strings: section(word(16)?, word(20)?)? })
    }

    /// The string section from an offset on; the string there ends with a zero byte.
    pub(crate) fn strings_from<'a>(&self, data: &'a [u8], offset: u32) -> Option<&'a [u8]> {
        let (start, end) = self.strings;
        data.get(start + offset as usize..end)
    }

    /// Length of the string section: where a module's own strings begin.
    pub(crate) fn strings_len(&self) -> u32 {
        (self.strings.1 - self.strings.0) as u32
    }
}

/// Offsets of all type records, in the order of their numbers.
pub(crate) fn index(data: &[u8], header: &Header) -> Result<Vec<u32>, BtfError> {
    let (mut at, end) = header.types;
    // A record has at least 12 bytes, on average about 30.
    let mut types = Vec::with_capacity((end - at) / 30);
    while at < end {
        let record = record(data, at).ok_or(BtfError::Damaged(at))?;
        types.push(at as u32);
        at = record.tail + tail_len(&record)?;
    }
    if at == end { Ok(types) } else { Err(BtfError::Damaged(end)) }
}

fn tail_len(record: &Record) -> Result<usize, BtfError> {
    Ok(match record.kind {
        kind::PTR
        | kind::FWD
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::FUNC
        | kind::FLOAT
        | kind::TYPE_TAG => 0,
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * record.vlen,
        kind::ENUM | kind::FUNC_PROTO => 8 * record.vlen,
        other => return Err(BtfError::UnknownKind(other)),
    })
}

pub(crate) fn record(data: &[u8], at: usize) -> Option<Record> {
    let head: &[u8; 12] = data.get(at..)?.first_chunk()?;
    let [name, info, size_or_type] = [0, 4, 8].map(|at| u32_at(head, at).unwrap_or_default());
    Some(Record {
        name,
        kind: info >> 24 & 0x1f,
        vlen: (info & 0xffff) as usize,
        flag: info >> 31 == 1,
        size_or_type,
        tail: at + 12,
    })
}

pub(crate) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}

pub(crate) fn str_at<'a>(data: &'a [u8], header: &Header, offset: u32) -> Option<&'a [u8]> {
    header.strings_from(data, offset)?.split(|&byte| byte == 0).next()
}
