//! The log-linear latency histogram: 8 sub-buckets per power of two, exact below 16 ns.
//!
//! A bucket's midpoint is at most 6.25 % away from any value that fell into it, from 16 ns to 68 s (2^36 ns). What is
//! longer lands in the last bucket. Index 0..=15 are the values themselves; above, the index is the exponent and the
//! three bits below the leading one.

/// log2 of the number of sub-buckets per power of two.
pub const SUB_BITS: u32 = 3;
/// Values at or above `1 << MAX_EXP` nanoseconds (68.7 s) go to the last bucket.
pub const MAX_EXP: u32 = 36;
/// Number of buckets, the overflow bucket included.
pub const BUCKETS: usize = (((MAX_EXP - SUB_BITS) << SUB_BITS) + (1 << SUB_BITS) + 1) as usize;
/// Index of the overflow bucket.
pub const OVERFLOW: u32 = BUCKETS as u32 - 1;

/// The bucket that holds `ns`. The eBPF side has its own copy of this in verifier-friendly form.
pub const fn index(ns: u64) -> usize {
    if ns < 1 << SUB_BITS {
        return ns as usize;
    }
    let exp = 63 - ns.leading_zeros();
    if exp >= MAX_EXP {
        return OVERFLOW as usize;
    }
    let shift = exp - SUB_BITS;
    ((shift << SUB_BITS) + (ns >> shift) as u32) as usize
}

/// The smallest value of bucket `i`, in nanoseconds.
pub const fn lower(i: usize) -> u64 {
    if i < 1 << (SUB_BITS + 1) {
        return i as u64;
    }
    let shift = (i as u32 >> SUB_BITS) - 1;
    (((i & ((1 << SUB_BITS) - 1)) | 1 << SUB_BITS) as u64) << shift
}

/// The value that stands for bucket `i`: its middle, or its lower bound where it holds one value only.
pub const fn midpoint(i: usize) -> u64 {
    if i >= OVERFLOW as usize {
        return 1 << MAX_EXP;
    }
    let (low, high) = (lower(i), lower(i + 1));
    low + (high - low) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_starts_where_the_one_before_ends() {
        for i in 0..BUCKETS {
            assert_eq!(index(lower(i)), i, "lower bound of {i}");
        }
        for i in 1..BUCKETS {
            assert_eq!(index(lower(i) - 1), i - 1);
        }
        assert_eq!(index(u64::MAX), OVERFLOW as usize);
        assert_eq!(lower(OVERFLOW as usize), 1 << MAX_EXP);
    }

    #[test]
    fn a_midpoint_is_within_6_25_percent() {
        let mut ns = 16u64;
        while ns < 1 << MAX_EXP {
            let error = (midpoint(index(ns)) as f64 - ns as f64).abs() / ns as f64;
            assert!(error <= 0.0625, "{ns}: {error}");
            ns += ns / 97 + 1;
        }
    }
}
