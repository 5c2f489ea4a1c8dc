//! What the running kernel is: its types (BTF), its symbols, its memory, what it allows.
//!
//! Nothing here asks for a version number: a field exists if BTF has it, a function can be hooked if BTF has it and
//! `/proc/kallsyms` has its exact name.

pub mod btf;
pub mod kcore;
mod lockdown;
pub(crate) mod log;
pub mod offsets;
pub mod root;
pub mod symbols;
mod types;

pub use btf::{Btf, BtfError, ModuleBtf};
pub use kcore::{Kcore, ReadError};
pub use lockdown::Lockdown;
pub use root::Root;
pub use symbols::Symbols;
pub use types::Types;

use std::io;
use std::sync::Arc;

use iova_common::offsets::Offsets;

/// The running kernel.
#[derive(Debug)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// Its types and functions.
    pub btf: Types,
    /// Its symbols.
    pub symbols: Arc<Symbols>,
    /// Where `/proc` and `/sys` are.
    pub root: Root,
    lockdown: Lockdown,
    held: Option<Kcore>,
}

/// Why the kernel can't be looked into. Each sentence says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// No `/sys/kernel/btf/vmlinux`.
    #[error(
        "this kernel has no type information (/sys/kernel/btf/vmlinux is missing): boot a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y, as all distribution kernels since 2021 are, and mount sysfs"
    )]
    NoBtf,
    /// It is there but can't be read.
    #[error("/sys/kernel/btf/vmlinux can't be read ({0}): check that sysfs is mounted and readable")]
    BtfUnreadable(io::Error),
    /// It makes no sense.
    #[error("/sys/kernel/btf/vmlinux: {0}")]
    BtfDamaged(#[from] BtfError),
    /// No `/proc/kallsyms`.
    #[error("/proc/kallsyms can't be read ({0}): mount procfs, or boot a kernel with CONFIG_KALLSYMS=y")]
    Symbols(io::Error),
    /// Kernel memory is closed by lockdown.
    #[error(
        "lockdown=confidentiality closes /proc/kcore: boot without Secure Boot or with lockdown=integrity to read \
         allocator state"
    )]
    LockedDown,
    /// Kernel memory is closed to this user.
    #[error("/proc/kcore may only be read with CAP_SYS_RAWIO: run as root (sudo iova …)")]
    NotPermitted,
    /// No kcore.
    #[error(
        "/proc/kcore can't be read ({0}): it needs a kernel with CONFIG_PROC_KCORE=y and a mounted procfs"
    )]
    NoKcore(io::Error),
    /// Addresses are hidden.
    #[error(
        "/proc/kallsyms shows no addresses: run as root with CAP_SYSLOG, or set kernel.kptr_restrict to 1 or 0 (sysctl)"
    )]
    SymbolsHidden,
}

impl KernelError {
    fn kcore(lockdown: Lockdown, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied if lockdown == Lockdown::Confidentiality => Self::LockedDown,
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            _ => Self::NoKcore(error),
        }
    }
}

impl Kernel {
    /// Looks at the running kernel.
    pub fn load() -> Result<Self, KernelError> {
        Self::load_from(Root::default())
    }

    /// Looks at a kernel whose `/proc` and `/sys` are below `root`.
    pub fn load_from(root: Root) -> Result<Self, KernelError> {
        let data = root.bytes(types::PATH).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => KernelError::NoBtf,
            _ => KernelError::BtfUnreadable(error),
        })?;
        let btf = Types::of(Btf::parse(data)?, &root);
        let symbols = Arc::new(Symbols::open(&root, &btf).map_err(KernelError::Symbols)?);
        let release = root.text("proc/sys/kernel/osrelease").unwrap_or_default();
        let lockdown = Lockdown::read(&root);
        Ok(Self { release, btf, symbols, root, lockdown, held: None })
    }

    /// The table of field offsets for the eBPF programs; absent fields stay absent.
    pub fn offsets(&self) -> Offsets {
        offsets::resolve(&self.btf)
    }

    /// True if fentry, fexit and kprobes can attach to `func`: BTF has it, and its exact name is a symbol.
    ///
    /// Both are needed: a function may be in BTF and exist only as `name.part.0` (`iova_magazine_free_pfns` on 7.3),
    /// or exist as a symbol without BTF.
    pub fn hookable(&self, func: &str) -> bool {
        self.btf.has_function(func) && self.symbols.exists(func)
    }

    /// Number of arguments of a function: reading past it is refused by the verifier.
    pub fn arg_count(&self, func: &str) -> Option<usize> {
        self.btf.arg_count(func)
    }

    /// Address of a symbol, if it exists and is not hidden.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.symbols.address(name)
    }

    /// Opens the kernel's memory.
    pub fn kcore(&self) -> Result<Kcore, KernelError> {
        match &self.held {
            Some(held) => held.another().map_err(KernelError::NoKcore),
            None => Kcore::open(&self.root, self.lockdown),
        }
    }

    /// Opens the kernel's memory once and for all: the right to do so (CAP_SYS_RAWIO) is asked for when it is opened
    /// (fs/proc/kcore.c, open_kcore), and no more when it is read. Memory that is plugged in later stays unseen.
    pub fn hold_kcore(&mut self) -> Result<(), KernelError> {
        self.held = Some(Kcore::open(&self.root, self.lockdown)?);
        Ok(())
    }

    /// Gives the tables of types and symbols back (about 10 MiB): for a process that lives long, once it has asked what it
    /// goes on asking. A new question reads them again, which takes the rights that reading them took.
    pub fn forget_tables(&self) {
        self.btf.forget();
        self.symbols.forget();
    }

    /// The lockdown mode.
    pub fn lockdown(&self) -> Lockdown {
        self.lockdown
    }

    /// Type information of a loaded module; `None` if it has none (not loaded, or a kernel before 5.11).
    pub fn module_btf(&self, module: &str) -> Option<ModuleBtf> {
        let data = self.root.bytes(format!("sys/kernel/btf/{module}")).ok()?;
        ModuleBtf::parse(&data, self.btf.tables()?.as_ref()).ok()
    }
}
