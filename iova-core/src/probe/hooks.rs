//! THE table of hooks: which program goes where, in which profile, and what is lost without it.

use super::Profile;
use crate::kernel::Kernel;

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a function's entry.
    Entry,
    /// At a function's return.
    Exit,
    /// At a tracepoint, with typed arguments.
    Tracepoint,
}

/// One program and its place.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Name of the program in the eBPF object.
    pub program: &'static str,
    /// Kernel function or tracepoint.
    pub target: &'static str,
    /// How it attaches.
    pub place: Place,
    /// The least profile that uses it.
    pub from: Profile,
    /// The highest one.
    pub to: Profile,
    /// Hooks with the same job share a role; the job is done if one of them attaches.
    pub role: Role,
}

/// What a hook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Allocations per device: count, size, address.
    Alloc,
    /// Latency of allocations, and what belongs to which.
    AllocEntry,
    /// Rcache misses, failures, what enters the tree.
    Search,
    /// Latency of tree searches.
    SearchEntry,
    /// What leaves the tree.
    Remove,
    /// Reservations made later.
    Reserve,
    /// Death of a domain.
    DomainGone,
    /// Cache flushes.
    CacheFlush,
    /// Frees per device.
    Free,
    /// Latency of frees.
    FreeLatency,
    /// Frees of the two-step API.
    FreeTwoStep,
    /// Latency of those.
    FreeTwoStepLatency,
    /// Flush-queue timer.
    FqTimer,
    /// Flush-queue timer, entry.
    FqTimerEntry,
    /// DMA faults.
    Fault,
    /// Removal of devices.
    DeviceGone,
    /// Latency of `dma_map`.
    Map,
    /// The same, entry.
    MapEntry,
    /// Waits for the tree lock.
    LockWait,
    /// The same, begin.
    LockWaitBegin,
}

impl Role {
    /// True for those that time frees.
    pub(super) fn times_frees(self) -> bool {
        matches!(self, Self::FreeLatency | Self::FreeTwoStepLatency)
    }

    /// True for frees by the two-step API.
    pub(super) fn is_two_step(self) -> bool {
        matches!(self, Self::FreeTwoStep | Self::FreeTwoStepLatency)
    }

    /// The metric that is missing without this role, if its absence costs one.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Alloc => "alloc.count",
            Self::AllocEntry => "alloc.latency_ns",
            Self::Search => "alloc.slow",
            Self::SearchEntry => "alloc.search_ns",
            // The snapshot gives the space; the hooks only follow its growth between snapshots.
            Self::Remove | Self::Reserve | Self::DomainGone => "low_space.peak_used_bytes",
            Self::CacheFlush => "cache.flushes",
            Self::Free | Self::FreeTwoStep => "free.count",
            Self::FreeLatency | Self::FreeTwoStepLatency => "free.latency_ns",
            Self::FqTimer | Self::FqTimerEntry => "flush_queue.timer_ns",
            Self::Fault => "faults.count",
            Self::DeviceGone => "device removal",
            Self::Map | Self::MapEntry => "map.latency_ns",
            Self::LockWait | Self::LockWaitBegin => "lock.wait_ns",
        }
    }
}

/// Metrics that had a role of their own when older recordings were made.
const FORMER: [&str; 1] = ["alloc.sac_attempts"];

/// The metric of a role by its name, as [`Role::metric`] gives it.
pub(crate) fn metric_named(name: &str) -> Option<&'static str> {
    HOOKS.iter().map(|hook| hook.role.metric()).chain(FORMER).find(|metric| *metric == name)
}

/// Programs that send single calls as well, and those in whose place they are then.
const TELLING: [(&str, &str); 7] = [
    ("alloc_alone_exit_told", "alloc_alone_exit"),
    ("alloc_intel_alone_exit_told", "alloc_intel_alone_exit"),
    ("alloc_exit_told", "alloc_exit"),
    ("alloc_intel_exit_told", "alloc_intel_exit"),
    ("free_enter_told", "free_enter"),
    ("free_intel_enter_told", "free_intel_enter"),
    ("free_two_step_enter_told", "free_two_step_enter"),
];

impl Hook {
    /// The program to attach: its twin, where single calls are wanted and it has one.
    pub(super) fn program_for(&self, calls: bool) -> &'static str {
        let twin = TELLING.iter().find(|(_, program)| calls && *program == self.program);
        twin.map_or(self.program, |(twin, _)| twin)
    }

    /// True if this profile uses it.
    pub fn serves(&self, profile: Profile) -> bool {
        self.from <= profile && profile <= self.to
    }

    /// True if this is its program, or the twin of it.
    pub(super) fn runs(&self, program: &str) -> bool {
        self.program == program || self.program_for(true) == program
    }
}

/// True if a kernel can be without this role and nothing is lost: before 6.16 there is no two-step API to free from.
pub fn is_pointless(kernel: &Kernel, role: Role) -> bool {
    role.is_two_step() && !kernel.symbols.exists("dma_iova_try_alloc")
}

/// The reason why a role's programs would measure something else on this kernel, if they would.
pub fn misleading(kernel: &Kernel, role: Role) -> Option<&'static str> {
    let waits = matches!(role, Role::LockWait | Role::LockWaitBegin);
    (waits && kernel.btf.spinlocks_sleep()).then_some(
        "on a real-time kernel (PREEMPT_RT) a task that waits for a lock sleeps: several may wait on one CPU, and each may \
         go on on another, which waits kept per CPU would mix up",
    )
}

