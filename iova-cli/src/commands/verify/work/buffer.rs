//! Memory for reads and writes past the cache, which must begin at a multiple of what the disk wants.

use std::ops::{Deref, DerefMut};

const ALIGN: usize = 4096;

/// Bytes that begin at a page.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    from: usize,
    length: usize,
}

impl Buffer {
    pub(super) fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGN];
        let from = bytes.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { bytes, from, length }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.from..self.from + self.length).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.from..self.from + self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_page() {
        for length in [512, 4096, 1 << 17] {
            let mut buffer = Buffer::new(length);
            buffer[length - 1] = 7;
            assert_eq!((buffer.as_ptr() as usize % ALIGN, buffer.len(), buffer[length - 1]), (0, length, 7));
        }
    }
}
