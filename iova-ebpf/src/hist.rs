//! Recording one latency. The layout is [`iova_common::hist`]'s.

use iova_common::agg::Latency;
use iova_common::hist::{MAX_EXP, OVERFLOW};

use crate::asm::{add, at_most, increment32};

/// The bucket of `ns`: shifts it down to four bits, remembering how far. No loop, no multiplication.
#[inline(always)]
fn bucket(ns: u64) -> u64 {
    if ns >> MAX_EXP != 0 {
        return u64::from(OVERFLOW);
    }
    let (mut v, mut shift) = (ns, 0);
    if v >> 20 != 0 {
        v >>= 16;
        shift += 16 << 3;
    }
    if v >> 12 != 0 {
        v >>= 8;
        shift += 8 << 3;
    }
    if v >> 8 != 0 {
        v >>= 4;
        shift += 4 << 3;
    }
    if v >> 6 != 0 {
        v >>= 2;
        shift += 2 << 3;
    }
    if v >> 5 != 0 {
        v >>= 1;
        shift += 1 << 3;
    }
    if v >> 4 != 0 {
        v >>= 1;
        shift += 1 << 3;
    }
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
