//! Open calls: what links a function's entry to its return, and the functions called inside to the call around them.
//!
//! The key is the address of the trampoline's saved arguments (the program's ctx): entry and return of one invocation
//! see the same address, and a nested callee's address is a little lower on the same stack (kernel-side layout of
//! `arch_prepare_bpf_trampoline`, arch/x86/net/bpf_jit_comp.c). An interrupt that allocates for another device while a
//! call is open on this CPU runs on another stack or deeper on the same one, so it can't be taken for it.

use core::ptr::NonNull;

use aya_ebpf::helpers::bpf_ktime_get_ns;

use iova_common::frames;

use crate::asm::cpu;
use crate::kernel::{config, mask};
use crate::log::log;
use crate::maps::lost;
use crate::way::{self, Timer, Way, Ways};

/// A callee's saved arguments lie at most this far below its caller's (112 to 192 bytes were seen for each level; up
/// to three levels).
const NEAR: u64 = 1024;

/// One open allocation, or what was noted inside one whose entry is not traced.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Frame {
    /// The call: of the allocation, or of the inner function that noted first.
    pub timer: Timer,
    /// Time in tree searches, ns; only where the entry is not traced.
    pub search_ns: u64,
    /// The allocator; only where the entry is not traced.
    iovad: u64,
    /// What happened inside. All zero in a free frame: whoever closes one clears what was noted.
    pub notes: Notes,
}

impl Way for Frame {
    #[inline(always)]
    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }

    /// Frees a frame that no return has claimed.
    #[inline(always)]
    fn close(&mut self) {
        if self.notes.counts() != Notes::NOTHING {
            log!(warn, "notes of the call at {:x} belong to no allocation", half(self.timer.tag));
            lost!(inner_unowned);
        }
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
    /// Searches limited to 4 GiB after which no caches were flushed: SAC attempts, if the device can use more.
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
    /// 1 after a failed search that looks like a SAC attempt, until a cache flush or another search follows.
    pub in_sac: u16,
    /// Keeps the size at two words.
    pub pad: u16,
}

