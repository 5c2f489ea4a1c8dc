//! Open calls: what links a function's entry to its return, and the functions called inside to the call around them.
//!
//! The key is the address of the trampoline's saved arguments (the program's ctx): entry and return of one invocation
//! see the same address, and a nested callee's address is a little lower on the same stack (kernel-side layout of
//! `arch_prepare_bpf_trampoline`, arch/x86/net/bpf_jit_comp.c). An interrupt that allocates for another device while a
//! call is open on this CPU runs on another stack or deeper on the same one, so it can't be taken for it.

use core::ptr::NonNull;

use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::kernel::config;
use crate::maps::FRAMES;
use crate::way::{self, Timer, WAYS, Way};

/// A callee's saved arguments lie at most this far below its caller's (112 to 192 bytes were seen for each level; up
/// to three levels).
const NEAR: u64 = 1024;

/// One open allocation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Frame {
    /// The call.
    pub timer: Timer,
    /// Highest address the device can use; only kept where `alloc_iova_fast` is not traced.
    pub limit: u64,
    /// What happened inside. All zero in a free frame: whoever closes one clears what was noted.
    pub notes: Notes,
}

impl Way for Frame {
    #[inline(always)]
    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }

    #[inline(always)]
    fn close(&mut self) {
        self.notes.clear();
        self.timer.tag = 0;
    }
}

/// One open timed unmap.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Unmap {
    /// The call.
    timer: Timer,
    /// Its device, so that the return need not find it again.
    slot: u64,
}

impl Way for Unmap {
    #[inline(always)]
    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }
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
    free: [Unmap; WAYS],
    /// Open timed `dma_map` calls.
    map: [Timer; WAYS],
    /// Counts allocations, for sampling.
    alloc_seen: u64,
    /// Counts unmaps, for sampling.
    free_seen: u64,
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

/// Opens an allocation; `mask` decides whether it is timed.
#[inline(always)]
pub fn open_alloc<T>(ctx: *const T, mask: u32, limit: impl FnOnce() -> u64) {
    let Some(frames) = mine() else { return };
    let frames = frames.as_ptr();
    let timed = sampled(unsafe { &raw mut (*frames).alloc_seen }, mask);
    let frame = way::free_way(unsafe { &raw mut (*frames).alloc }.cast::<Frame>(), ctx);
    if frame.is_null() {
        return;
    }
    unsafe {
        if config!(fast_hook) == 0 {
            (*frame).limit = limit();
        }
        (*frame).timer.tag = ctx as u64;
        (*frame).timer.start = if timed { bpf_ktime_get_ns() } else { 0 };
    }
}

/// The allocation that `ctx` returns from, null if it was not seen to begin. (Not an `Option` of a raw pointer: "none"
/// would be an unset register, which the verifier refuses to see copied.)
#[inline(always)]
pub fn find_alloc<T>(ctx: *const T) -> *mut Frame {
    match mine() {
        Some(frames) => way::find(unsafe { &raw mut (*frames.as_ptr()).alloc }.cast::<Frame>(), ctx),
        None => core::ptr::null_mut(),
    }
}

/// The allocation inside which a function with saved arguments at `ctx` runs. Newest first: a hard interrupt inside a
/// soft one shares its stack, and both may be near.
#[inline(always)]
pub fn around<T>(ctx: *const T) -> Option<NonNull<Frame>> {
    let ways = unsafe { &raw mut (*mine()?.as_ptr()).alloc }.cast::<Frame>();
    for way in [3, 2, 1, 0] {
        let frame = unsafe { ways.add(way) };
        let tag = unsafe { core::ptr::read_volatile(&raw const (*frame).timer.tag) };
        if tag > ctx as u64 && tag.wrapping_sub(NEAR) < ctx as u64 {
            return NonNull::new(frame);
        }
    }
    None
}

/// Opens an unmap of the device in `slot`, if it is one to be timed.
#[inline(always)]
pub fn open_free<T>(ctx: *const T, slot: u32, mask: u32) {
    let Some(frames) = mine() else { return };
    let frames = frames.as_ptr();
    if sampled(unsafe { &raw mut (*frames).free_seen }, mask) {
        let unmap = way::open(unsafe { &raw mut (*frames).free }.cast::<Unmap>(), ctx);
        if !unmap.is_null() {
            unsafe { (*unmap).slot = u64::from(slot) };
        }
    }
}

/// Closes an unmap: the slot of its device and its duration, if it was open.
#[inline(always)]
pub fn close_free<T>(ctx: *const T) -> Option<(u32, u64)> {
    let unmap = way::find(unsafe { &raw mut (*mine()?.as_ptr()).free }.cast::<Unmap>(), ctx);
    if unmap.is_null() {
        return None;
    }
    let unmap = unsafe { &mut *unmap };
    let ns = unmap.timer.elapsed();
    unmap.close();
    Some((unmap.slot as u32, ns))
}

/// Opens a `dma_map` call.
#[inline(always)]
pub fn open_map<T>(ctx: *const T) {
    if let Some(frames) = mine() {
        way::open(unsafe { &raw mut (*frames.as_ptr()).map }.cast::<Timer>(), ctx);
    }
}

/// Closes a `dma_map` call: its duration, if it was open.
#[inline(always)]
pub fn close_map<T>(ctx: *const T) -> Option<u64> {
    let timer = way::find(unsafe { &raw mut (*mine()?.as_ptr()).map }.cast::<Timer>(), ctx);
    if timer.is_null() {
        return None;
    }
    let timer = unsafe { &mut *timer };
    let ns = timer.elapsed();
    timer.close();
    Some(ns)
}
