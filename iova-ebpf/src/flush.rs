//! Cache flushes and runs of the flush-queue timer.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use iova_common::agg::DomainAgg;

use crate::asm::add;
use crate::domain;
use crate::frame;
use crate::hist;
use crate::kernel::{ABSENT, Ptr, arg_ptr, offset};
use crate::maps::{FQ_TIMERS, WAITS};

/// `free_cpu_cached_iovas(unsigned int cpu, struct iova_domain *iovad)`, drivers/iommu/iova.c: called once per online
/// CPU when `alloc_iova_fast` flushes the caches and searches again.
#[fentry(function = "free_cpu_cached_iovas")]
pub fn cache_flush_enter(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    if let Some(agg) = domain::agg(arg_ptr(ctx, 1) as u64) {
        add!(agg, DomainAgg.cpu_cache_flushes, 1);
    }
    // CPU hotplug calls it too, with no allocation around.
    if let Some(open) = frame::notes_of_search(ctx, arg_ptr(ctx, 1) as u64) {
        let notes = unsafe { &mut (*open.as_ptr()).notes };
        if notes.retry == 0 {
            notes.flushes += 1;
            notes.retry = 1;
            notes.sac_failed -= notes.in_sac;
            notes.sac_attempts -= notes.in_sac;
            notes.in_sac = 0;
        }
    }
    0
}

/// The `struct iova_domain` of a flush-queue timer: in the domain itself on 5.10, in the cookie around it later.
#[inline(always)]
fn iovad_of_timer(timer: Ptr) -> Option<Ptr> {
    let in_domain = offset!(iova_domain_fq_timer);
    if in_domain != ABSENT {
        return Some(unsafe { timer.sub(in_domain as usize) });
    }
    let (in_cookie, iovad) = (offset!(iommu_dma_cookie_fq_timer), offset!(iommu_dma_cookie_iovad));
    if in_cookie == ABSENT || iovad == ABSENT {
        return None;
    }
    Some(unsafe { timer.sub(in_cookie as usize).add(iovad as usize) })
}

/// `static void fq_flush_timeout(struct timer_list *t)`: softirq, never nested on one CPU.
#[fentry(function = "fq_flush_timeout")]
pub fn fq_timer_enter(_ctx: FEntryContext) -> i32 {
    if let Some(wait) = WAITS.get_ptr_mut(0) {
        unsafe { (*wait).fq_timer_start = bpf_ktime_get_ns() };
    }
    0
}

#[fexit(function = "fq_flush_timeout")]
pub fn fq_timer_exit(ctx: FExitContext) -> i32 {
    let Some(wait) = WAITS.get_ptr_mut(0) else { return 0 };
    let start = unsafe { (*wait).fq_timer_start };
    unsafe { (*wait).fq_timer_start = 0 };
    let Some(iovad) = iovad_of_timer(arg_ptr(ctx.as_ptr(), 0)) else { return 0 };
    if start == 0 {
        return 0;
    }
    let ns = unsafe { bpf_ktime_get_ns() }.wrapping_sub(start);
    if let Some(runs) = domain::slot(iovad as u64).and_then(|slot| FQ_TIMERS.get_ptr_mut(slot)) {
        hist::record(runs, ns);
    }
    0
}
