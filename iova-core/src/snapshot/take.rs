//! Taking a snapshot of all domains.

use super::cpus::Cpus;
use super::domain::Reader;
use super::groups::{Group, GroupLayout};
use super::layout::Layout;
use super::memory::Memory;
use super::reserved::Reservations;
use super::{DomainState, Snapshot};
use crate::kernel::{Kcore, Kernel, KernelError};

/// Attempts to read the list of groups: it changes only when devices come and go.
const ATTEMPTS: u32 = 5;

/// The state of the allocator now. Never fails as a whole: what could not be read is a sentence in `missing`.
pub fn take(kernel: &Kernel) -> Snapshot {
    of_groups(kernel, |_| true)
}

/// The same for one group's domain only: quicker, where a device has just faulted.
pub fn take_group(kernel: &Kernel, group: u32) -> Snapshot {
    of_groups(kernel, |id| id == group)
}

fn of_groups(kernel: &Kernel, wanted: impl Fn(u32) -> bool) -> Snapshot {
    let mut snapshot = Snapshot { ns: now_ns(), ..Snapshot::default() };
    if let Err(sentence) = fill(kernel, wanted, &mut snapshot) {
        snapshot.missing.push(sentence);
    }
    snapshot
}

/// The groups, read until the list holds still.
pub(crate) fn groups(kernel: &Kernel, kcore: &Kcore) -> Result<Vec<Group>, String> {
    if kernel.symbols.hidden() {
        return Err(KernelError::SymbolsHidden.to_string());
    }
    if kernel.symbol("iommu_group_kset").is_none() {
        return without_groups(kernel);
    }
    let layout = GroupLayout::resolve(kernel).map_err(|error| error.to_string())?;
    let read = || layout.read(&Memory::new(kcore)).ok();
    (0..ATTEMPTS).find_map(|_| read()).ok_or_else(|| {
        "the list of IOMMU groups changed whenever it was read: wait until no device is being added or removed, \
         and try again"
            .to_owned()
    })
}

/// Without the symbol there is either no IOMMU support at all, or no table of data symbols.
fn without_groups(kernel: &Kernel) -> Result<Vec<Group>, String> {
    if kernel.root.names("sys/kernel/iommu_groups").is_empty() {
        return Ok(Vec::new());
    }
    Err("this kernel does not list its data symbols (iommu_group_kset is not in /proc/kallsyms), so IOMMU groups can't \
         be found in its memory: use a kernel with CONFIG_KALLSYMS_ALL=y"
        .to_owned())
}

fn fill(kernel: &Kernel, wanted: impl Fn(u32) -> bool, snapshot: &mut Snapshot) -> Result<(), String> {
    let kcore = kernel.kcore().map_err(|error| format!("allocator state is missing: {error}"))?;
    let groups = groups(kernel, &kcore)?;
    if groups.iter().all(|group| group.domain.is_none()) {
        return Ok(());
    }
    let layout = Layout::resolve(&kernel.btf).map_err(|error| error.to_string())?;
    let cpus = Cpus::read(kernel, &Memory::new(&kcore)).map_err(|error| error.to_string())?;
    let reservations = Reservations::new(kernel);
    snapshot.missing.extend(reservations.missing());
    let reader = Reader { kcore: &kcore, layout: &layout, cpus: &cpus, reservations: &reservations };
    for group in groups.iter().filter(|group| wanted(group.id)) {
        match reader.domain(group) {
            None => {}
            Some(Ok(domain)) => add(&mut snapshot.domains, domain),
            Some(Err(_)) => snapshot.missing.push(format!(
                "the domain of IOMMU group {} changed faster than it could be read: try again with less load",
                group.id
            )),
        }
    }
    Ok(())
}

/// Groups may share a domain; it is listed once.
fn add(domains: &mut Vec<DomainState>, domain: DomainState) {
    if domains.iter().all(|known| known.iovad != domain.iovad) {
        domains.push(domain);
    }
}

fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; CLOCK_MONOTONIC always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}
