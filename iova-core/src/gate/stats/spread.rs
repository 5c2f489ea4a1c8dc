//! Middle, spread and outliers of one sample.

use serde::Serialize;

/// One side of a comparison in short.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Runs that have a value.
    pub runs: usize,
    /// Their median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of `values`; `None` without any.
    pub fn new(values: &[f64]) -> Option<Self> {
        let median = median(&mut values.to_vec())?;
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), &value| (min.min(value), max.max(value)));
        Some(Self { runs: values.len(), median, min, max })
    }

    /// True if all runs gave the same.
    pub fn is_constant(&self) -> bool {
        self.min >= self.max
    }
}

/// Sorts nothing but what it has to. The mean of the middle two for an even number of values.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(lower + (upper - lower) / 2.0)
}

/// From so many median absolute deviations on, a run stands out. A deviation is scaled by 1.4826, which makes it the
/// standard deviation of normal values.
const FAR: f64 = 3.0;
const SCALE: f64 = 1.4826;

/// Places of the values that stand out; none if more than half of the values are the same.
pub fn outliers(values: &[f64]) -> Vec<usize> {
    let Some(middle) = median(&mut values.to_vec()) else { return Vec::new() };
    let mut deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let Some(usual) = median(&mut deviations.clone()).filter(|&usual| usual > 0.0) else { return Vec::new() };
    let far = |&(_, deviation): &(usize, f64)| deviation > FAR * SCALE * usual;
    deviations.drain(..).enumerate().filter(far).map(|(place, _)| place).collect()
}
