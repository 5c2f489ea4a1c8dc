//! Latency over time: columns are intervals, rows are powers of two, colour is how many.

use super::super::history::{HEAT_ROWS, Moment, Row, heat_from};
use super::super::theme::Role;
use super::pen::Pen;
use iova_core::metric::Unit;

/// Room for the scale at the left.
pub(super) const SCALE: u16 = 8;

pub(super) fn draw(moments: &[&Moment], bdf: &str, pen: &mut Pen<'_>) {
    let columns: Vec<[u32; HEAT_ROWS]> =
        moments.iter().map(|moment| moment.row(bdf).map_or([0; HEAT_ROWS], Row::heat)).collect();
    let hottest = columns.iter().flatten().copied().max().unwrap_or(0);
    let rows = usize::from(pen.height());
    let bottom = lowest(&columns, rows);
    for y in 0..rows {
        let row = bottom + rows - 1 - y;
        if row >= HEAT_ROWS {
            continue;
        }
        let y = y as u16;
        pen.put_right(SCALE - 1, y, Role::Dim, &Unit::Nanoseconds.render(Some(heat_from(row) as f64)));
        // The newest is at the right, also when there are not many yet.
        let first = pen.width().saturating_sub(columns.len() as u16).max(SCALE);
        for (x, column) in (first..).zip(&columns) {
            let eighths = eighths(column.get(row).copied().unwrap_or(0), hottest);
            let cell = pen.theme.heat(eighths);
            pen.put(x, y, Role::Heat(eighths), cell);
        }
    }
}

/// The lowest row to show, where not all fit: below it nothing has happened.
fn lowest(columns: &[[u32; HEAT_ROWS]], rows: usize) -> usize {
    let used = |row: usize| columns.iter().any(|column| column.get(row) > Some(&0));
    let first = (0..HEAT_ROWS).find(|&row| used(row)).unwrap_or(0);
    first.min(HEAT_ROWS.saturating_sub(rows))
}

/// On a logarithmic scale, so that a few slow calls are seen beside a million fast ones.
fn eighths(count: u32, hottest: u32) -> u8 {
    if count == 0 {
        return 0;
    }
    let share = f64::from(count).ln_1p() / f64::from(hottest.max(1)).ln_1p();
    (share * 8.0).round().clamp(1.0, 8.0) as u8
}