const fn hook(program: &'static str, target: &'static str, place: Place, from: Profile, role: Role) -> Hook {
    Hook { program, target, place, from, to: Profile::Full, role }
}

/// A hook that only profile `light` uses.
const fn light(program: &'static str, target: &'static str, place: Place, role: Role) -> Hook {
    Hook { program, target, place, from: Profile::Light, to: Profile::Light, role }
}

use Place::{Entry, Exit, Tracepoint};
use Profile::{Default as Usual, Full, Light};

/// In the order of attachment: the return of an allocation before its entry (an entry without a return would leave
/// frames open), and the functions inside last.
pub const HOOKS: &[Hook] = &[
    hook("device_gone", "remove_device_from_group", Tracepoint, Light, Role::DeviceGone),
    light("alloc_alone_exit", "iommu_dma_alloc_iova", Exit, Role::Alloc),
    light("alloc_intel_alone_exit", "intel_alloc_iova", Exit, Role::Alloc),
    hook("alloc_exit", "iommu_dma_alloc_iova", Exit, Usual, Role::Alloc),
    hook("alloc_intel_exit", "intel_alloc_iova", Exit, Usual, Role::Alloc),
    hook("alloc_enter", "iommu_dma_alloc_iova", Entry, Usual, Role::AllocEntry),
    hook("alloc_intel_enter", "intel_alloc_iova", Entry, Usual, Role::AllocEntry),
    hook("free_exit", "__iommu_dma_unmap", Exit, Usual, Role::FreeLatency),
    hook("free_intel_exit", "intel_unmap", Exit, Usual, Role::FreeLatency),
    hook("free_two_step_exit", "dma_iova_free", Exit, Usual, Role::FreeTwoStepLatency),
    hook("free_enter", "__iommu_dma_unmap", Entry, Light, Role::Free),
    hook("free_intel_enter", "intel_unmap", Entry, Light, Role::Free),
    hook("free_two_step_enter", "dma_iova_free", Entry, Light, Role::FreeTwoStep),
    hook("cache_flush_enter", "free_cpu_cached_iovas", Entry, Light, Role::CacheFlush),
    hook("search_exit", "alloc_iova", Exit, Light, Role::Search),
    light("search_enter", "alloc_iova", Entry, Role::SearchEntry),
    hook("remove_enter", "remove_iova", Entry, Light, Role::Remove),
    hook("remove_old_enter", "private_free_iova", Entry, Light, Role::Remove),
    hook("reserve_exit", "reserve_iova", Exit, Light, Role::Reserve),
    hook("put_domain_enter", "put_iova_domain", Entry, Light, Role::DomainGone),
    hook("fq_timer_exit", "fq_flush_timeout", Exit, Usual, Role::FqTimer),
    hook("fq_timer_enter", "fq_flush_timeout", Entry, Usual, Role::FqTimerEntry),
    hook("fault_intel_enter", "dmar_fault", Entry, Light, Role::Fault),
    hook("fault_tracepoint", "io_page_fault", Tracepoint, Light, Role::Fault),
    hook("map_page_exit", "iommu_dma_map_page", Exit, Full, Role::Map),
    hook("map_page_enter", "iommu_dma_map_page", Entry, Full, Role::MapEntry),
    hook("map_phys_exit", "iommu_dma_map_phys", Exit, Full, Role::Map),
    hook("map_phys_enter", "iommu_dma_map_phys", Entry, Full, Role::MapEntry),
    hook("map_sg_exit", "iommu_dma_map_sg", Exit, Full, Role::Map),
    hook("map_sg_enter", "iommu_dma_map_sg", Entry, Full, Role::MapEntry),
    hook("map_coherent_exit", "iommu_dma_alloc", Exit, Full, Role::Map),
    hook("map_coherent_enter", "iommu_dma_alloc", Entry, Full, Role::MapEntry),
    hook("map_two_step_exit", "dma_iova_try_alloc", Exit, Full, Role::Map),
    hook("map_two_step_enter", "dma_iova_try_alloc", Entry, Full, Role::MapEntry),
    hook("map_intel_page_exit", "intel_map_page", Exit, Full, Role::Map),
    hook("map_intel_page_enter", "intel_map_page", Entry, Full, Role::MapEntry),
    hook("map_intel_sg_exit", "intel_map_sg", Exit, Full, Role::Map),
    hook("map_intel_sg_enter", "intel_map_sg", Entry, Full, Role::MapEntry),
    hook("map_intel_coherent_exit", "intel_alloc_coherent", Exit, Full, Role::Map),
    hook("map_intel_coherent_enter", "intel_alloc_coherent", Entry, Full, Role::MapEntry),
    hook("lock_wait_end", "contention_end", Tracepoint, Full, Role::LockWait),
    hook("lock_wait_begin", "contention_begin", Tracepoint, Full, Role::LockWaitBegin),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tells_of_calls_is_in_the_place_of_who_counts_them() {
        for (twin, program) in TELLING {
            let hook = HOOKS.iter().find(|hook| hook.program == program).unwrap();
            assert!(matches!(hook.role, Role::Alloc | Role::Free | Role::FreeTwoStep));
            assert_eq!((hook.program_for(true), hook.program_for(false)), (twin, program));
            assert!(hook.runs(twin) && hook.runs(program));
        }
        // Whatever counts allocations and frees tells of them too.
        let counting =
            HOOKS.iter().filter(|hook| matches!(hook.role, Role::Alloc | Role::Free | Role::FreeTwoStep));
        assert_eq!(counting.count(), TELLING.len());
    }
}
