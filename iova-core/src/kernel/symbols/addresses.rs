//! Names by address, for frames of stacks.

use std::io;
use std::path::Path;

use super::listing::each_line;

/// Text symbols in address order.
#[derive(Debug, Default)]
pub(super) struct AddressTable {
    /// `(address, start of its name in names)`.
    starts: Vec<(u64, u32)>,
    names: String,
}

impl AddressTable {
    /// Reads the text symbols of a listing.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut table = Self::default();
        each_line(path, |address, letter, name| {
            if address != 0 && matches!(letter, b't' | b'T' | b'w' | b'W') {
                table.starts.push((address, table.names.len() as u32));
                table.names.push_str(&String::from_utf8_lossy(name));
                table.names.push('\n');
            }
        })?;
        table.starts.sort_by_key(|&(address, _)| address);
        Ok(table)
    }

    /// `"symbol+0x1c"`, if the address is in one.
    pub(super) fn describe(&self, address: u64) -> Option<String> {
        let next = self.starts.partition_point(|&(start, _)| start <= address);
        let &(start, at) = self.starts.get(next.checked_sub(1)?)?;
        let name = self.names.get(at as usize..)?.split('\n').next()?;
        // Far past the last symbol is not inside it: generated code (BPF trampolines) lies outside the table.
        let within = address - start;
        (within < 1 << 20).then(|| format!("{name}+{within:#x}"))
    }
}
