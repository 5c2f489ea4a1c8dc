//! Places for open calls: a few per kind and CPU, found by the address of the call's saved arguments.
//!
//! Interrupts nest strictly, so the lowest free way is always right. Two things leave a way behind. A task that is
//! preempted may return on another CPU. And the kernel skips a program that is already running on this CPU
//! (`__bpf_prog_enter_recur`, kernel/bpf/trampoline.c, 5.12 and later), so an interrupt at a bad moment may open a way
//! and not close it. Such leftovers must not answer for a later call that happens to have the same depth: they are
//! freed by the next call that proves they are stale.

use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::asm::{at_most, low32};
use crate::log::log;
use crate::maps::lost;

/// Open calls of one kind per CPU: task, softirq, hardirq, and one to spare.
pub const WAYS: usize = 4;
/// Two calls no further apart than this are on one kernel stack: a stack has 16 KiB and a guard page below, and calls are
/// made from near its top. (Alignment would not tell: IRQ stacks are mapped page by page, `map_irq_stack`,
/// arch/x86/kernel/irq_64.c.)
const ONE_STACK: u64 = 8192;
/// A way older than this belongs to a call that returned elsewhere.
const STALE_NS: u64 = 1_000_000_000;

/// One open call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Timer {
    /// ctx of the call, 0 if free.
    pub tag: u64,
    /// Entry time.
    pub start: u64,
}

impl Timer {
    /// Time since the call began, ns.
    #[inline(always)]
    pub fn elapsed(&self) -> u64 {
        unsafe { bpf_ktime_get_ns() }.wrapping_sub(self.start)
    }
}

/// An open call, and maybe more about it.
pub trait Way {
    /// The call.
    fn timer(&mut self) -> &mut Timer;

    /// Frees the way.
    #[inline(always)]
    fn close(&mut self) {
        self.timer().tag = 0;
    }
}

impl Way for Timer {
    #[inline(always)]
    fn timer(&mut self) -> &mut Timer {
        self
    }
}

/// The ways of one kind of call on one CPU.
#[repr(C)]
pub struct Ways<W> {
    ways: [W; WAYS],
    /// Not 0 while any but the first may be taken: nearly always there is one call at a time, and one look is enough.
    nested: u64,
}

impl<W: Way> Ways<W> {
    /// Its first way.
    #[inline(always)]
    pub fn first(this: *mut Self) -> *mut W {
        unsafe { &raw mut (*this).ways }.cast()
    }

    /// False if no call is open.
    #[inline(always)]
    pub fn any(this: *mut Self) -> bool {
        unsafe { (*Self::first(this)).timer().tag | (*this).nested != 0 }
    }
}

/// A way for the call at `ctx`: the lowest free one, after freeing those whose call must have returned. Null if all are
/// taken by calls that may still be open.
#[inline(always)]
pub fn free_way<W: Way, T>(ways: *mut Ways<W>, ctx: *const T) -> *mut W {
    if Ways::any(ways) { another_way(ways, ctx) } else { Ways::first(ways) }
}

#[inline(always)]
fn another_way<W: Way, T>(ways: *mut Ways<W>, ctx: *const T) -> *mut W {
    let first = Ways::first(ways);
    // Before looking: an interrupt from here on says so again.
    unsafe { core::ptr::write_volatile(&raw mut (*ways).nested, 0) };
    let (mut free, mut taken) = (core::ptr::null_mut(), 0);
    for way in [3, 2, 1, 0] {
        let way = unsafe { &mut *first.add(way) };
        let tag = unsafe { core::ptr::read_volatile(&raw const way.timer().tag) };
        if tag != 0 && !returned(tag, ctx) {
            taken |= tag;
        } else {
            way.close();
            free = way;
        }
    }
    if taken != 0 {
        unsafe { (*ways).nested = 1 };
    }
    if free.is_null() { reclaim(first) } else { free }
}

/// The way of the call at `ctx`, null if there is none.
#[inline(always)]
pub fn find<W: Way, T>(ways: *mut Ways<W>, ctx: *const T) -> *mut W {
    let ways = Ways::first(ways);
    let is = |way: usize| unsafe { (*ways.add(way)).timer().tag } == ctx as u64;
    if is(0) {
        return ways;
    }
    let nested = match () {
        () if is(1) => 1,
        () if is(2) => 2,
        () if is(3) => 3,
        () => return core::ptr::null_mut(),
    };
    // One pointer for all three: the verifier follows what comes next once, not three times.
    unsafe { ways.add(at_most::<{ WAYS as u64 - 1 }>(nested) as usize) }
}

/// True if the call with saved arguments at `tag` must have returned, because a new call at `ctx` is on the same kernel
/// stack and not below it.
#[inline(always)]
fn returned<T>(tag: u64, ctx: *const T) -> bool {
    (low32(ctx).wrapping_sub(tag) & 0xffff_ffff) < ONE_STACK
}

/// Called when all ways are taken, which no nesting of interrupts explains. A hard interrupt inside soft ones leaves ways
/// at many depths of its stack, none of which proves another stale; so on each stack only the outermost call stays. Ways of
/// calls that returned on another CPU are freed by their age. Returns a free way, or null.
#[inline(always)]
fn reclaim<W: Way>(ways: *mut W) -> *mut W {
    let tag = |way: usize| unsafe { (*ways.add(way)).timer().tag };
    let tags = [tag(0), tag(1), tag(2), tag(3)];
    let mut free = core::ptr::null_mut();
    for (way, tag) in tags.into_iter().enumerate() {
        let inside = |outer: u64| u64::from(outer.wrapping_sub(tag).wrapping_sub(1) < ONE_STACK);
        let stale = inside(tags[0]) | inside(tags[1]) | inside(tags[2]) | inside(tags[3]);
        let way = unsafe { &mut *ways.add(way) };
        if stale != 0 || outdated(way.timer()) {
            way.close();
            free = way;
        }
    }
    free
}

/// True if the call is too old to be open still.
#[inline(always)]
pub fn outdated(timer: &Timer) -> bool {
    timer.elapsed() > STALE_NS
}

/// Opens a timed call. Its way, or null.
#[inline(always)]
pub fn open<W: Way, T>(ways: *mut Ways<W>, ctx: *const T) -> *mut W {
    let way = free_way(ways, ctx);
    if way.is_null() {
        log!(warn, "no way is free for the call at {:x}", half(ctx as u64));
        lost!(frames_lost);
        return way;
    }
    let timer = unsafe { (*way).timer() };
    timer.tag = ctx as u64;
    timer.start = unsafe { bpf_ktime_get_ns() };
    way
}
