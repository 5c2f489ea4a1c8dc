//! The kernel's symbols: by its index of names, and by the listing that is read where the index may not be asked.

use std::fs;

use anyhow::{Context, Result, ensure};
use iova_core::kernel::Kernel;

use crate::Outcome;

const RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

/// Addresses hidden from everybody, so that the index answers nobody, until this is dropped.
pub(super) struct Hidden(String);

impl Hidden {
    pub(super) fn now() -> Result<Self> {
        let before = fs::read_to_string(RESTRICT).context(RESTRICT)?;
        fs::write(RESTRICT, "2").context(RESTRICT)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::write(RESTRICT, &self.0);
    }
}

/// Of the kernel and of a module, functions and data, one of several with its name, and none.
const NAMES: [&str; 8] = [
    "_text",
    "alloc_iova",
    "iommu_group_kset",
    "__per_cpu_offset",
    "__tracepoint_io_page_fault",
    "nvme_init_ctrl",
    "show_temp",
    "iova_no_such_symbol",
];

pub(super) fn both_ways() -> Result<Outcome> {
    let kernel = Kernel::load()?;
    let listing = fs::read_to_string("/proc/kallsyms")?;
    for name in NAMES {
        let mut lines = listing.lines().map(|line| line.split_whitespace());
        let listed = lines.find_map(|mut words| {
            let address = words.next()?;
            (words.nth(1)? == name).then(|| u64::from_str_radix(address, 16))
        });
        let listed = listed.transpose()?;
        ensure!(kernel.symbol(name) == listed, "{name}: {:x?}, listed as {listed:x?}", kernel.symbol(name));
        ensure!(kernel.symbols.exists(name) == listed.is_some(), "{name}");
    }
    let _hidden = Hidden::now()?;
    let kernel = Kernel::load()?;
    ensure!(kernel.symbols.hidden(), "addresses are seen that are hidden");
    for name in NAMES {
        ensure!(kernel.symbol(name).is_none(), "{name} has an address that is hidden");
        ensure!(kernel.symbols.exists(name) == listing.contains(&format!(" {name}")), "{name}");
    }
    Ok(Outcome::Passed)
}
