//! Kernel memory a page at a time: a tree of 65,536 nodes is 650 reads instead of 65,536.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::kernel::{Kcore, ReadError};

const PAGE: u64 = 4096;

/// What one reading of a domain has seen of the kernel's memory. Made anew for every attempt, because a page read
/// once is not read again ([`Memory::forget`] aside).
pub(crate) struct Memory<'a> {
    kcore: &'a Kcore,
    pages: RefCell<HashMap<u64, Box<[u8; PAGE as usize]>>>,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(kcore: &'a Kcore) -> Self {
        Self { kcore, pages: RefCell::default() }
    }

    pub(crate) fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut address = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let within = (address % PAGE) as usize;
            let here = rest.len().min(PAGE as usize - within);
            let (part, more) = rest.split_at_mut(here);
            self.read_in_page(address - within as u64, within, part)?;
            rest = more;
            address = address.checked_add(here as u64).ok_or(ReadError::Unmapped(address))?;
        }
        Ok(())
    }

    fn read_in_page(&self, page: u64, within: usize, part: &mut [u8]) -> Result<(), ReadError> {
        let mut pages = self.pages.borrow_mut();
        let bytes = match pages.entry(page) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let mut bytes = Box::new([0; PAGE as usize]);
                self.kcore.read(page, bytes.as_mut_slice())?;
                entry.insert(bytes)
            }
        };
        let source = bytes.get(within..within + part.len()).ok_or(ReadError::Unmapped(page))?;
        part.copy_from_slice(source);
        Ok(())
    }

    /// Lets what has been read be read anew.
    pub(crate) fn forget(&self) {
        self.pages.borrow_mut().clear();
    }

    pub(crate) fn u64(&self, address: u64) -> Result<u64, ReadError> {
        let mut buffer = [0; 8];
        self.read(address, &mut buffer)?;
        Ok(u64::from_ne_bytes(buffer))
    }

    pub(crate) fn u32(&self, address: u64) -> Result<u32, ReadError> {
        let mut buffer = [0; 4];
        self.read(address, &mut buffer)?;
        Ok(u32::from_ne_bytes(buffer))
    }

    /// A pointer: 0, or the address of something in the kernel.
    pub(crate) fn pointer(&self, address: u64) -> Result<u64, ReadError> {
        let value = self.u64(address)?;
        if value == 0 { Ok(0) } else { kernel_address(value) }
    }

    /// `count` 64-bit numbers in a row.
    pub(crate) fn u64s(&self, address: u64, count: usize) -> Result<Vec<u64>, ReadError> {
        let mut bytes = vec![0; count * 8];
        self.read(address, &mut bytes)?;
        Ok(bytes.chunks_exact(8).map(|chunk| word(chunk, 0)).collect())
    }

    /// A string that ends with a zero byte, at most 64 bytes of it.
    pub(crate) fn string(&self, address: u64) -> Result<String, ReadError> {
        let mut bytes = [0; 64];
        let length = bytes.len().min((PAGE - address % PAGE) as usize);
        let (part, _) = bytes.split_at_mut(length);
        self.read(address, part)?;
        let text = part.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(crate::kernel::root::clean(text))
    }
}

/// Refuses what can't be the address of a struct, so that adding the offset of a member can't overflow.
pub(crate) fn kernel_address(value: u64) -> Result<u64, ReadError> {
    // The kernel has the upper half on every 64-bit machine; its last page is for error codes.
    if value >> 63 == 1 && value < u64::MAX - (1 << 20) { Ok(value) } else { Err(ReadError::Unmapped(value)) }
}

/// The 64-bit number at an offset of a struct read as bytes; 0 past its end.
pub(crate) fn word(bytes: &[u8], at: u64) -> u64 {
    bytes.get(at as usize..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u64::from_ne_bytes(*chunk))
}
