//! `/proc/kallsyms`: every symbol as a line of text. The kernel prints them all anew for whoever reads, which takes it half a
//! billion instructions, so it is read only where nothing else answers.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// All symbols by name.
#[derive(Debug)]
pub(super) struct Listing {
    /// `(hash of the name, address)`, sorted; address 0 where the kernel hides it. The names themselves would take
    /// 5 MiB, and a hash table of this twice as much.
    entries: Vec<(u64, u64)>,
    /// True if all addresses are hidden.
    pub(super) hidden: bool,
}

impl Listing {
    /// Reads all of it.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut entries = Vec::with_capacity(1 << 18);
        let mut hidden = true;
        each_line(path, |address, _, name| {
            hidden &= address == 0;
            entries.push((hash(name), address));
        })?;
        // Stable: of symbols with the same name the first counts, as in the kernel's own kallsyms_lookup_name().
        entries.sort_by_key(|&(hash, _)| hash);
        entries.dedup_by_key(|&mut (hash, _)| hash);
        entries.shrink_to_fit();
        Ok(Self { entries, hidden })
    }

    /// Address of a symbol, 0 if the kernel hides it; `None` if no symbol has this name.
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        let hash = hash(name.as_bytes());
        let index = self.entries.binary_search_by_key(&hash, |&(hash, _)| hash).ok()?;
        self.entries.get(index).map(|&(_, address)| address)
    }
}

/// Names of functions that compilers made of others, sorted: those with a dot.
pub(super) fn made_by_compilers(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    each_line(path, |_, letter, name| {
        if letter.eq_ignore_ascii_case(&b't') && name.contains(&b'.') {
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    })?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Calls `visit(address, type letter, name)` for every line `"ffffffff81000000 T _text[\t[module]]"`.
pub(super) fn each_line(path: &Path, mut visit: impl FnMut(u64, u8, &[u8])) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut line = Vec::with_capacity(256);
    while reader.read_until(b'\n', &mut line)? != 0 {
        if let Some((address, letter, name)) = split(&line) {
            visit(address, letter, name);
        }
        line.clear();
    }
    Ok(())
}

fn split(line: &[u8]) -> Option<(u64, u8, &[u8])> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let mut address = 0_u64;
    for &digit in line.get(..space)? {
        address = address << 4 | u64::from(char::from(digit).to_digit(16)?);
    }
    let letter = *line.get(space + 1)?;
    let rest = line.get(space + 3..)?;
    let name = rest.split(|byte| byte.is_ascii_whitespace()).next()?;
    (!name.is_empty()).then_some((address, letter, name))
}

// FNV-1a with 64 bits: among 300,000 names the chance that a name not in the table looks as if it were is 2^-45.
fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
