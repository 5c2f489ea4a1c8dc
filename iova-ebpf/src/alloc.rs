//! Allocations per device: `iommu_dma_alloc_iova`, and what happens inside `alloc_iova_fast`.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_F_FAST_STACK_CMP;
use aya_ebpf::helpers::bpf_get_stackid;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;
use iova_common::agg::{self, DeviceAgg, ORDERS, sac};
use iova_common::call::CallKind;
use iova_common::config::sac as sac_told_by;
use iova_common::event::Kind;

use crate::asm::{add, at_most, narrow};
use crate::call::{self, SILENT, TELLING, Told};
use crate::device;
use crate::event::{self, Facts};
use crate::frame::{self, Notes};
use crate::hist;
use crate::kernel::{Ptr, arg, arg_ptr, config, embedded, iovad_of, load, mask, offset};
use crate::log::log;
use crate::maps::{RECENT, STACKS, WATCHED, lost};

/// Where one of the kernel's two front ends keeps what we want to know. Arguments are read from the trampoline's copy
/// when they are needed, which is cheaper than keeping them across calls.
trait FrontEnd {
    fn dev(ctx: *mut c_void) -> Ptr;
    /// Bytes asked for.
    fn size(ctx: *mut c_void) -> u64;
    /// Highest address the device can use.
    fn limit(ctx: *mut c_void) -> u64;
    /// The address, 0 if the call failed. Only at return.
    fn addr(ctx: *mut c_void) -> u64;
    /// The domain it came from.
    fn iovad(ctx: *mut c_void) -> Ptr;
    /// True if it heeds `bus_dma_limit`, and tries below 4 GiB first only for PCI devices.
    const HEEDS_BUSES: bool;
}

/// `dma_addr_t iommu_dma_alloc_iova(struct iommu_domain *domain, size_t size, u64 dma_limit, struct device *dev)`,
/// drivers/iommu/dma-iommu.c, the same on 5.10 to 7.3.
struct DmaIommu;

impl FrontEnd for DmaIommu {
    const HEEDS_BUSES: bool = true;
    #[inline(always)]
    fn dev(ctx: *mut c_void) -> Ptr {
        arg_ptr(ctx, 3)
    }
    #[inline(always)]
    fn size(ctx: *mut c_void) -> u64 {
        arg(ctx, 1)
    }
    #[inline(always)]
    fn limit(ctx: *mut c_void) -> u64 {
        arg(ctx, 2)
    }
    #[inline(always)]
    fn addr(ctx: *mut c_void) -> u64 {
        arg(ctx, 4)
    }
    #[inline(always)]
    fn iovad(ctx: *mut c_void) -> Ptr {
        iovad_of(arg_ptr(ctx, 0))
    }
}

/// `unsigned long intel_alloc_iova(struct device *dev, struct dmar_domain *domain, unsigned long nrpages, uint64_t
/// dma_mask)`, drivers/iommu/intel/iommu.c, 5.10 only: VT-d had an allocator front end of its own until 5.11. Returns a
/// page frame.
struct IntelOld;

impl FrontEnd for IntelOld {
    const HEEDS_BUSES: bool = false;
    #[inline(always)]
    fn dev(ctx: *mut c_void) -> Ptr {
        arg_ptr(ctx, 0)
    }
    #[inline(always)]
    fn size(ctx: *mut c_void) -> u64 {
        arg(ctx, 2) << 12
    }
    #[inline(always)]
    fn limit(ctx: *mut c_void) -> u64 {
        arg(ctx, 3)
    }
    #[inline(always)]
    fn addr(ctx: *mut c_void) -> u64 {
        arg(ctx, 4) << 12
    }
    #[inline(always)]
    fn iovad(ctx: *mut c_void) -> Ptr {
        embedded(arg_ptr(ctx, 1), offset!(dmar_domain_iovad)).unwrap_or(core::ptr::null())
    }
}

#[fentry(function = "iommu_dma_alloc_iova")]
pub fn alloc_enter(ctx: FEntryContext) -> i32 {
    enter(ctx.as_ptr())
}

#[fexit(function = "iommu_dma_alloc_iova")]
pub fn alloc_exit(ctx: FExitContext) -> i32 {
    exit::<DmaIommu, SILENT>(ctx.as_ptr())
}

#[fexit(function = "iommu_dma_alloc_iova")]
pub fn alloc_exit_told(ctx: FExitContext) -> i32 {
    exit::<DmaIommu, TELLING>(ctx.as_ptr())
}

#[fexit(function = "iommu_dma_alloc_iova")]
pub fn alloc_alone_exit(ctx: FExitContext) -> i32 {
    exit_alone::<DmaIommu, SILENT>(ctx.as_ptr())
}

