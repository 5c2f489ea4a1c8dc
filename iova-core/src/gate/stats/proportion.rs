//! A share of a count, and what it says about the share among all.

use super::Interval;

/// So many halvings leave no digit of an `f64` between 0 and 1 open.
const HALVINGS: u32 = 60;

/// The Clopper-Pearson interval of a share of which `k` of `n` were seen: whatever the true share is, it is inside in at least
/// `level` of all such samples. `None` without a sample, or for more seen than looked at.
pub fn proportion(k: u64, n: u64, level: f64) -> Option<Interval> {
    if n == 0 || k > n {
        return None;
    }
    let outside = (1.0 - level) / 2.0;
    // At the lower end, so many or more are only just likely enough; at the upper one, so few or fewer.
    let low = if k == 0 { 0.0 } else { root(|share| 1.0 - at_most(k - 1, n, share) >= outside) };
    let high = if k == n { 1.0 } else { root(|share| at_most(k, n, share) < outside) };
    Some(Interval { low, high })
}

/// The largest share that `n` looked at without one seen leave possible, at this one-sided level. At 0.95 it is about 3 in `n`,
/// the rule of three. `None` without a sample.
pub fn none_of(n: u64, level: f64) -> Option<f64> {
    (n > 0).then(|| 1.0 - (1.0 - level).powf(1.0 / n as f64))
}

/// Where `above` turns true.
fn root(above: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if above(middle) { high = middle } else { low = middle }
    }
    f64::midpoint(low, high)
}

/// How likely at most `k` of `n` are, each being one with this share between 0 and 1.
fn at_most(k: u64, n: u64, share: f64) -> f64 {
    let (yes, no) = (share.ln(), (-share).ln_1p());
    let mut choices = 0.0;
    let mut sum = 0.0;
    for count in 0..=k {
        sum += (choices + count as f64 * yes + (n - count) as f64 * no).exp();
        choices += ((n - count) as f64).ln() - ((count + 1) as f64).ln();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(k, n).proportion_ci()` is the same by way of the beta distribution.
    #[test]
    fn known_intervals() {
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.308_497),
            (1, 10, 0.002_529, 0.445_016),
            (5, 10, 0.187_086, 0.812_914),
            (10, 10, 0.691_503, 1.0),
            (3, 1000, 0.000_619, 0.008_742),
        ] {
            let found = proportion(k, n, 0.95).unwrap();
            assert!(
                (found.low - low).abs() < 2e-6 && (found.high - high).abs() < 2e-6,
                "{k} of {n}: {found:?}"
            );
        }
        assert_eq!(proportion(0, 0, 0.95), None);
        assert_eq!(proportion(2, 1, 0.95), None);
    }

    #[test]
    fn rule_of_three() {
        assert!((none_of(50, 0.95).unwrap() - 0.058_155).abs() < 1e-6);
        assert!((none_of(1000, 0.95).unwrap() * 1000.0 - 3.0).abs() < 0.01);
        assert_eq!(none_of(0, 0.95), None);
    }
}
