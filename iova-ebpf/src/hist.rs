//! Recording one latency. The layout is [`iova_common::hist`]'s.

use iova_common::agg::Latency;
use iova_common::hist::{MAX_EXP, OVERFLOW, SUB_BITS};

use crate::asm::{add, at_most, increment32, narrow};

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

/// Adds one sample.
#[inline(always)]
pub fn record(latency: *mut Latency, ns: u64) {
    add!(&raw mut (*latency).sum, ns);
    if unsafe { (*latency).max } < ns {
        unsafe { (*latency).max = ns }
    }
    let i = at_most::<{ OVERFLOW as u64 }>(bucket(ns));
    let first = unsafe { &raw mut (*latency).buckets }.cast::<u32>();
    increment32(unsafe { first.add(i as usize) });
}