#[fexit(function = "iommu_dma_alloc_iova")]
pub fn alloc_alone_exit_told(ctx: FExitContext) -> i32 {
    exit_alone::<DmaIommu, TELLING>(ctx.as_ptr())
}

#[fentry(function = "intel_alloc_iova")]
pub fn alloc_intel_enter(ctx: FEntryContext) -> i32 {
    enter(ctx.as_ptr())
}

#[fexit(function = "intel_alloc_iova")]
pub fn alloc_intel_exit(ctx: FExitContext) -> i32 {
    exit::<IntelOld, SILENT>(ctx.as_ptr())
}

#[fexit(function = "intel_alloc_iova")]
pub fn alloc_intel_exit_told(ctx: FExitContext) -> i32 {
    exit::<IntelOld, TELLING>(ctx.as_ptr())
}

#[fexit(function = "intel_alloc_iova")]
pub fn alloc_intel_alone_exit(ctx: FExitContext) -> i32 {
    exit_alone::<IntelOld, SILENT>(ctx.as_ptr())
}

#[fexit(function = "intel_alloc_iova")]
pub fn alloc_intel_alone_exit_told(ctx: FExitContext) -> i32 {
    exit_alone::<IntelOld, TELLING>(ctx.as_ptr())
}

#[inline(always)]
fn enter(ctx: *mut c_void) -> i32 {
    frame::open_alloc(ctx);
    0
}

/// Return of an allocation whose entry was seen, too.
#[inline(always)]
fn exit<F: FrontEnd, const TELL: bool>(ctx: *mut c_void) -> i32 {
    let open = frame::find_alloc(ctx);
    let ns = if open.is_null() { 0 } else { unsafe { (*open).timer.elapsed() } };
    let Some(agg) = device::slot(F::dev(ctx), F::HEEDS_BUSES, || F::iovad(ctx)) else { return 0 };
    let noted = !open.is_null() && unsafe { (*open).notes.counts() } != Notes::NOTHING;
    count::<F>(ctx, agg, !noted);
    if TELL {
        tell::<F>(ctx, ns);
    }
    if open.is_null() {
        lost!(frames_lost);
        return 0;
    }
    timed::<F>(ctx, agg, ns);
    if noted {
        inside::<F>(ctx, agg, unsafe { &mut (*open).notes });
    }
    unsafe { (*open).timer.tag = 0 };
    0
}

#[inline(always)]
fn timed<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg, ns: u64) {
    hist::record(unsafe { &raw mut (*agg).alloc_latency }, ns);
    if config!(closer) == 0 {
        return;
    }
    if is_watched::<F>(ctx) {
        record_order(F::size(ctx), ns);
        remember(F::addr(ctx), F::size(ctx));
    }
    let slow = config!(slow_call_ns);
    if slow != 0 && ns >= slow {
        slow_call::<F>(ctx, agg, ns);
    }
}

/// Return of an allocation whose entry is not traced: the inner functions have left notes, and nothing is timed but searches.
#[inline(always)]
fn exit_alone<F: FrontEnd, const TELL: bool>(ctx: *mut c_void) -> i32 {
    let Some(agg) = device::slot(F::dev(ctx), F::HEEDS_BUSES, || F::iovad(ctx)) else { return 0 };
    let noted = frame::claim(ctx, || F::iovad(ctx) as u64);
    count::<F>(ctx, agg, noted.is_null());
    if TELL {
        tell::<F>(ctx, 0);
    }
    if !noted.is_null() {
        let frame = unsafe { &mut *noted };
        if frame.search_ns != 0 {
            hist::record(unsafe { &raw mut (*agg).alloc_latency }, frame.search_ns);
        }
        inside::<F>(ctx, agg, &mut frame.notes);
        frame.timer.tag = 0;
    }
    0
}

#[inline(always)]
fn is_watched<F: FrontEnd>(ctx: *mut c_void) -> bool {
    let watched = config!(watch_dev);
    watched != 0 && F::dev(ctx) as u64 == watched
}

/// Keeps a high address for whoever has to explain a fault.
#[inline(always)]
fn remember(addr: u64, size: u64) {
    if addr >> 32 == 0 {
        return;
    }
    if let Some(recent) = RECENT.get_ptr_mut(0) {
        let place = unsafe { (*recent).next };
        unsafe { (*recent).next = place.wrapping_add(1) };
        let ranges = unsafe { &raw mut (*recent).ranges }.cast::<u64>();
        let index = at_most::<{ agg::RECENT as u64 - 1 }>(place & (agg::RECENT as u64 - 1));
        unsafe { *ranges.add(index as usize) = agg::pack_recent(addr, size) };
    }
}

