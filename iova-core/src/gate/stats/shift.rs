//! How far two samples are apart: the Hodges-Lehmann estimate, the median over all pairs of one value of each side.

use super::spread::median;

/// Median of all differences `a - b`; `None` with an empty side.
pub fn shift(a: &[f64], b: &[f64]) -> Option<f64> {
    over_pairs(a, b, |a, b| a - b)
}

/// Median of all quotients `a / b`; `None` with an empty side or if any value is not above 0.
pub fn ratio(a: &[f64], b: &[f64]) -> Option<f64> {
    let positive = a.iter().chain(b).all(|&value| value > 0.0);
    if positive { over_pairs(a, b, |a, b| a / b) } else { None }
}

fn over_pairs(a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64 + Copy) -> Option<f64> {
    let pairs = a.iter().flat_map(|&a| b.iter().map(move |&b| of(a, b)));
    median(&mut pairs.collect::<Vec<_>>())
}
