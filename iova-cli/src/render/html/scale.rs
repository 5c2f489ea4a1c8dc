//! Scales: where ticks go, and what stands beside them.

use iova_core::metric::Unit;
use iova_core::model::story::Column;

/// Place on the axis as a share of its length, and the words.
pub(super) type Tick = (f64, String);

/// Steps of a time axis, s.
const STEPS: [u64; 19] =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800];
/// Ticks of a time axis at most, the one at 0 not counted.
const TICKS: u64 = 8;

/// Time since the first column's start. Columns are equally wide, also if they did not last equally long.
pub(super) fn times(columns: &[Column]) -> Vec<Tick> {
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return Vec::new() };
    let whole = last.ns.saturating_sub(first.from_ns) / 1_000_000_000;
    let step = STEPS.into_iter().find(|step| whole / step <= TICKS).unwrap_or(whole / TICKS + 1);
    let at =
        |second: u64| Some((place(columns, first.from_ns + second * 1_000_000_000)?, time(second, step)));
    (0..=whole / step).filter_map(|index| at(index * step)).collect()
}

fn place(columns: &[Column], ns: u64) -> Option<f64> {
    let index = columns.partition_point(|column| column.ns < ns);
    let column = columns.get(index)?;
    let inside = ns.saturating_sub(column.from_ns) as f64 / (column.ns - column.from_ns).max(1) as f64;
    Some((index as f64 + inside.min(1.0)) / columns.len() as f64)
}

fn time(second: u64, step: u64) -> String {
    match step {
        _ if second == 0 => "0".to_owned(),
        0..60 => format!("{second} s"),
        60..3600 => format!("{} min", second / 60),
        3600..86_400 => format!("{} h", second / 3600),
        _ => format!("{} d", second / 86_400),
    }
}

/// From 0 to a round number that is not less than `most`: that number, and ticks in the unit.
pub(super) fn linear(most: f64, unit: Unit) -> (f64, Vec<Tick>) {
    let least = if unit == Unit::Ratio { 0.01 } else { 1.0 };
    let power = 10_f64.powf(most.max(least).log10().floor());
    let top = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|&top| top >= most);
    let top = top.unwrap_or(most);
    let tick =
        |share: f64| (share, if share > 0.0 { unit.render(Some(top * share)) } else { "0".to_owned() });
    (top, [0.0, 0.5, 1.0].map(tick).to_vec())
}

/// Rows of latencies, each a power of two: the first exponent, and the one behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) first: u32,
    pub(super) end: u32,
}

impl Rows {
    /// Those that any of `values` (ns) is in; `None` without any.
    pub(super) fn of(values: impl Iterator<Item = u64>) -> Option<Self> {
        let rows = values.map(row);
        let (least, most) = rows.fold((u32::MAX, 0), |(least, most), row| (least.min(row), most.max(row)));
        (least <= most).then_some(Self { first: least, end: most + 1 })
    }

    pub(super) fn count(self) -> usize {
        self.end.saturating_sub(self.first) as usize
    }

    /// Where a row is, from the bottom.
    pub(super) fn index(self, ns: u64) -> usize {
        (row(ns).clamp(self.first, self.end.max(1) - 1) - self.first) as usize
    }

    /// Where a value is, as a share of the height from the bottom.
    pub(super) fn place(self, ns: u64) -> f64 {
        let place = (ns.max(1) as f64).log2() - f64::from(self.first);
        (place / self.count().max(1) as f64).clamp(0.0, 1.0)
    }

    /// Where rows begin, at most a dozen.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let step = self.count().div_ceil(12).max(1);
        let at = |exponent: u32| {
            let place = f64::from(exponent - self.first) / self.count().max(1) as f64;
            (place, Unit::Nanoseconds.render(Some(2_f64.powi(exponent as i32))))
        };
        (self.first..=self.end).step_by(step).map(at).collect()
    }
}

fn row(ns: u64) -> u32 {
    ns.max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(count: u64, seconds: u64) -> Vec<Column> {
        let ns = |index: u64| (7 + index * seconds) * 1_000_000_000;
        (0..count).map(|index| Column { from_ns: ns(index), ns: ns(index + 1) }).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (count, seconds, last) in [(10, 1, "10 s"), (600, 1, "10 min"), (540, 160, "24 h"), (1, 1, "1 s")]
        {
            let ticks = times(&columns(count, seconds));
            assert!((2..=9).contains(&ticks.len()), "{ticks:?}");
            assert_eq!((ticks[0].0, ticks[0].1.as_str()), (0.0, "0"));
            assert_eq!(ticks.last().unwrap().1, last);
            assert!((ticks.last().unwrap().0 - 1.0).abs() < 1e-9);
        }
        assert_eq!(times(&[]), []);
        assert_eq!(times(&columns(1, 0)).len(), 1);
    }

    #[test]
    fn a_linear_scale_ends_at_a_round_number() {
        assert_eq!(linear(41_234.0, Unit::PerSecond).0, 50_000.0);
        assert_eq!(linear(0.0, Unit::PerSecond).1[2].1, "1.0");
        assert_eq!(linear(0.62, Unit::Ratio).1[2].1, "100%");
    }

    #[test]
    fn rows_are_powers_of_two() {
        let rows = Rows::of([300, 70_000].into_iter()).unwrap();
        assert_eq!((rows, rows.count()), (Rows { first: 8, end: 17 }, 9));
        assert_eq!((rows.index(256), rows.index(65_536), rows.index(u64::MAX)), (0, 8, 8));
        assert_eq!((rows.place(256), rows.place(1 << 17)), (0.0, 1.0));
        assert_eq!(rows.ticks()[0], (0.0, "256ns".into()));
        assert_eq!(Rows::of(std::iter::empty()), None);
        assert_eq!(Rows { first: 0, end: 37 }.ticks().len(), 10);
    }
}
