//! Figures of the past, packed: of 200 devices there are four million of them.

use super::history::{HEAT_ROWS, heat_row};
use iova_core::model::Bucket;

/// A figure in two bytes, on a logarithmic scale: at most 0.03 % off, from 0.00006 to 10^12. Powers of two are exact, so
/// a share of 100 % and the width of a mask are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed(u16);

impl Packed {
    const UNKNOWN: u16 = 0;
    const ZERO: u16 = 1;
    const FIRST: u16 = 2;
    /// log2 of the smallest value.
    const LEAST: f64 = -14.0;
    /// Steps per power of two.
    const STEPS: f64 = 1180.0;

    pub(crate) fn of(value: Option<f64>) -> Self {
        Self(match value {
            None => Self::UNKNOWN,
            Some(value) if value > 0.0 => {
                let steps = (value.log2() - Self::LEAST) * Self::STEPS;
                // What is smaller than anything that is shown is nothing; the cast keeps to the largest value.
                if steps < 0.0 { Self::ZERO } else { (steps.round() as u16).saturating_add(Self::FIRST) }
            }
            Some(_) => Self::ZERO,
        })
    }

    pub(crate) fn value(self) -> Option<f64> {
        match self.0 {
            Self::UNKNOWN => None,
            Self::ZERO => Some(0.0),
            code => Some((f64::from(code - Self::FIRST) / Self::STEPS + Self::LEAST).exp2()),
        }
    }
}

/// One column of a heatmap: how many per row, in half a byte each. Colours tell no more than that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heat([u8; HEAT_ROWS / 2]);

impl Heat {
    /// What a half byte stands for: this many, or more up to the next. Finer where a few calls matter.
    const LEVELS: [u32; 16] =
        [0, 1, 2, 4, 8, 16, 32, 64, 128, 512, 2048, 8192, 1 << 15, 1 << 17, 1 << 20, 1 << 24];

    pub(crate) fn of(buckets: &[Bucket]) -> Self {
        let mut rows = [0_u64; HEAT_ROWS];
        for bucket in buckets {
            if let Some(row) = rows.get_mut(heat_row(bucket.from_ns)) {
                *row = row.saturating_add(bucket.count);
            }
        }
        let level = |count: u64| Self::LEVELS.partition_point(|&level| u64::from(level) <= count) as u8 - 1;
        let mut heat = Self::default();
        for (pair, byte) in rows.chunks_exact(2).zip(&mut heat.0) {
            *byte = pair.iter().rev().fold(0, |byte, &count| byte << 4 | level(count));
        }
        heat
    }

    /// How many are in a row, about; 0 for a row that there is not.
    pub(crate) fn count(&self, row: usize) -> f64 {
        let byte = self.0.get(row / 2).copied().unwrap_or(0);
        let level = byte >> (row % 2 * 4) & 15;
        Self::LEVELS.get(usize::from(level)).map_or(0.0, |&level| f64::from(level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_nearly() {
        for value in [0.001, 0.5, 1.0, 3.0, 64.0, 515.0, 1890.0, 4.2e6, 6.8e10, 9e11] {
            let kept = Packed::of(Some(value)).value().unwrap();
            assert!((kept / value - 1.0).abs() < 0.0003, "{kept} for {value}");
        }
        for value in [0.0, 0.25, 1.0, 64.0, 4096.0, 4_294_967_296.0] {
            assert_eq!(Packed::of(Some(value)).value(), Some(value));
        }
        assert_eq!((Packed::of(None).value(), Packed::of(Some(1e-9)).value()), (None, Some(0.0)));
        assert!(Packed::of(Some(f64::MAX)).value() > Some(1e12));
    }

    #[test]
    fn counts_of_a_column_keep_their_size() {
        for count in [0, 1, 2, 3, 127, 1000, 212_400, u64::from(u32::MAX), u64::MAX] {
            let heat = Heat::of(&[Bucket { from_ns: 300, count }, Bucket { from_ns: 600, count: 5 }]);
            let row = heat_row(300);
            let most = if count < 256 { 2.0 } else { 16.0 };
            let kept = heat.count(row);
            let limit = count.min(1 << 24) as f64;
            assert!(kept <= limit && kept * most >= limit, "{kept} for {count}");
            assert_eq!((heat.count(row + 1), heat.count(0), heat.count(99)), (4.0, 0.0, 0.0));
        }
    }
}
