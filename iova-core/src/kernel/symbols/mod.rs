//! Addresses of kernel symbols by name, and names by address.
//!
//! Names are matched exactly, and symbols of every type count: on 7.2 and later data such as `iommu_dma_forcedac` is listed
//! as text, because the section is linked writable and executable (`arch/x86/kernel/vmlinux.lds.S`).

mod addresses;
mod index;
mod listing;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use self::addresses::AddressTable;
use self::index::Index;
use self::listing::Listing;
use super::{Root, Types};

/// The symbols of the running kernel and its modules.
#[derive(Debug)]
pub struct Symbols {
    /// Quick answers, where the kernel gives them.
    index: Option<Index>,
    path: PathBuf,
    /// Read when nothing else answers; `None` before that, and once it was forgotten.
    listing: Mutex<Option<Listing>>,
    hidden: bool,
    /// Earlier answers by name: the address, 0 if it is hidden, `None` if there is no such symbol.
    answers: Mutex<HashMap<String, Option<u64>>>,
    by_address: OnceLock<AddressTable>,
    /// Names with a dot; read when something is missing, and gone again once it was forgotten.
    made: Mutex<Option<Vec<String>>>,
}

impl Symbols {
    /// The symbols of the kernel whose `/proc` is below `root` and whose types these are.
    pub fn open(root: &Root, types: &Types) -> io::Result<Self> {
        // A recorded kernel is not the one that runs.
        let index = if root.is_live() { Index::open(types) } else { None };
        Self::with(index, root)
    }

    fn with(index: Option<Index>, root: &Root) -> io::Result<Self> {
        let path = root.path("proc/kallsyms");
        let listing = if index.is_none() { Some(Listing::read(&path)?) } else { None };
        Ok(Self {
            index,
            path,
            hidden: listing.as_ref().is_some_and(|listing| listing.hidden),
            listing: Mutex::new(listing),
            answers: Mutex::new(HashMap::new()),
            by_address: OnceLock::new(),
            made: Mutex::new(None),
        })
    }

    /// Gives the listing back. What was asked is remembered; a new question reads it again.
    pub fn forget(&self) {
        *lock(&self.listing) = None;
        *lock(&self.made) = None;
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
        if let Some(known) = lock(&self.answers).get(name) {
            return *known;
        }
        let answer = self.ask(name);
        lock(&self.answers).insert(name.to_owned(), answer);
        answer
    }

    fn ask(&self, name: &str) -> Option<u64> {
        // An error says that a right was given up since.
        if let Some(Ok(answer)) = self.index.as_ref().map(|index| index.address(name)) {
            return answer;
        }
        let mut listing = lock(&self.listing);
        if listing.is_none() {
            *listing = Listing::read(&self.path).ok();
        }
        listing.as_ref()?.address(name)
    }

    /// Functions whose names are `name`, a dot and more, as compilers give them to what they made of a function; sorted. The first
    /// question reads all names.
    pub fn variants(&self, name: &str) -> Vec<String> {
        let stem = format!("{name}.");
        let mut made = lock(&self.made);
        // What can't be read is not there for anybody else, either.
        let made = made.get_or_insert_with(|| listing::made_by_compilers(&self.path).unwrap_or_default());
        let first = made.partition_point(|name| *name < stem);
        made.get(first..).into_iter().flatten().take_while(|name| name.starts_with(&stem)).cloned().collect()
    }

    /// True if the kernel shows zeros instead of addresses (`kernel.kptr_restrict`, or no CAP_SYSLOG).
    pub fn hidden(&self) -> bool {
        self.hidden
    }

    /// `"symbol+0x1c"` for a code address, or the number itself. All names are read at the first call.
    pub fn describe(&self, address: u64) -> String {
        let table = self.by_address.get_or_init(|| AddressTable::read(&self.path).unwrap_or_default());
        table.describe(address).unwrap_or_else(|| format!("{address:#x}"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(name: &str, text: &str) -> Symbols {
        let dir = std::env::temp_dir().join(format!("iova-symbols-{}-{name}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc")).unwrap();
        std::fs::write(dir.join("proc/kallsyms"), text).unwrap();
        let symbols = Symbols::with(None, &Root::at(&dir)).unwrap();
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
