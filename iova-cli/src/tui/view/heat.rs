//! Latency over time: columns are intervals, rows are powers of two, colour is how many.

use super::super::history::{HEAT_ROWS, heat_from};
use super::super::packed::Heat;
use super::super::theme::Role;
use super::pen::Pen;
use iova_core::metric::Unit;

/// Room at the left for scales and their names.
pub(super) const SCALE: u16 = 12;

pub(super) fn draw(columns: &[Option<&Heat>], pen: &mut Pen<'_>) {
    let lines = pen.height().min(HEAT_ROWS as u16);
    let (bottom, step) = scale(columns, usize::from(lines));
    let begin = |y: u16| bottom + step * usize::from(lines - 1 - y);
    let count = |column: Option<&Heat>, y: u16| -> f64 {
        column.map_or(0.0, |heat| (begin(y)..begin(y) + step).map(|row| heat.count(row)).sum())
    };
    let all = (0..lines).flat_map(|y| columns.iter().map(move |column| count(*column, y)));
    let hottest = all.fold(0.0, f64::max);
    // The newest is at the right, also when there are not many yet.
    let first = pen.width().saturating_sub(columns.len() as u16).max(SCALE);
    for y in (0..lines).filter(|&y| begin(y) < HEAT_ROWS) {
        let from = Unit::Nanoseconds.render(Some(heat_from(begin(y)) as f64));
        pen.put_right(SCALE - 1, y, Role::Dim, &from);
        for (x, column) in (first..).zip(columns) {
            let eighths = eighths(count(*column, y), hottest);
            let cell = pen.theme.heat(eighths);
            pen.put(x, y, Role::Heat(eighths), cell);
        }
    }
}

/// The lowest row to show, and how many rows share a line, where there are not enough lines for all of them: what has
/// happened is seen, however high it is.
fn scale(columns: &[Option<&Heat>], lines: usize) -> (usize, usize) {
    let used = |row: &usize| columns.iter().flatten().any(|column| column.count(*row) > 0.0);
    let (Some(lowest), Some(highest)) = ((0..HEAT_ROWS).find(used), (0..HEAT_ROWS).rev().find(used)) else {
        return (0, 1);
    };
    let rows = highest + 1 - lowest;
    let step = rows.div_ceil(lines.max(1));
    let spare = (step * lines).saturating_sub(rows);
    (lowest.saturating_sub(spare / 2).min(HEAT_ROWS.saturating_sub(step * lines)), step)
}

/// On a logarithmic scale, so that a few slow calls are seen beside a million fast ones.
fn eighths(count: f64, hottest: f64) -> u8 {
    if count <= 0.0 {
        return 0;
    }
    let share = count.ln_1p() / hottest.max(1.0).ln_1p();
    (share * 8.0).round().clamp(1.0, 8.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use iova_core::model::Bucket;

    #[test]
    fn what_has_happened_is_seen_on_any_number_of_lines() {
        let bucket = |row, count| Bucket { from_ns: heat_from(row), count };
        let column = Heat::of(&[bucket(2, 7), bucket(14, 1)]);
        for lines in 1..=40 {
            let (bottom, step) = scale(&[Some(&column), None], lines);
            assert!(bottom <= 2 && bottom + step * lines > 14, "{lines} lines: {bottom} {step}");
        }
        assert_eq!(scale(&[Some(&column), None], HEAT_ROWS), (0, 1), "all rows, where there is room");
        assert_eq!(scale(&[], 5), (0, 1));
    }
}
