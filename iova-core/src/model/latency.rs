//! Percentiles out of a log-linear histogram.

use crate::sample::Histogram;
use iova_common::hist;
use serde::{Deserialize, Serialize};

/// One bucket that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its smallest value, ns.
    pub from_ns: u64,
    /// Samples in it.
    pub count: u64,
}

/// A latency distribution over the interval, ns. All `None` if nothing was timed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Calls that were timed; `None` if the profile or the kernel does not let us time them.
    pub samples: Option<u64>,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p999: Option<u64>,
    /// Longest.
    pub max: Option<u64>,
    /// Arithmetic mean.
    pub mean: Option<u64>,
    /// Sum of all samples, for adding intervals up. Not part of the report.
    #[serde(skip)]
    pub sum: Option<u64>,
    /// The histogram, empty buckets left out.
    pub buckets: Vec<Bucket>,
}

impl Latency {
    /// The distribution of what `histogram` counted; `None` means "not measured".
    pub fn new(histogram: Option<&Histogram>) -> Self {
        let Some(histogram) = histogram else { return Self::default() };
        let samples: u64 = histogram.buckets.iter().sum();
        if samples == 0 {
            return Self { samples: Some(0), sum: Some(0), ..Self::default() };
        }
        let [p50, p90, p99, p999] = percentiles(histogram, samples, [500, 900, 990, 999]).map(Some);
        Self {
            samples: Some(samples),
            p50,
            p90,
            p99,
            p999,
            max: Some(histogram.max),
            mean: Some(histogram.sum / samples),
            sum: Some(histogram.sum),
            buckets: filled(histogram),
        }
    }

    /// No more than what the quickest tenth of the calls took, ns: the lower edge of the bucket that it ends in.
    pub fn quickest_tenth(&self) -> Option<u64> {
        let rank = self.samples?.div_ceil(10);
        let mut seen = 0;
        let end = self.buckets.iter().find(|bucket| {
            seen += bucket.count;
            seen >= rank
        });
        end.map(|bucket| bucket.from_ns)
    }
}

impl Latency {
    /// The distribution of what `buckets` (each an index of [`hist`], and how many) and the longest tell; the mean, which
    /// they do not, is unknown.
    pub(super) fn of_buckets(buckets: impl Iterator<Item = (usize, u64)>, max: u64) -> Self {
        let mut histogram = Histogram { max, ..Histogram::default() };
        for (index, count) in buckets {
            if let Some(bucket) = histogram.buckets.get_mut(index) {
                *bucket += count;
            }
        }
        Self { mean: None, ..Self::new(Some(&histogram)) }
    }
}

/// Nearest rank, for ascending shares: the smallest bucket that `permille` of the samples do not exceed, never above
/// the true maximum.
fn percentiles<const N: usize>(histogram: &Histogram, samples: u64, permilles: [u64; N]) -> [u64; N] {
    let rank = |permille: u64| {
        let rank = (u128::from(samples) * u128::from(permille)).div_ceil(1000).max(1);
        u64::try_from(rank).unwrap_or(samples)
    };
    let mut buckets = histogram.buckets.iter().enumerate();
    let (mut seen, mut at) = (0, 0);
    permilles.map(rank).map(|rank| {
        while seen < rank {
            let Some((index, count)) = buckets.next() else { return histogram.max };
            (seen, at) = (seen + count, index);
        }
        hist::midpoint(at).min(histogram.max)
    })
}

fn filled(histogram: &Histogram) -> Vec<Bucket> {
    let buckets = || histogram.buckets.iter().enumerate().filter(|&(_, &count)| count > 0);
    // As much as is needed and no more: a live screen keeps thousands of these.
    let mut filled = Vec::with_capacity(buckets().count());
    filled.extend(buckets().map(|(index, &count)| Bucket { from_ns: hist::lower(index), count }));
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &ns in values {
            histogram.buckets[hist::index(ns)] += 1;
            histogram.sum += ns;
            histogram.max = histogram.max.max(ns);
        }
        histogram
    }

    #[test]
    fn percentiles_follow_the_nearest_rank_within_the_histogram_error() {
        let values: Vec<u64> = (1..=1000).map(|i| i * 100).collect();
        let latency = Latency::new(Some(&of(&values)));
        for (got, want) in [
            (latency.p50, 50_000.0),
            (latency.p90, 90_000.0),
            (latency.p99, 99_000.0),
            (latency.p999, 99_900.0),
        ] {
            let error = (got.unwrap() as f64 - want).abs() / want;
            assert!(error <= 0.0625, "{got:?} for {want}");
        }
        let tenth = latency.quickest_tenth().unwrap();
        assert!((9_000..=10_000).contains(&tenth), "{tenth}");
        assert_eq!(Latency::default().quickest_tenth(), None);
        assert_eq!(latency.max, Some(100_000));
        assert_eq!(latency.mean, Some(50_050));
        assert_eq!(latency.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 1000);
    }

    #[test]
    fn any_distribution_is_within_the_histogram_error() {
        // xorshift: the same numbers in every run.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 1..200 {
            let mut values: Vec<u64> = (0..round * 7).map(|_| (random() >> 40) >> (random() % 24)).collect();
            let latency = Latency::new(Some(&of(&values)));
            values.sort_unstable();
            let got = [(latency.p50, 500), (latency.p90, 900), (latency.p99, 990), (latency.p999, 999)];
            for (got, permille) in got {
                let exact = values[(values.len() * permille).div_ceil(1000).max(1) - 1] as f64;
                let error = (got.unwrap() as f64 - exact).abs();
                assert!(error <= exact * 0.0625, "{got:?} for {exact} at {permille} of {round}");
            }
        }
    }

    #[test]
    fn small_values_are_exact_and_no_percentile_exceeds_the_maximum() {
        let latency = Latency::new(Some(&of(&[3, 3, 3, 15])));
        assert_eq!((latency.p50, latency.p99, latency.max), (Some(3), Some(15), Some(15)));
        let one = Latency::new(Some(&of(&[1025])));
        assert_eq!((one.p50, one.p999, one.max), (Some(1025), Some(1025), Some(1025)));
    }

    #[test]
    fn nothing_timed_and_not_measured_differ() {
        assert_eq!(Latency::new(Some(&Histogram::default())).samples, Some(0));
        assert_eq!(Latency::new(Some(&Histogram::default())).p50, None);
        assert_eq!(Latency::new(None), Latency::default());
    }
}
