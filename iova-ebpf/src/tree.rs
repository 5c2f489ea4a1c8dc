//! The tree: every search, and what goes in and out. Nothing here runs for an allocation served from a cache.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;

use iova_common::agg::DomainAgg;

use crate::asm::add;
use crate::domain;
use crate::frame;
use crate::kernel::{Ptr, arg, arg_ptr, config, field, offset};
use crate::log::log;
use crate::maps::{DOMAIN_SLOTS, lost};

/// First page frame at 4 GiB, for 4 KiB pages (`dma_32bit_pfn` of every domain on x86).
const PFN_4G: u64 = 1 << 20;

/// A node's pages, split at 4 GiB.
struct Pages {
    low: u64,
    high: u64,
}

/// The pages of a `struct iova`.
#[inline(always)]
fn pages(iova: Ptr) -> Option<Pages> {
    let lo = field::<u64>(iova, offset!(iova_pfn_lo))?;
    let hi = field::<u64>(iova, offset!(iova_pfn_hi))?;
    let all = hi.wrapping_sub(lo).wrapping_add(1);
    if lo >= PFN_4G {
        return Some(Pages { low: 0, high: all });
    }
    let low = if hi < PFN_4G { all } else { PFN_4G - lo };
    Some(Pages { low, high: all - low })
}

/// `struct iova *alloc_iova(struct iova_domain *iovad, unsigned long size, unsigned long limit_pfn, bool
/// size_aligned)`, drivers/iommu/iova.c: called by `alloc_iova_fast` when no cache had an address.
#[fentry(function = "alloc_iova")]
pub fn search_enter(ctx: FEntryContext) -> i32 {
    frame::open_search(ctx.as_ptr());
    0
}

/// The same, on its return.
#[fexit(function = "alloc_iova")]
pub fn search_exit(ctx: FExitContext) -> i32 {
    let ctx = ctx.as_ptr();
    let found = arg_ptr(ctx, 4);
    let ns = if config!(alloc_entry) == 0 { frame::close_search(ctx).unwrap_or(0) } else { 0 };
    note(ctx, found.is_null(), arg(ctx, 2) < PFN_4G, ns);
    if !found.is_null() {
        added(arg_ptr(ctx, 0) as u64, found);
    }
    0
}

/// Tells the allocation around this search. After a flush the same `alloc_iova_fast` searches again: that is one slow
/// call, not two. `low` says that the search was limited to 4 GiB.
#[inline(always)]
fn note(ctx: *mut c_void, failed: bool, low: bool, ns: u64) {
    let Some(open) = frame::notes(ctx, arg_ptr(ctx, 0) as u64) else {
        log!(debug, "a search in domain {:x} belongs to no allocation", half(arg_ptr(ctx, 0) as u64));
        lost!(inner_unowned);
        return;
    };
    let open = unsafe { &mut *open.as_ptr() };
    open.search_ns += ns;
    let notes = &mut open.notes;
    // A SAC attempt, if the device can use more, which the allocation around knows. For one that can't a cache flush follows a failed
    // search, which no SAC attempt asks for, and takes the verdict back.
    notes.in_sac = u16::from(low && notes.retry == 0);
    notes.sac_attempts += notes.in_sac;
    if notes.retry == 0 {
        notes.slow += 1;
    }
    notes.retry = 0;
    if failed {
        notes.tree_failed += 1;
        notes.sac_failed += notes.in_sac;
    } else {
        notes.in_sac = 0;
    }
}

#[inline(always)]
fn added(iovad: u64, iova: Ptr) {
    if let (Some(agg), Some(pages)) = (domain::agg(iovad), pages(iova)) {
        add!(agg, DomainAgg.low_added, pages.low);
        add!(agg, DomainAgg.high_added, pages.high);
        add!(agg, DomainAgg.nodes_added, 1);
    }
}

#[inline(always)]
fn removed(ctx: *mut c_void) {
    if let (Some(agg), Some(pages)) = (domain::agg(arg_ptr(ctx, 0) as u64), pages(arg_ptr(ctx, 1))) {
        add!(agg, DomainAgg.low_removed, pages.low);
        add!(agg, DomainAgg.high_removed, pages.high);
        add!(agg, DomainAgg.nodes_removed, 1);
    }
}

/// `static void remove_iova(struct iova_domain *iovad, struct iova *iova)`, drivers/iommu/iova.c, 5.11 and later.
/// Runs with `iova_rbtree_lock` held and interrupts off: keep it short.
#[fentry(function = "remove_iova")]
pub fn remove_enter(ctx: FEntryContext) -> i32 {
    removed(ctx.as_ptr());
    0
}

/// The same function under its name up to 5.10.
#[fentry(function = "private_free_iova")]
pub fn remove_old_enter(ctx: FEntryContext) -> i32 {
    removed(ctx.as_ptr());
    0
}

/// `struct iova *reserve_iova(struct iova_domain *iovad, unsigned long pfn_lo, unsigned long pfn_hi)`.
#[fexit(function = "reserve_iova")]
pub fn reserve_exit(ctx: FExitContext) -> i32 {
    let ctx = ctx.as_ptr();
    let node = arg_ptr(ctx, 3);
    if node.is_null() {
        return 0;
    }
    let iovad = arg_ptr(ctx, 0) as u64;
    added(iovad, node);
    if let (Some(agg), Some(pages)) = (domain::known_agg(iovad), pages(node)) {
        add!(agg, DomainAgg.low_reserved, pages.low);
    }
    0
}

/// `void put_iova_domain(struct iova_domain *iovad)`: the domain dies, and its address may come again.
#[fentry(function = "put_iova_domain")]
pub fn put_domain_enter(ctx: FEntryContext) -> i32 {
    let _ = DOMAIN_SLOTS.remove(arg_ptr(ctx.as_ptr(), 0) as u64);
    0
}
