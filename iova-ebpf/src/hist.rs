//! Recording one latency. The layout is [`iova_common::hist`]'s.

use iova_common::agg::Latency;
use iova_common::hist::{MAX_EXP, OVERFLOW, SUB_BITS};

use crate::asm::{add, at_most, forget, increment32_at, masked, narrow};

/// The bucket of `ns`: shifts it down to four bits, remembering how far. No loop, no multiplication.
#[inline(always)]
fn bucket(ns: u64) -> u64 {
    if ns >> MAX_EXP != 0 {
        return u64::from(OVERFLOW);
    }
    let (mut v, mut shift) = (ns, 0);
    narrow!(v, shift, 20, 16, 16 << SUB_BITS);
    narrow!(v, shift, 12, 8, 8 << SUB_BITS);
    narrow!(v, shift, 8, 4, 4 << SUB_BITS);
    narrow!(v, shift, 6, 2, 2 << SUB_BITS);
    narrow!(v, shift, 5, 1, 1 << SUB_BITS);
    narrow!(v, shift, 4, 1, 1 << SUB_BITS);
    shift + v
}

/// Shifts that make four bits of a number of ns: by itself below 256, by its second byte from there on.
static SHIFTS: [u8; 512] = shifts();

const fn shifts() -> [u8; 512] {
    let mut table = [0; 512];
    let mut ns: usize = 1 << (SUB_BITS + 1);
    while ns < 256 {
        table[ns] = ns.ilog2() as u8 - SUB_BITS as u8;
        ns += 1;
    }
    let mut upper: usize = 1;
    while upper < 256 {
        table[256 + upper] = upper.ilog2() as u8 + 8 - SUB_BITS as u8;
        upper += 1;
    }
    table
}

/// The bucket of a time below 65,536 ns, which nearly all are: one look into a table instead of six steps.
#[inline(always)]
fn quick_bucket(ns: u64) -> u64 {
    let place = if ns < 256 { ns } else { 256 + (ns >> 8) };
    let place = masked::<511>(forget(place));
    let shifts = (&raw const SHIFTS).cast::<u8>();
    let shift = u64::from(unsafe { core::ptr::read_volatile(shifts.add(place as usize)) });
    (shift << SUB_BITS) + (ns >> shift)
}

/// Adds one sample.
#[inline(always)]
pub fn record(latency: *mut Latency, ns: u64) {
    add!(latency, Latency.sum, ns);
    if unsafe { (*latency).max } < ns {
        unsafe { (*latency).max = ns }
    }
    let i = at_most::<{ OVERFLOW as u64 }>(if ns >> 16 == 0 { quick_bucket(ns) } else { bucket(ns) });
    let place = unsafe { latency.cast::<u8>().add((i << 2) as usize) };
    increment32_at::<{ core::mem::offset_of!(Latency, buckets) }>(place);
}