#[inline(always)]
fn tell<F: FrontEnd>(ctx: *mut c_void, ns: u64) {
    let addr = F::addr(ctx);
    let kind = if addr == 0 { CallKind::Failed } else { CallKind::Alloc };
    call::send(Told { kind, dev: F::dev(ctx) as u64, addr, limit: F::limit(ctx), size: F::size(ctx), ns });
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

/// Keeps the latency of one allocation of the watched device with those of its order.
#[inline(always)]
fn record_order(size: u64, ns: u64) {
    let order = at_most::<{ ORDERS as u64 - 1 }>(order(size));
    if let Some(latency) = WATCHED.get_ptr_mut(order as u32) {
        hist::record(latency, ns);
    }
}

/// Counts an allocation; `cached` if no search was noted for it.
#[inline(always)]
fn count<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg, cached: bool) {
    let size = F::size(ctx);
    let order = at_most::<{ ORDERS as u64 - 1 }>(order(size));
    let by_order = unsafe { agg.cast::<u8>().add((order << 3) as usize) };
    add!(by_order, DeviceAgg.alloc_by_order, 1);
    add!(agg, DeviceAgg.alloc_bytes, size);
    let addr = F::addr(ctx);
    if addr >> 32 != 0 {
        add!(agg, DeviceAgg.alloc_high, 1);
    } else if addr == 0 {
        add!(agg, DeviceAgg.alloc_failed, 1);
        log!(
            warn,
            "device {:x} got no address for {} bytes below {:x}",
            half(F::dev(ctx) as u64),
            size,
            F::limit(ctx)
        );
        event::send(Kind::AllocFailed, facts::<F>(ctx, agg));
    } else if cached && is_attempt::<F>(ctx, agg) {
        add!(agg, DeviceAgg.sac_attempts, 1);
    }
}

/// True if the kernel tried below 4 GiB first, and was served there from a cache: nothing tells but the conditions that it
/// asks for itself. A search below 4 GiB tells of itself: meanwhile another one may have failed, and taken the flag.
#[inline(always)]
fn is_attempt<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg) -> bool {
    if F::limit(ctx) >> 32 == 0 {
        return false;
    }
    let when = unsafe { (*agg).sac };
    if config!(sac) != sac_told_by::FLAG {
        return when == sac::ALWAYS;
    }
    if when == sac::CONFINED {
        return false;
    }
    let iommu = load!(Ptr, F::dev(ctx), device_iommu);
    let flags = load!(u8, iommu, dev_iommu_pci_32bit_workaround);
    mask!(u64::from(flags), sac_flag) != 0
}

#[inline(always)]
fn facts<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg) -> Facts {
    let (addr, size, arg) = (F::addr(ctx), F::size(ctx), F::limit(ctx));
    let slot = unsafe { (*agg).slot };
    Facts { dev: F::dev(ctx) as u64, addr, size, arg, slot, ..Facts::NONE }
}

/// What the inner functions noted during the call.
#[inline(always)]
fn inside<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg, notes: &mut Notes) {
    // The kernel had no choice.
    if F::limit(ctx) >> 32 == 0 || unsafe { (*agg).sac } == sac::CONFINED {
        (notes.sac_attempts, notes.sac_failed) = (0, 0);
    }
    add!(agg, DeviceAgg.sac_attempts, notes.sac_attempts);
    add!(agg, DeviceAgg.alloc_slow, notes.slow);
    if notes.tree_failed != 0 {
        failed::<F>(ctx, agg, notes);
    }
    notes.clear();
}

#[inline(always)]
fn failed<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg, notes: &Notes) {
    add!(agg, DeviceAgg.tree_failed, notes.tree_failed);
    if notes.flushes != 0 {
        add!(agg, DeviceAgg.cache_flushes, notes.flushes);
        event::send(Kind::CacheFlush, facts::<F>(ctx, agg));
    }
    if notes.sac_failed != 0 {
        add!(agg, DeviceAgg.sac_failed, notes.sac_failed);
        log!(info, "device {:x} found nothing below 4 GiB, got {:x}", half(F::dev(ctx) as u64), F::addr(ctx));
        let kind = if F::addr(ctx) >> 32 != 0 { Kind::FellBack } else { Kind::SacFailed };
        event::send(kind, facts::<F>(ctx, agg));
    }
}

#[inline(always)]
fn slow_call<F: FrontEnd>(ctx: *mut c_void, agg: *mut DeviceAgg, ns: u64) {
    let stacks = (&raw const STACKS).cast_mut().cast();
    let stack = unsafe { bpf_get_stackid(ctx, stacks, u64::from(BPF_F_FAST_STACK_CMP)) } as i32;
    event::send(Kind::SlowCall, Facts { arg: ns, stack, ..facts::<F>(ctx, agg) });
}
