//! Open calls: what links a function's entry to its return, and the functions called inside to the call around them.
//!
//! The key is the address of the trampoline's saved arguments (the program's ctx): entry and return of one invocation
//! see the same address, and a nested callee's address is a little lower on the same stack (kernel-side layout of
//! `arch_prepare_bpf_trampoline`, arch/x86/net/bpf_jit_comp.c). An interrupt that allocates for another device while a
//! call is open on this CPU runs on another stack or deeper on the same one, so it can't be taken for it.
//!
//! Each CPU has a few ways per kind of call: interrupts nest strictly, so the lowest free way is always right. A task
//! that is preempted and returns on another CPU leaves its way behind; it is taken back when found stale, and the call
//! is counted without what the frame would have told (`frames_lost`).

use core::ptr::NonNull;

use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::asm::low32;
use crate::kernel::config;
use crate::maps::{FRAMES, lost};

/// Open calls of one kind per CPU: task, softirq, hardirq, and one to spare.
const WAYS: usize = 4;
/// A callee's saved arguments lie at most this far below its caller's (112 to 192 bytes were seen for each level; up
/// to three levels).
const NEAR: u64 = 1024;
/// log2 of a kernel stack's size and alignment (arch/x86/include/asm/page_64_types.h, without KASAN).
const STACK_BITS: u32 = 14;
/// A way older than this belongs to a call that returned elsewhere.
const STALE_NS: u64 = 1_000_000_000;

/// One open allocation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Frame {
    /// ctx of the call, 0 if free.
    pub tag: u64,
    /// Entry time, 0 if this call is not timed.
    pub start: u64,
    /// Highest address the device can use; only kept where `alloc_iova_fast` is not traced.
    pub limit: u64,
    /// What happened inside. All zero in a free frame: whoever closes one clears what was noted.
    pub notes: Notes,
}

/// What the inner functions saw during one allocation. The counts fit one word, so that the usual cases are one test.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct Notes {
    /// `alloc_iova_fast` calls limited to 4 GiB that did not flush caches: SAC attempts.
    pub sac_attempts: u16,
    /// Those of them whose tree search failed.
    pub sac_failed: u16,
    /// `alloc_iova_fast` calls that searched the tree.
    pub slow: u16,
    /// Tree searches that found nothing.
    pub tree_failed: u16,
    /// Cache flushes.
    pub flushes: u16,
    /// 1 while the next tree search is the retry after a flush.
    pub retry: u16,
    /// 1 while inside a SAC attempt (told by `alloc_iova_fast`), or after a failed search that looks like one (where
    /// that is not traced).
    pub in_sac: u16,
    /// Keeps the size at two words.
    pub pad: u16,
}

impl Notes {
    /// [`Self::counts`] when nothing was noted.
    pub const NOTHING: u64 = 0;
    /// [`Self::counts`] of the usual allocation: one attempt below 4 GiB, served from a cache.
    pub const ONE_SAC_ATTEMPT: u64 = 1;

    /// The first four counts as one number; little endian, as all kernels with a VT-d, AMD-Vi or ARM SMMU are.
    #[inline(always)]
    pub fn counts(&self) -> u64 {
        unsafe { core::ptr::from_ref(self).cast::<u64>().read() }
    }

    /// Back to nothing noted, in two stores (the compiler would call `memset`, a loop over bytes).
    #[inline(always)]
    pub fn clear(&mut self) {
        let words = core::ptr::from_mut(self).cast::<u64>();
        unsafe {
            words.write_volatile(0);
            words.add(1).write_volatile(0);
        }
    }
}

/// The open calls of one CPU.
#[repr(C)]
pub struct Frames {
    /// Open allocations.
    alloc: [Frame; WAYS],
    /// Open timed unmaps.
    free: [Timer; WAYS],
    /// Open timed `dma_map` calls.
    map: [Timer; WAYS],
    /// Counts allocations, for sampling.
    alloc_seen: u64,
    /// Counts unmaps, for sampling.
    free_seen: u64,
}

