//! Type information of a module: it continues the numbers and strings of the kernel's.

use super::parse::{self, Header};
use super::{Btf, BtfError, kind};

/// The functions of one module (`/sys/kernel/btf/<module>`).
#[derive(Debug)]
pub struct ModuleBtf {
    functions: Vec<String>,
}

impl ModuleBtf {
    /// Reads a module's type information on top of the kernel's.
    pub fn parse(data: &[u8], base: &Btf) -> Result<Self, BtfError> {
        let header = Header::read(data)?;
        let own_strings = base.header.strings_len();
        let mut functions = Vec::new();
        for at in parse::index(data, &header)? {
            let Some(record) = parse::record(data, at as usize) else { continue };
            if record.kind != kind::FUNC {
                continue;
            }
            let name = match record.name.checked_sub(own_strings) {
                Some(offset) => parse::str_at(data, &header, offset),
                None => base.str_at(record.name),
            };
            functions.extend(name.map(|name| String::from_utf8_lossy(name).into_owned()));
        }
        functions.sort_unstable();
        Ok(Self { functions })
    }

    /// True if the module has a function of this name.
    pub fn has_function(&self, name: &str) -> bool {
        self.functions.binary_search_by(|function| function.as_str().cmp(name)).is_ok()
    }
}
