//! The figures of one device, one per column.

use iova_core::model::story::{Story, Stretch};
use iova_core::model::{Device, Latency};

/// One value per column each; `None` where there is none.
pub(super) struct Series {
    pub(super) latency: Vec<Latency>,
    /// Allocations per second.
    pub(super) rate: Vec<Option<f64>>,
    /// "~ " where the latencies are not exact, or the rate is not.
    pub(super) latency_mark: &'static str,
    pub(super) rate_mark: &'static str,
}

impl Series {
    /// `None` if the device did nothing in any column.
    pub(super) fn of(story: &Story, device: &Device) -> Option<Self> {
        let told = story.device(&device.bdf)?;
        let columns = story.columns();
        let mark = |metric| if device.is_approximate(metric) { "~ " } else { "" };
        // Where it did nothing, that is known.
        let mut series = Self {
            latency: vec![Latency::default(); columns.len()],
            rate: vec![Some(0.0); columns.len()],
            latency_mark: mark("alloc.latency_ns"),
            rate_mark: mark("alloc.count"),
        };
        for (index, stretch) in &told.columns {
            let index = *index as usize;
            let seconds = columns.get(index).map(|column| column.seconds());
            if let Some(latency) = series.latency.get_mut(index) {
                *latency = stretch.latency();
            }
            if let Some(rate) = series.rate.get_mut(index) {
                *rate = per_second(stretch, seconds);
            }
        }
        Some(series)
    }

    /// The highest rate.
    pub(super) fn most(&self) -> f64 {
        self.rate.iter().flatten().copied().fold(0.0, f64::max)
    }

    pub(super) fn each(&self, of: impl Fn(&Latency) -> Option<u64>) -> Vec<Option<u64>> {
        self.latency.iter().map(of).collect()
    }
}

pub(super) fn per_second(stretch: &Stretch, seconds: Option<f64>) -> Option<f64> {
    seconds.filter(|&seconds| seconds > 0.0).map(|seconds| stretch.allocs as f64 / seconds)
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Steps per power of two.
const STEPS: f64 = 96.0;
/// log2 of the smallest value.
const LEAST: f64 = -10.0;

/// Values for the script, two letters each: at most 0.4 % off, from 0.001 to 10^9; what is shown has no more digits. The
/// first two codes are unknown and 0.
pub(super) fn pack(values: impl Iterator<Item = Option<f64>>) -> String {
    let code = |value: Option<f64>| match value {
        None => 0,
        Some(value) if value > 0.0 => {
            (((value.log2() - LEAST) * STEPS).round().clamp(0.0, 4093.0) as usize) + 2
        }
        Some(_) => 1,
    };
    let letter = |digit: usize| DIGITS.get(digit % 64).map_or('A', |&letter| char::from(letter));
    values.map(code).flat_map(|code| [letter(code / 64), letter(code)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_are_nearly_themselves() {
        let unpack = |text: &str| -> Vec<Option<f64>> {
            let digit = |byte| DIGITS.iter().position(|&letter| letter == byte).unwrap();
            let codes = text.as_bytes().chunks(2).map(|pair| digit(pair[0]) * 64 + digit(pair[1]));
            let value = |code: usize| match code {
                0 => None,
                1 => Some(0.0),
                _ => Some(((code - 2) as f64 / STEPS + LEAST).exp2()),
            };
            codes.map(value).collect()
        };
        let values = [None, Some(0.0), Some(0.003), Some(1.0), Some(812.0), Some(41_234.0), Some(2e9)];
        let text = pack(values.into_iter());
        assert_eq!(text.len(), 2 * values.len());
        for (got, want) in unpack(&text).into_iter().zip(values) {
            match (got, want) {
                (Some(got), Some(want)) => assert!((got - want).abs() <= want * 0.004, "{got} for {want}"),
                _ => assert_eq!(got, want),
            }
        }
    }
}