/// What an open call of either kind has.
trait Way {
    fn tag(&self) -> u64;
    fn start(&mut self) -> &mut u64;
    /// Frees it.
    fn close(&mut self);
}

impl Way for Frame {
    #[inline(always)]
    fn tag(&self) -> u64 {
        self.tag
    }
    #[inline(always)]
    fn start(&mut self) -> &mut u64 {
        &mut self.start
    }
    #[inline(always)]
    fn close(&mut self) {
        self.notes.clear();
        self.tag = 0;
    }
}

impl Way for Timer {
    #[inline(always)]
    fn tag(&self) -> u64 {
        self.tag
    }
    #[inline(always)]
    fn start(&mut self) -> &mut u64 {
        &mut self.start
    }
    #[inline(always)]
    fn close(&mut self) {
        self.tag = 0;
    }
}

/// One open call of which only the time matters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Timer {
    tag: u64,
    start: u64,
}

/// This CPU's open calls.
#[inline(always)]
pub fn mine() -> Option<NonNull<Frames>> {
    FRAMES.get_ptr_mut(0).and_then(NonNull::new)
}

/// True for one call in `mask + 1`.
#[inline(always)]
fn sampled(seen: *mut u64, mask: u32) -> bool {
    if mask == 0 {
        return true;
    }
    let n = unsafe { *seen } + 1;
    unsafe { *seen = n };
    n & u64::from(mask) == 0
}

/// A way for the call at `ctx`: the lowest free one, after freeing those whose call must have returned. Null if all are
/// taken by calls that may still be open.
///
/// The kernel skips a program that is already running on this CPU (`__bpf_prog_enter_recur`, 5.12 and later), so an
/// interrupt at a bad moment may have opened a frame and not closed it. Such a leftover must not answer for the next
/// call that happens to have the same depth.
#[inline(always)]
fn free_way<W: Way, T>(ways: *mut W, ctx: *const T) -> *mut W {
    let taken = (0..WAYS).fold(0, |taken, way| taken | unsafe { (*ways.add(way)).tag() });
    if taken == 0 {
        return ways;
    }
    let mut free = core::ptr::null_mut();
    for way in [3, 2, 1, 0] {
        let way = unsafe { &mut *ways.add(way) };
        if way.tag() == 0 {
            free = way;
        } else if returned(way.tag(), ctx) {
            way.close();
            free = way;
        }
    }
    free
}

/// True if the call with saved arguments at `tag` must have returned, because a new call at `ctx` is on the same kernel
/// stack and not below it. Stacks are aligned to their size (THREAD_SIZE, and IRQ_STACK_SIZE on x86-64).
#[inline(always)]
fn returned<T>(tag: u64, ctx: *const T) -> bool {
    let (tag, ctx) = (tag & 0xffff_ffff, low32(ctx));
    (tag ^ ctx) >> STACK_BITS == 0 && tag <= ctx
}

/// Frees ways that a task left behind on this CPU when it moved to another one inside a call. Called when all were
/// taken, which no nesting of interrupts explains. Untimed ones are stamped first, so that a later call can tell.
#[inline(always)]
fn reclaim<W: Way>(ways: *mut W) {
    lost!(frames_lost);
    let now = unsafe { bpf_ktime_get_ns() };
    for way in 0..WAYS {
        let way = unsafe { &mut *ways.add(way) };
        if *way.start() == 0 {
            *way.start() = now;
        } else if now.wrapping_sub(*way.start()) > STALE_NS {
            way.close();
        }
    }
}

