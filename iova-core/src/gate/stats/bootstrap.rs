//! Percentile-bootstrap intervals.

use super::random::Random;
use super::spread::median;

/// The same for ever, so that the same runs always get the same interval.
const SEED: u64 = 0x10fa;
/// So many pairs are looked at in all; many runs get fewer resamplings, which they need less.
const PAIRS: usize = 4_000_000;
const LEAST: usize = 200;

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The interval of the median of `of` over all pairs of `a` and `b` that holds `level` of the resamplings. Both sides
/// are drawn anew with replacement, each as many values as it has. `None` with an empty side.
pub fn interval(
    a: &[f64],
    b: &[f64],
    of: impl Fn(f64, f64) -> f64,
    level: f64,
    resamples: usize,
) -> Option<Interval> {
    let pairs = a.len() * b.len();
    let times = resamples.min((PAIRS / pairs.max(1)).max(LEAST)).max(1);
    // Once for each pair; a resampling only picks.
    let table: Vec<f64> =
        a.iter().flat_map(|&a| b.iter().map(move |&b| (a, b))).map(|(a, b)| of(a, b)).collect();
    let mut random = Random::new(SEED);
    let mut draw = |size: usize| -> Vec<usize> { (0..size).map(|_| random.below(size)).collect() };
    let mut found = Vec::with_capacity(times);
    let mut picked = Vec::with_capacity(pairs);
    for _ in 0..times {
        let (rows, columns) = (draw(a.len()), draw(b.len()));
        picked.clear();
        for row in rows {
            let row = table.get(row * b.len()..).unwrap_or_default();
            picked.extend(columns.iter().filter_map(|&column| row.get(column)));
        }
        found.push(median(&mut picked)?);
    }
    found.sort_by(f64::total_cmp);
    let at = |share: f64| found.get((share * (times - 1) as f64).round() as usize).copied();
    let outside = (1.0 - level) / 2.0;
    Some(Interval { low: at(outside)?, high: at(1.0 - outside)? })
}
