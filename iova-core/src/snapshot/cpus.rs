//! Where each CPU's copy of per-CPU data is.

use super::memory::Memory;
use super::{Changed, layout::UnknownLayout};
use crate::kernel::{Kernel, Root};

/// `__per_cpu_offset` of every possible CPU (`include/linux/percpu-defs.h` per_cpu_ptr).
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpus(Vec<u64>);

impl Cpus {
    pub(crate) fn read(kernel: &Kernel, memory: &Memory<'_>) -> Result<Self, UnknownLayout> {
        let table = kernel.symbol("__per_cpu_offset");
        let table = table.ok_or_else(|| UnknownLayout("__per_cpu_offset".to_owned()))?;
        Self::from_table(&kernel.root, memory, table)
            .map_err(|_| UnknownLayout("content of __per_cpu_offset".to_owned()))
    }

    fn from_table(root: &Root, memory: &Memory<'_>, table: u64) -> Result<Self, Changed> {
        let possible = root.text("sys/devices/system/cpu/possible").unwrap_or_default();
        let mut bases = Vec::new();
        for cpu in list(&possible) {
            bases.push(memory.u64(table + 8 * u64::from(cpu))?);
        }
        if bases.is_empty() { Err(Changed) } else { Ok(Self(bases)) }
    }

    /// What to add to a per-CPU pointer, for each CPU.
    pub(crate) fn bases(&self) -> &[u64] {
        &self.0
    }
}

/// Numbers of a list like `0-3,8`.
fn list(text: &str) -> Vec<u32> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
            // NR_CPUS is at most 8192.
            cpus.extend((first..=last).take(8192));
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(list("0-3,8"), [0, 1, 2, 3, 8]);
        assert_eq!(list("0"), [0]);
        assert!(list("").is_empty() && list("x-y").is_empty());
    }
}
