//! Allocations per device: `iommu_dma_alloc_iova`, and what happens inside `alloc_iova_fast`.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_F_FAST_STACK_CMP;
use aya_ebpf::helpers::{bpf_get_stackid, bpf_ktime_get_ns};
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;
use core::ptr::NonNull;
use iova_common::agg::{DeviceAgg, ORDERS};
use iova_common::event::Kind;

use crate::asm::{add, at_most, narrow};
use crate::device::{self, Slot};
use crate::event::{self, Facts};
use crate::frame::{self, Frame, Notes};
use crate::hist;
use crate::kernel::{Ptr, arg, arg_ptr, config, embedded, field, iovad_of, offset};
use crate::maps::{STACKS, lost};

/// One allocation as it returned.
struct Allocation {
    dev: Ptr,
    size: u64,
    limit: u64,
    /// 0 if it failed.
    addr: u64,
}

impl Allocation {
    #[inline(always)]
    fn facts(&self, slot: u32) -> Facts {
        Facts { dev: self.dev as u64, addr: self.addr, size: self.size, arg: self.limit, slot, ..Facts::NONE }
    }
}

#[fentry(function = "iommu_dma_alloc_iova")]
pub fn alloc_enter(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    frame::open_alloc(ctx, config!(alloc_sample_mask), limit(arg(ctx, 2), arg_ptr(ctx, 3)));
    0
}

/// What the device may use: its mask, or the bus's limit if that is lower. Only needed (and only read) where the
/// program on `alloc_iova_fast` is not there to see the attempts themselves.
#[inline(always)]
fn limit(mask: u64, dev: Ptr) -> u64 {
    if config!(fast_hook) != 0 {
        return 0;
    }
    match field::<u64>(dev, offset!(device_bus_dma_limit)) {
        Some(bus) if bus != 0 && bus < mask => bus,
        _ => mask,
    }
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
    let ctx = ctx.as_ptr();
    frame::open_alloc(ctx, config!(alloc_sample_mask), arg(ctx, 3));
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
    narrow!(rest, order, 16, 16, 16);
    narrow!(rest, order, 8, 8, 8);
    narrow!(rest, order, 4, 4, 4);
    narrow!(rest, order, 2, 2, 2);
    if rest >> 1 != 0 {
        order += 1;
    }
    order
}

#[inline(always)]
fn returned(ctx: *mut c_void, made: &Allocation, iovad: impl FnOnce() -> Ptr) {
    let open = frame::find_alloc(ctx).map_or(core::ptr::null_mut(), NonNull::as_ptr);
    let ns = if open.is_null() { 0 } else { duration(open) };
    let Some(Slot { number, agg }) = device::slot(made.dev, iovad) else { return };
    count(agg, made);
    if ns != 0 {
        hist::record(unsafe { &raw mut (*agg).alloc_latency }, ns);
        let slow = config!(slow_call_ns);
        if slow != 0 && ns >= slow {
            slow_call(ctx, number, made, ns);
        }
    }
    if open.is_null() {
        lost!(frames_lost);
    } else {
        inside(agg, number, made, unsafe { &(*open).notes });
        unsafe { (*open).tag = 0 };
    }
    if made.addr == 0 {
        event::send(Kind::AllocFailed, made.facts(number));
    }
}

/// How long the call took, 0 if it was not timed.
#[inline(always)]
fn duration(open: *mut Frame) -> u64 {
    let start = unsafe { (*open).start };
    if start == 0 {
        return 0;
    }
    unsafe { bpf_ktime_get_ns() }.wrapping_sub(start)
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
fn inside(agg: *mut DeviceAgg, slot: u32, made: &Allocation, notes: &Notes) {
    match notes.counts() {
        Notes::NOTHING => {}
        Notes::ONE_SAC_ATTEMPT => add!(&raw mut (*agg).sac_attempts, 1),
        _ => inside_slow(agg, slot, made, notes),
    }
}

#[inline(always)]
fn inside_slow(agg: *mut DeviceAgg, slot: u32, made: &Allocation, notes: &Notes) {
    add!(&raw mut (*agg).sac_attempts, notes.sac_attempts);
    add!(&raw mut (*agg).alloc_slow, notes.slow);
    if notes.tree_failed == 0 {
        return;
    }
    add!(&raw mut (*agg).tree_failed, notes.tree_failed);
    if notes.flushes != 0 {
        add!(&raw mut (*agg).cache_flushes, notes.flushes);
        event::send(Kind::CacheFlush, made.facts(slot));
    }
    if notes.sac_failed != 0 {
        add!(&raw mut (*agg).sac_failed, notes.sac_failed);
        let kind = if made.addr >> 32 != 0 { Kind::FellBack } else { Kind::SacFailed };
        event::send(kind, made.facts(slot));
    }
}

#[inline(always)]
fn slow_call(ctx: *mut c_void, slot: u32, made: &Allocation, ns: u64) {
    let stacks = (&raw const STACKS).cast_mut().cast();
    let stack = unsafe { bpf_get_stackid(ctx, stacks, u64::from(BPF_F_FAST_STACK_CMP)) } as i32;
    event::send(Kind::SlowCall, Facts { arg: ns, stack, ..made.facts(slot) });
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
    let open = open.as_ptr();
    unsafe {
        let attempt = u16::from(flush == 0);
        (*open).notes.sac_attempts += attempt;
        (*open).notes.in_sac = attempt;
    }
    0
}
