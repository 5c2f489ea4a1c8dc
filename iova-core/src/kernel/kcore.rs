//! `/proc/kcore`: the kernel's memory as an ELF core file, read-only, without any module.
//!
//! Blocked only by lockdown=confidentiality (`LOCKDOWN_KCORE`, `fs/proc/kcore.c` open_kcore) and by a missing
//! CAP_SYS_RAWIO. Nothing is locked while we read: callers have to expect half-made changes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{KernelError, Lockdown, root::Root};

/// A part of kernel memory and where it stands in the file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: u64,
    end: u64,
    offset: u64,
}

/// An open `/proc/kcore`.
#[derive(Debug)]
pub struct Kcore {
    file: File,
    /// In address order.
    segments: Vec<Segment>,
}

/// Why kernel memory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No memory there: a stale pointer, or something changed while it was read.
    #[error("no kernel memory at {0:#x}")]
    Unmapped(u64),
    /// The read failed.
    #[error("reading kernel memory at {0:#x} failed: {1}")]
    Io(u64, io::Error),
}

const PT_LOAD: u32 = 1;

impl Kcore {
    pub(super) fn open(root: &Root, lockdown: Lockdown) -> Result<Self, KernelError> {
        let file =
            File::open(root.path("proc/kcore")).map_err(|error| KernelError::kcore(lockdown, error))?;
        let segments = segments(&file).map_err(|error| KernelError::kcore(lockdown, error))?;
        Ok(Self { file, segments })
    }

    /// The same open file again.
    pub(super) fn another(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, segments: self.segments.clone() })
    }

    /// Fills `buffer` from a kernel address.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let segment = self.segment(address).ok_or(ReadError::Unmapped(address))?;
        let end = address.checked_add(buffer.len() as u64).ok_or(ReadError::Unmapped(address))?;
        if end > segment.end {
            return Err(ReadError::Unmapped(segment.end));
        }
        let at = segment.offset + (address - segment.start);
        self.file.read_exact_at(buffer, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Unmapped(address),
            _ => ReadError::Io(address, error),
        })
    }

    /// A 64-bit number, or a pointer.
    pub fn u64(&self, address: u64) -> Result<u64, ReadError> {
        let mut buffer = [0; 8];
        self.read(address, &mut buffer)?;
        Ok(u64::from_ne_bytes(buffer))
    }

    /// A 32-bit number.
    pub fn u32(&self, address: u64) -> Result<u32, ReadError> {
        let mut buffer = [0; 4];
        self.read(address, &mut buffer)?;
        Ok(u32::from_ne_bytes(buffer))
    }

    /// True if there is memory at this address.
    pub fn mapped(&self, address: u64) -> bool {
        self.segment(address).is_some()
    }

    fn segment(&self, address: u64) -> Option<&Segment> {
        let next = self.segments.partition_point(|segment| segment.start <= address);
        self.segments.get(next.checked_sub(1)?).filter(|segment| address < segment.end)
    }
}

fn segments(file: &File) -> io::Result<Vec<Segment>> {
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0)?;
    let table = u64_at(&header, 32);
    let (size, count) = (u16_at(&header, 54), u16_at(&header, 56));
    if !header.starts_with(b"\x7fELF\x02") || size < 56 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a 64-bit ELF core file"));
    }
    let mut found = Vec::new();
    for index in 0..u64::from(count) {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table + index * u64::from(size))?;
        let (kind, start, length) = (u32_at(&entry, 0), u64_at(&entry, 16), u64_at(&entry, 40));
        if kind == PT_LOAD && length != 0 {
            found.push(Segment { start, end: start.saturating_add(length), offset: u64_at(&entry, 8) });
        }
    }
    found.sort_unstable_by_key(|segment| segment.start);
    Ok(found)
}

// Little helpers for fixed headers: all offsets are constants inside the array, 0 can't happen.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u64::from_ne_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u32::from_ne_bytes(*chunk))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u16::from_ne_bytes(*chunk))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An ELF core file that maps `memory` at `address`.
    pub(crate) fn core_file(address: u64, memory: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 64 + 56];
        file[..5].copy_from_slice(b"\x7fELF\x02");
        file[32..40].copy_from_slice(&64_u64.to_ne_bytes());
        file[54..56].copy_from_slice(&56_u16.to_ne_bytes());
        file[56..58].copy_from_slice(&1_u16.to_ne_bytes());
        file[64..68].copy_from_slice(&PT_LOAD.to_ne_bytes());
        file[72..80].copy_from_slice(&(64 + 56_u64).to_ne_bytes());
        file[80..88].copy_from_slice(&address.to_ne_bytes());
        file[104..112].copy_from_slice(&(memory.len() as u64).to_ne_bytes());
        file.extend_from_slice(memory);
        file
    }

    #[test]
    fn reads_what_is_mapped_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("iova-kcore-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc")).unwrap();
        let base = 0xffff_8880_0000_0000;
        std::fs::write(dir.join("proc/kcore"), core_file(base, &[7; 24])).unwrap();
        let kcore = Kcore::open(&Root::at(&dir), Lockdown::None).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
        assert_eq!(kcore.u64(base + 16).unwrap(), 0x0707_0707_0707_0707);
        assert_eq!(kcore.u32(base).unwrap(), 0x0707_0707);
        assert!(matches!(kcore.u64(base + 20), Err(ReadError::Unmapped(_))));
        assert!(matches!(kcore.u64(0), Err(ReadError::Unmapped(0))));
        assert!(matches!(kcore.u64(u64::MAX - 2), Err(ReadError::Unmapped(_))));
        assert!(kcore.mapped(base) && !kcore.mapped(base + 24));
    }

    #[test]
    fn not_a_core_file() {
        let dir = std::env::temp_dir().join(format!("iova-kcore-bad-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc")).unwrap();
        std::fs::write(dir.join("proc/kcore"), [0; 128]).unwrap();
        let error = Kcore::open(&Root::at(&dir), Lockdown::None).unwrap_err();
        std::fs::remove_dir_all(dir).unwrap();
        assert!(error.to_string().contains("/proc/kcore"), "{error}");
    }
}