/// Opens an allocation; `mask` decides whether it is timed.
#[inline(always)]
pub fn open_alloc<T>(ctx: *const T, mask: u32, limit: impl FnOnce() -> u64) {
    let Some(frames) = mine() else { return };
    let frames = frames.as_ptr();
    let ways = unsafe { &raw mut (*frames).alloc }.cast::<Frame>();
    let timed = sampled(unsafe { &raw mut (*frames).alloc_seen }, mask);
    let frame = free_way(ways, ctx);
    if frame.is_null() {
        return reclaim(ways);
    }
    unsafe {
        if config!(fast_hook) == 0 {
            (*frame).limit = limit();
        }
        (*frame).tag = ctx as u64;
        (*frame).start = if timed { bpf_ktime_get_ns() } else { 0 };
    }
}

/// The allocation that `ctx` returns from. (`NonNull`, because "none" is then a null pointer: in an `Option` of a raw
/// pointer it is an unset register, which the verifier refuses to see copied.)
#[inline(always)]
pub fn find_alloc<T>(ctx: *const T) -> Option<NonNull<Frame>> {
    let ways = unsafe { &raw mut (*mine()?.as_ptr()).alloc }.cast::<Frame>();
    for way in 0..WAYS {
        let frame = unsafe { ways.add(way) };
        if unsafe { (*frame).tag } == ctx as u64 {
            return NonNull::new(frame);
        }
    }
    None
}

/// The allocation inside which a function with saved arguments at `ctx` runs. Newest first: a hard interrupt inside a
/// soft one shares its stack, and both may be near.
#[inline(always)]
pub fn around<T>(ctx: *const T) -> Option<NonNull<Frame>> {
    let ways = unsafe { &raw mut (*mine()?.as_ptr()).alloc }.cast::<Frame>();
    for way in [3, 2, 1, 0] {
        let frame = unsafe { ways.add(way) };
        let tag = unsafe { core::ptr::read_volatile(&raw const (*frame).tag) };
        if tag > ctx as u64 && tag.wrapping_sub(NEAR) < ctx as u64 {
            return NonNull::new(frame);
        }
    }
    None
}

/// Opens a timed call.
#[inline(always)]
fn open_timer<T>(timers: *mut Timer, ctx: *const T) {
    let timer = free_way(timers, ctx);
    if timer.is_null() {
        return reclaim(timers);
    }
    unsafe {
        (*timer).tag = ctx as u64;
        (*timer).start = bpf_ktime_get_ns();
    }
}

/// Closes a timed call: its duration, if it was open.
#[inline(always)]
fn close_timer<T>(timers: *mut Timer, ctx: *const T) -> Option<u64> {
    for way in 0..WAYS {
        let timer = unsafe { timers.add(way) };
        if unsafe { (*timer).tag } == ctx as u64 {
            let start = unsafe { (*timer).start };
            unsafe { (*timer).tag = 0 };
            return Some(unsafe { bpf_ktime_get_ns() }.wrapping_sub(start));
        }
    }
    None
}

/// Opens an unmap, if it is one to be timed.
#[inline(always)]
pub fn open_free<T>(ctx: *const T, mask: u32) {
    let Some(frames) = mine() else { return };
    let frames = frames.as_ptr();
    if sampled(unsafe { &raw mut (*frames).free_seen }, mask) {
        open_timer(unsafe { &raw mut (*frames).free }.cast(), ctx);
    }
}

/// Closes an unmap.
#[inline(always)]
pub fn close_free<T>(ctx: *const T) -> Option<u64> {
    close_timer(unsafe { &raw mut (*mine()?.as_ptr()).free }.cast(), ctx)
}

/// Opens a `dma_map` call.
#[inline(always)]
pub fn open_map<T>(ctx: *const T) {
    if let Some(frames) = mine() {
        open_timer(unsafe { &raw mut (*frames.as_ptr()).map }.cast(), ctx);
    }
}

/// Closes a `dma_map` call.
#[inline(always)]
pub fn close_map<T>(ctx: *const T) -> Option<u64> {
    close_timer(unsafe { &raw mut (*mine()?.as_ptr()).map }.cast(), ctx)
}