impl Notes {
    /// [`Self::counts`] when nothing was noted.
    pub const NOTHING: u64 = 0;

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
struct Frames {
    /// Open allocations.
    alloc: Ways<Frame>,
    /// Open timed unmaps.
    free: Ways<Unmap>,
    /// Open timed `dma_map` calls.
    map: Ways<Timer>,
    /// Open tree searches, where allocations are not timed.
    search: Ways<Timer>,
    /// Not 0 while there may be notes that no allocation has claimed.
    noted: u64,
    /// Not 0 while there may be an open timed unmap, which is one in 16.
    timed_free: u64,
}

/// A CPU's, apart from the others'.
#[repr(C, align(512))]
struct Apart(Frames);

const APART: usize = size_of::<Apart>();
const _: () = assert!(APART == frames::BYTES);

/// By CPU. In `.bss`, because a look-up in a per-CPU map costs twice as much; user space cuts the section to the CPUs that there
/// can be.
#[unsafe(link_section = ".bss.frames")]
static mut BY_CPU: [Apart; frames::MOST] = unsafe { core::mem::zeroed() };

/// This CPU's open calls.
#[inline(always)]
fn mine() -> *mut Frames {
    let cpu = mask!(cpu(), cpu_mask);
    unsafe { (&raw mut BY_CPU).cast::<u8>().add(cpu as usize * APART) }.cast()
}

/// Opens an allocation.
#[inline(always)]
pub fn open_alloc<T>(ctx: *const T) {
    let frame = way::free_way(unsafe { &raw mut (*mine()).alloc }, ctx);
    if frame.is_null() {
        return;
    }
    unsafe {
        (*frame).timer.tag = ctx as u64;
        (*frame).timer.start = bpf_ktime_get_ns();
    }
}

/// The allocation that `ctx` returns from, null if it was not seen to begin. (Not an `Option` of a raw pointer: "none"
/// would be an unset register, which the verifier refuses to see copied.)
#[inline(always)]
pub fn find_alloc<T>(ctx: *const T) -> *mut Frame {
    way::find(unsafe { &raw mut (*mine()).alloc }, ctx)
}

/// The allocation inside which a function with saved arguments at `ctx` runs. Newest first: a hard interrupt inside a
/// soft one shares its stack, and both may be near.
#[inline(always)]
fn around<T>(ctx: *const T) -> Option<NonNull<Frame>> {
    let ways = Ways::first(unsafe { &raw mut (*mine()).alloc });
    for way in [3, 2, 1, 0] {
        let frame = unsafe { ways.add(way) };
        let tag = unsafe { core::ptr::read_volatile(&raw const (*frame).timer.tag) };
        if tag > ctx as u64 && tag.wrapping_sub(NEAR) < ctx as u64 {
            return NonNull::new(frame);
        }
    }
    None
}

/// Place for the notes of a search with saved arguments at `ctx`, in the tree of `iovad`.
#[inline(always)]
pub fn notes<T>(ctx: *const T, iovad: u64) -> Option<NonNull<Frame>> {
    if config!(alloc_entry) != 0 {
        return around(ctx);
    }
    near(ctx, iovad).or_else(|| begin(ctx, iovad))
}

/// The same of a flush, which follows a search: one without, as of a CPU that goes away, has no allocation around.
#[inline(always)]
pub fn notes_of_search<T>(ctx: *const T, iovad: u64) -> Option<NonNull<Frame>> {
    if config!(alloc_entry) != 0 { around(ctx) } else { near(ctx, iovad) }
}

/// Notes of another inner function of the same allocation.
#[inline(always)]
fn near<T>(ctx: *const T, iovad: u64) -> Option<NonNull<Frame>> {
    let ways = Ways::first(unsafe { &raw mut (*mine()).alloc });
    for way in [3, 2, 1, 0] {
        let frame = unsafe { ways.add(way) };
        let tag = unsafe { core::ptr::read_volatile(&raw const (*frame).timer.tag) };
        let is_near = tag.wrapping_add(NEAR) > ctx as u64 && tag.wrapping_sub(NEAR) < ctx as u64;
        if tag != 0 && is_near && unsafe { (*frame).iovad } == iovad {
            return NonNull::new(frame);
        }
    }
    None
}

/// Notes of what happens inside a call whose return will claim them.
#[inline(always)]
fn begin<T>(ctx: *const T, iovad: u64) -> Option<NonNull<Frame>> {
    let frames = mine();
    let frame = way::free_way(unsafe { &raw mut (*frames).alloc }, ctx);
    if !frame.is_null() {
        unsafe {
            (*frame).timer.tag = ctx as u64;
            (*frame).timer.start = bpf_ktime_get_ns();
            (*frame).search_ns = 0;
            (*frame).iovad = iovad;
            (*frames).noted = 1;
        }
    }
    NonNull::new(frame)
}

/// Notes made inside the call that returns with saved arguments at `ctx`, null if there are none.
#[inline(always)]
pub fn claim<T>(ctx: *const T, iovad: impl FnOnce() -> u64) -> *mut Frame {
    let frames = mine();
    if unsafe { (*frames).noted } == 0 {
        return core::ptr::null_mut();
    }
    let (iovad, ways) = (iovad(), Ways::first(unsafe { &raw mut (*frames).alloc }));
    let (mut found, mut others) = (core::ptr::null_mut::<Frame>(), 0);
    for way in [3, 2, 1, 0] {
        let frame = unsafe { ways.add(way) };
        let tag = unsafe { core::ptr::read_volatile(&raw const (*frame).timer.tag) };
        if tag == 0 {
            continue;
        }
        let is_inside = tag < ctx as u64 && tag.wrapping_add(NEAR) > ctx as u64;
        if found.is_null() && is_inside && unsafe { (*frame).iovad } == iovad {
            found = frame;
        } else if way::outdated(unsafe { &(*frame).timer }) {
            // Its call has returned on another CPU.
            unsafe { (*frame).close() };
        } else {
            others |= tag;
        }
    }
    // An interrupt claims what it has noted before it returns.
    if others == 0 {
        unsafe { (*frames).noted = 0 };
    }
    found
}

/// Opens an unmap of the device in `slot`.
#[inline(always)]
pub fn open_free<T>(ctx: *const T, slot: u32) {
    let frames = mine();
    let unmap = way::open(unsafe { &raw mut (*frames).free }, ctx);
    if !unmap.is_null() {
        unsafe {
            (*unmap).slot = u64::from(slot);
            (*frames).timed_free = 1;
        }
    }
}

/// Closes an unmap: the slot of its device and its duration, if it was open.
#[inline(always)]
pub fn close_free<T>(ctx: *const T) -> Option<(u32, u64)> {
    let frames = mine();
    if unsafe { (*frames).timed_free } == 0 {
        return None;
    }
    let ways = unsafe { &raw mut (*frames).free };
    let unmap = way::find(ways, ctx);
    if unmap.is_null() {
        return None;
    }
    let unmap = unsafe { &mut *unmap };
    let ns = unmap.timer.elapsed();
    unmap.close();
    if !Ways::any(ways) {
        unsafe { (*frames).timed_free = 0 };
    }
    Some((unmap.slot as u32, ns))
}

/// Opens a `dma_map` call.
#[inline(always)]
pub fn open_map<T>(ctx: *const T) {
    way::open(unsafe { &raw mut (*mine()).map }, ctx);
}

/// Closes a `dma_map` call: its duration, if it was open.
#[inline(always)]
pub fn close_map<T>(ctx: *const T) -> Option<u64> {
    close(way::find(unsafe { &raw mut (*mine()).map }, ctx))
}

/// Opens a tree search.
#[inline(always)]
pub fn open_search<T>(ctx: *const T) {
    way::open(unsafe { &raw mut (*mine()).search }, ctx);
}

/// Closes a tree search: its duration, if it was open.
#[inline(always)]
pub fn close_search<T>(ctx: *const T) -> Option<u64> {
    close(way::find(unsafe { &raw mut (*mine()).search }, ctx))
}

#[inline(always)]
fn close(timer: *mut Timer) -> Option<u64> {
    if timer.is_null() {
        return None;
    }
    let timer = unsafe { &mut *timer };
    let ns = timer.elapsed();
    timer.close();
    Some(ns)
}
