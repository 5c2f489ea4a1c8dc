//! Allocations per device: `iommu_dma_alloc_iova`, and what happens inside `alloc_iova_fast`.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_F_FAST_STACK_CMP;
use aya_ebpf::helpers::{bpf_get_stackid, bpf_ktime_get_ns};
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;
use iova_common::agg::{DeviceAgg, ORDERS};
use iova_common::event::Kind;

use crate::asm::{add, at_most};
use crate::device::{self, Slot};
use crate::event::{self, Facts};
use crate::frame::{self, Notes};
use crate::hist;
use crate::kernel::{Ptr, arg, arg_ptr, config, embedded, iovad_of, offset};
use crate::maps::{STACKS, lost};

/// One allocation as it returned.
struct Allocation {
    dev: Ptr,
    size: u64,
    limit: u64,
    /// 0 if it failed.
    addr: u64,
}

#[fentry(function = "iommu_dma_alloc_iova")]
pub fn alloc_enter(ctx: FEntryContext) -> i32 {
    frame::open_alloc(ctx.as_ptr(), config!(alloc_sample_mask));
    0
}

/// `dma_addr_t iommu_dma_alloc_iova(struct iommu_domain *domain, size_t size, u64 dma_limit, struct device *dev)`,
/// drivers/iommu/dma-iommu.c, the same on 5.10 to 7.3.
#[fexit(function = "iommu_dma_alloc_iova")]
pub fn alloc_exit(ctx: FExitContext) -> i32 {
    let ctx = ctx.as_ptr();
    let domain = arg_ptr(ctx, 0);
    let made = Allocation { dev: arg_ptr(ctx, 3), size: arg(ctx, 1), limit: arg(ctx, 2), addr: arg(ctx, 4) };
    returned(ctx, &made, || iovad_of(domain));
    0
}

#[fentry(function = "intel_alloc_iova")]
pub fn alloc_intel_enter(ctx: FEntryContext) -> i32 {
    frame::open_alloc(ctx.as_ptr(), config!(alloc_sample_mask));
    0
}

/// `unsigned long intel_alloc_iova(struct device *dev, struct dmar_domain *domain, unsigned long nrpages, uint64_t
/// dma_mask)`, drivers/iommu/intel/iommu.c, 5.10 only: VT-d had an allocator front end of its own until 5.11.
#[fexit(function = "intel_alloc_iova")]
pub fn alloc_intel_exit(ctx: FExitContext) -> i32 {
    let ctx = ctx.as_ptr();
    let domain = arg_ptr(ctx, 1);
    let (pages, pfn) = (arg(ctx, 2), arg(ctx, 4));
    let made = Allocation { dev: arg_ptr(ctx, 0), size: pages << 12, limit: arg(ctx, 3), addr: pfn << 12 };
    returned(ctx, &made, || embedded(domain, offset!(dmar_domain_iovad)).unwrap_or(core::ptr::null()));
    0
}

/// The order of the pages an allocation takes: 0..=20, larger ones in the last entry.
#[inline(always)]
fn order(size: u64) -> u64 {
    let mut rest = size.wrapping_sub(1) >> 12;
    if rest == 0 {
        return 0;
    }
    let mut order = 1;
    if rest >> 16 != 0 {
        rest >>= 16;
        order += 16;
    }
    if rest >> 8 != 0 {
        rest >>= 8;
        order += 8;
    }
    if rest >> 4 != 0 {
        rest >>= 4;
        order += 4;
    }
    if rest >> 2 != 0 {
        rest >>= 2;
        order += 2;
    }
    if rest >> 1 != 0 {
        order += 1;
    }
    order
}

