//! A compact histogram: the fine buckets merged into powers of two.

use super::page::{Page, Style};
use crate::render::bar::bar;
use iova_core::metric::Unit;
use iova_core::model::{Bucket, Latency};

/// More rows than this, and four powers of two share one.
const MAX_ROWS: u32 = 14;

pub(super) fn write(page: &mut Page, latency: &Latency) {
    let rows = merge(&latency.buckets);
    // One row says nothing that the percentiles do not.
    if rows.len() < 2 {
        return;
    }
    let total: u64 = rows.iter().map(|row| row.count).sum();
    let most = rows.iter().map(|row| row.count).max().unwrap_or(1).max(1);
    let room = page.width().saturating_sub(32).min(60);
    page.line(Style::Dim, "alloc latency, from");
    for row in rows {
        let share = Unit::Ratio.render(Some(row.count as f64 / total as f64));
        let count = Unit::Count.render(Some(row.count as f64));
        let from = Unit::Nanoseconds.render(Some(row.from_ns as f64));
        page.put(Style::Plain, &format!("{from:>9} {count:>9} {share:>6}  "));
        let bar = bar(row.count as f64 / most as f64, room, page.unicode());
        page.line(Style::Good, &bar);
    }
}

/// Merged rows from the first filled to the last filled one, empty ones between them included.
fn merge(buckets: &[Bucket]) -> Vec<Bucket> {
    let exponent = |ns: u64| ns.max(1).ilog2();
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Vec::new() };
    let (low, high) = (exponent(first.from_ns), exponent(last.from_ns));
    let step = if high - low >= MAX_ROWS { 2 } else { 1 };
    let rows = (low..=high).step_by(step as usize);
    rows.map(|start| {
        let inside = |bucket: &&Bucket| (start..start + step).contains(&exponent(bucket.from_ns));
        let count = buckets.iter().filter(inside).map(|bucket| bucket.count).sum();
        Bucket { from_ns: 1 << start, count }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(from_ns: u64, count: u64) -> Bucket {
        Bucket { from_ns, count }
    }

    #[test]
    fn buckets_merge_into_powers_of_two_without_losing_any() {
        let rows = merge(&[bucket(288, 3), bucket(448, 4), bucket(2048, 1)]);
        assert_eq!(rows, [bucket(256, 7), bucket(512, 0), bucket(1024, 0), bucket(2048, 1)]);
        let wide = merge(&[bucket(0, 1), bucket(5, 2), bucket(1 << 30, 1)]);
        assert!(wide.len() <= 16);
        assert_eq!(wide.iter().map(|row| row.count).sum::<u64>(), 4);
    }
}
