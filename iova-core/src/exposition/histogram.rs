//! The log-linear buckets of the probes as classic buckets (exact) and as native ones (with a stated error).

use super::totals::Distribution;
use iova_common::hist;
use std::collections::BTreeMap;

/// Upper bounds of the classic buckets, ns, inclusive. Each ends where a bucket of the probes ends (2^k - 1 ns), so that
/// classic counts are exact: 128 ns to 16 µs by powers of two, where an allocation's cost is decided, coarser above.
pub const BOUNDS_NS: [u64; 15] = [
    (1 << 7) - 1,
    (1 << 8) - 1,
    (1 << 9) - 1,
    (1 << 10) - 1,
    (1 << 11) - 1,
    (1 << 12) - 1,
    (1 << 13) - 1,
    (1 << 14) - 1,
    (1 << 16) - 1,
    (1 << 18) - 1,
    (1 << 20) - 1,
    (1 << 22) - 1,
    (1 << 24) - 1,
    (1 << 27) - 1,
    (1 << 30) - 1,
];

/// Schema of the native histograms: 16 buckets per power of two.
pub const SCHEMA: i32 = 4;
/// How far a value may be from the native bucket it is counted in: 6.25 % to the middle of the probes' bucket, and the
/// width of a native one (2^(1/16), 4.4 %) around that.
pub const NATIVE_ERROR: f64 = 0.11;
/// Below this a value is 0: no clock tells half a nanosecond.
pub(super) const ZERO_THRESHOLD: f64 = 5e-10;

/// A native (exponential) histogram in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Native {
    /// Values of 0.
    pub zero: u64,
    /// Counts by index: bucket `i` holds values above 2^((i-1)/16) s up to 2^(i/16) s.
    pub buckets: BTreeMap<i32, u64>,
}

impl Native {
    /// Each bucket of the probes goes whole into the native one that holds its middle.
    pub fn of(distribution: &Distribution) -> Self {
        let mut native = Self::default();
        for (&index, &count) in &distribution.buckets {
            let seconds = hist::midpoint(usize::from(index)) as f64 / 1e9;
            if seconds <= ZERO_THRESHOLD {
                native.zero += count;
            } else {
                let at = (seconds.log2() * f64::from(1 << SCHEMA)).ceil() as i32;
                *native.buckets.entry(at).or_default() += count;
            }
        }
        native
    }
}

/// Cumulative counts at [`BOUNDS_NS`].
pub(super) fn cumulative(distribution: &Distribution) -> [u64; BOUNDS_NS.len()] {
    BOUNDS_NS.map(|bound| {
        let end = hist::index(bound) as u16;
        distribution.buckets.range(..=end).map(|(_, count)| count).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_bounds_are_edges_of_the_probes_buckets() {
        for bound in BOUNDS_NS {
            assert_eq!(hist::lower(hist::index(bound) + 1), bound + 1, "{bound}");
        }
    }

    #[test]
    fn a_native_bucket_is_within_the_stated_error() {
        let mut ns = 16_u64;
        while ns < 1 << hist::MAX_EXP {
            let mut one = Distribution::default();
            one.buckets.insert(hist::index(ns) as u16, 1);
            let native = Native::of(&one);
            let (&at, _) = native.buckets.first_key_value().unwrap();
            let seconds = ns as f64 / 1e9;
            for edge in [at - 1, at] {
                let edge = (f64::from(edge) / f64::from(1 << SCHEMA)).exp2();
                assert!((edge - seconds).abs() / seconds <= NATIVE_ERROR, "{ns} ns: {edge}");
            }
            ns += ns / 97 + 1;
        }
    }

    #[test]
    fn nothing_is_lost_on_the_way() {
        let buckets = (0..hist::BUCKETS as u16).map(|index| (index, 1)).collect();
        let all = Distribution { buckets, ..Distribution::default() };
        let native = Native::of(&all);
        assert_eq!(native.zero + native.buckets.values().sum::<u64>(), hist::BUCKETS as u64);
        assert!(cumulative(&all).is_sorted());
    }
}