#[inline(always)]
fn returned(ctx: *mut c_void, made: &Allocation, iovad: impl FnOnce() -> Ptr) {
    let open = frame::mine().and_then(|frames| frame::find_alloc(frames, ctx));
    let mut duration = None;
    let mut notes = Notes::NONE;
    if let Some(open) = open {
        let start = unsafe { (*open).start };
        if start != 0 {
            duration = Some(unsafe { bpf_ktime_get_ns() }.wrapping_sub(start));
        }
        notes = unsafe { (*open).notes };
        unsafe { (*open).tag = 0 };
    } else {
        lost!(frames_lost);
    }
    let Some(Slot { number, agg }) = device::slot(made.dev, iovad) else { return };
    count(agg, made);
    inside(agg, number, made, notes);
    if let Some(ns) = duration {
        hist::record(unsafe { &raw mut (*agg).alloc_latency }, ns);
        let slow = config!(slow_call_ns);
        if slow != 0 && ns >= slow {
            slow_call(ctx, number, made, ns);
        }
    }
}

#[inline(always)]
fn count(agg: *mut DeviceAgg, made: &Allocation) {
    let orders = unsafe { &raw mut (*agg).alloc_by_order }.cast::<u64>();
    let order = at_most::<{ ORDERS as u64 - 1 }>(order(made.size));
    add!(orders.add(order as usize), 1);
    add!(&raw mut (*agg).alloc_bytes, made.size);
    if made.addr == 0 {
        add!(&raw mut (*agg).alloc_failed, 1);
    } else if made.addr >> 32 != 0 {
        add!(&raw mut (*agg).alloc_high, 1);
    }
}

/// What the inner functions noted during the call.
#[inline(always)]
fn inside(agg: *mut DeviceAgg, slot: u32, made: &Allocation, notes: Notes) {
    let facts = Facts {
        dev: made.dev as u64,
        addr: made.addr,
        size: made.size,
        arg: made.limit,
        slot,
        ..Facts::NONE
    };
    if notes.sac_attempts != 0 {
        add!(&raw mut (*agg).sac_attempts, notes.sac_attempts);
    }
    if notes.slow != 0 {
        add!(&raw mut (*agg).alloc_slow, notes.slow);
        if notes.tree_failed != 0 {
            add!(&raw mut (*agg).tree_failed, notes.tree_failed);
        }
        if notes.flushes != 0 {
            add!(&raw mut (*agg).cache_flushes, notes.flushes);
            event::send(Kind::CacheFlush, facts);
        }
        if notes.sac_failed != 0 {
            add!(&raw mut (*agg).sac_failed, notes.sac_failed);
            event::send(if made.addr >> 32 != 0 { Kind::FellBack } else { Kind::SacFailed }, facts);
        }
    }
    if made.addr == 0 {
        event::send(Kind::AllocFailed, facts);
    }
}

#[inline(always)]
fn slow_call(ctx: *mut c_void, slot: u32, made: &Allocation, ns: u64) {
    let stacks = (&raw const STACKS).cast_mut().cast();
    let stack = unsafe { bpf_get_stackid(ctx, stacks, u64::from(BPF_F_FAST_STACK_CMP)) } as i32;
    let facts = Facts { dev: made.dev as u64, addr: made.addr, size: made.size, arg: ns, slot, stack, iovad: 0 };
    event::send(Kind::SlowCall, facts);
}

/// `unsigned long alloc_iova_fast(struct iova_domain *iovad, unsigned long size, unsigned long limit_pfn, bool
/// flush_rcache)`, drivers/iommu/iova.c. Of its callers only a SAC attempt passes `false` (`iommu_dma_alloc_iova`,
/// and `intel_alloc_iova` on 5.10).
#[fentry(function = "alloc_iova_fast")]
pub fn fast_enter(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    let flush = arg(ctx, 3) & 0xff;
    let Some(open) = frame::around(ctx) else {
        lost!(inner_unowned);
        return 0;
    };
    unsafe {
        let attempt = u16::from(flush == 0);
        (*open).notes.sac_attempts += attempt;
        (*open).notes.in_sac = attempt;
    }
    0
}
