//! `/proc/kallsyms`: addresses of kernel symbols by name, and names by address.
//!
//! Names are matched exactly and the type letter is ignored: on 7.2 and later data such as `iommu_dma_forcedac` is
//! listed as `T`, because the section is linked writable and executable (`arch/x86/kernel/vmlinux.lds.S`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::root::Root;

/// The symbols of the running kernel and its modules.
#[derive(Debug)]
pub struct Symbols {
    path: PathBuf,
    by_name: Mutex<NameTable>,
    hidden: bool,
    by_address: OnceLock<AddressTable>,
}

#[derive(Debug)]
struct NameTable {
    /// `(hash of the name, address)`, sorted; address 0 where the kernel hides it. The names themselves would take
    /// 5 MiB, and a hash table of this twice as much. `None` once it was forgotten.
    entries: Option<Vec<(u64, u64)>>,
    /// What was asked, by hash of the name.
    answers: HashMap<u64, Option<u64>>,
}

impl NameTable {
    fn find(&mut self, hash: u64, path: &Path) -> Option<u64> {
        if let Some(known) = self.answers.get(&hash) {
            return *known;
        }
        let entries =
            self.entries.get_or_insert_with(|| read(path).map(|(entries, _)| entries).unwrap_or_default());
        let index = entries.binary_search_by_key(&hash, |&(hash, _)| hash).ok();
        let answer = index.and_then(|index| entries.get(index)).map(|&(_, address)| address);
        self.answers.insert(hash, answer);
        answer
    }
}

/// All symbols by hash of their names, and whether their addresses are hidden.
fn read(path: &Path) -> io::Result<(Vec<(u64, u64)>, bool)> {
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
    Ok((entries, hidden))
}

/// Text symbols in address order.
#[derive(Debug, Default)]
struct AddressTable {
    /// `(address, start of its name in names)`.
    starts: Vec<(u64, u32)>,
    names: String,
}

impl Symbols {
    /// Reads the table once.
    pub fn load(root: &Root) -> io::Result<Self> {
        let path = root.path("proc/kallsyms");
        let (entries, hidden) = read(&path)?;
        let by_name = Mutex::new(NameTable { entries: Some(entries), answers: HashMap::new() });
        Ok(Self { path, by_name, hidden, by_address: OnceLock::new() })
    }

    /// Gives the table back. What was asked is remembered; a new question reads it again.
    pub fn forget(&self) {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner).entries = None;
    }

    /// True if a symbol of exactly this name exists, even if its address is hidden.
    pub fn exists(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Address of a symbol; `None` if it does not exist or its address is hidden.
    pub fn address(&self, name: &str) -> Option<u64> {
        self.find(name).filter(|&address| address != 0)
    }

    fn find(&self, name: &str) -> Option<u64> {
        let mut table = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        table.find(hash(name.as_bytes()), &self.path)
    }

    /// True if the kernel shows zeros instead of addresses (`kernel.kptr_restrict`, or no CAP_SYSLOG).
    pub fn hidden(&self) -> bool {
        self.hidden
    }

    /// `"symbol+0x1c"` for a code address, or the number itself. The table is read at the first call.
    pub fn describe(&self, address: u64) -> String {
        let table = self.by_address.get_or_init(|| AddressTable::load(&self.path).unwrap_or_default());
        table.describe(address).unwrap_or_else(|| format!("{address:#x}"))
    }
}

impl AddressTable {
    fn load(path: &Path) -> io::Result<Self> {
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

    fn describe(&self, address: u64) -> Option<String> {
        let next = self.starts.partition_point(|&(start, _)| start <= address);
        let &(start, at) = self.starts.get(next.checked_sub(1)?)?;
        let name = self.names.get(at as usize..)?.split('\n').next()?;
        // Far past the last symbol is not inside it: generated code (BPF trampolines) lies outside the table.
        let within = address - start;
        (within < 1 << 20).then(|| format!("{name}+{within:#x}"))
    }
}

/// Calls `visit(address, type letter, name)` for every line `"ffffffff81000000 T _text[\t[module]]"`.
fn each_line(path: &Path, mut visit: impl FnMut(u64, u8, &[u8])) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(name: &str, text: &str) -> Symbols {
        let dir = std::env::temp_dir().join(format!("iova-symbols-{}-{name}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc")).unwrap();
        std::fs::write(dir.join("proc/kallsyms"), text).unwrap();
        let symbols = Symbols::load(&Root::at(&dir)).unwrap();
        symbols.describe(1);
        symbols.address("_text");
        symbols.forget();
        assert!(symbols.exists("_text"));
        symbols.exists("helper");
        std::fs::remove_dir_all(dir).unwrap();
        symbols
    }

    #[test]
    fn names_and_addresses() {
        let s = symbols(
            "plain",
            "ffffffff81000000 T _text\nffffffff81000100 t helper\nffffffff82000000 d a_table\n\
             ffffffffc0000000 t e1000_open\t[e1000e]\nffffffff81000200 t helper\nbroken\n",
        );
        assert_eq!(s.address("helper"), Some(0xffff_ffff_8100_0100));
        assert_eq!(s.address("e1000_open"), Some(0xffff_ffff_c000_0000));
        assert_eq!(s.address("help"), None);
        assert!(s.exists("a_table") && !s.exists("a_tabl") && !s.hidden());
        assert_eq!(s.describe(0xffff_ffff_8100_0110), "helper+0x10");
        assert_eq!(s.describe(0xffff_ffff_8200_0000), "0xffffffff82000000");
        assert_eq!(s.describe(0x10), "0x10");
    }

    #[test]
    fn hidden_addresses_still_prove_existence() {
        let s = symbols("hidden", "0000000000000000 T _text\n0000000000000000 t helper\n");
        assert!(s.hidden() && s.exists("helper"));
        assert_eq!(s.address("helper"), None);
    }
}
