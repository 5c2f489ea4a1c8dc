//! A figure over time: one column per interval, as high as the figure.

use super::super::theme::Role;
use super::heat::SCALE;
use super::pen::Pen;

/// One figure.
pub(super) struct Spark<'a> {
    pub(super) label: &'a str,
    /// What the full height stands for, and as text.
    pub(super) top: f64,
    pub(super) scale: String,
    /// Oldest first; `None` where it is not known.
    pub(super) values: &'a [Option<f64>],
    pub(super) role: fn(f64) -> Role,
}

/// As high as the rectangle. The newest is at the right, above that of the heatmap.
pub(super) fn draw(spark: &Spark<'_>, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    pen.put(0, 0, Role::Dim, spark.label);
    pen.put_right(SCALE - 1, 0, Role::Dim, &spark.scale);
    let first = pen.width().saturating_sub(spark.values.len() as u16).max(SCALE);
    for (x, value) in (first..width).zip(spark.values) {
        let Some(value) = value else { continue };
        let level = level(*value, spark.top, height);
        for y in 0..height {
            let below = 8 * u32::from(height - 1 - y);
            if level > below || below == 0 {
                let eighths = level.saturating_sub(below).min(8) as u8;
                pen.put(x, y, (spark.role)(*value), pen.theme.spark(eighths));
            }
        }
    }
}

/// Eighths of lines; what is there at all has one.
fn level(value: f64, top: f64, height: u16) -> u32 {
    if value <= 0.0 || top <= 0.0 {
        return 0;
    }
    ((value / top).min(1.0) * f64::from(height) * 8.0).round().max(1.0) as u32
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn levels_are_proportional_and_never_vanish() {
        assert_eq!([level(0.0, 1.0, 2), level(1e-9, 1.0, 2), level(0.5, 1.0, 2)], [0, 1, 8]);
        assert_eq!([level(7.0, 1.0, 2), level(1.0, 0.0, 2)], [16, 0]);
    }
}
