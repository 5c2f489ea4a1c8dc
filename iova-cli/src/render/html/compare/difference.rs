//! How two distributions differ: of the calls of each, the share that is in a row.

use super::super::colour::{LEVELS, differences};
use super::super::heat::cells;
use super::super::image::Image;
use super::super::plot::Plot;
use super::super::scale::Rows;
use super::super::series::Series;
use super::super::write::Html;
use iova_core::metric::Unit;
use iova_core::model::Latency;
use std::collections::{BTreeMap, BTreeSet};

/// Columns at most: equal parts of both measurements, however long each was.
const PARTS: usize = 120;

/// Shares of the calls, per power of two.
fn shares(rows: &BTreeMap<u64, u64>) -> BTreeMap<u64, f64> {
    let all: u64 = rows.values().sum();
    rows.iter().map(|(&from, &count)| (from, count as f64 / all.max(1) as f64)).collect()
}

/// The colour of a difference of shares, -1 to 1: small ones are seen because it is a cube root.
fn level(difference: f64) -> u8 {
    let place = (difference.clamp(-1.0, 1.0).cbrt() + 1.0) / 2.0;
    1 + (place * f64::from(LEVELS - 1)).round() as u8
}

pub(super) fn legend(html: &mut Html) {
    html.raw("<p class=legend><span>difference of shares</span> <span>fewer in B</span> ");
    let palette = differences();
    let pixels = (1..=LEVELS).collect();
    let ramp = Image { width: usize::from(LEVELS), pixels, palette: &palette };
    ramp.draw(html, "px ramp", "from blue over pale to orange");
    html.raw(" <span>more in B (cube root)</span></p>\n");
}

/// "+2.5"; a zero has no sign.
pub(super) fn points(difference: f64) -> String {
    let points = difference * 100.0;
    if points.abs() < 0.05 { "0.0".to_owned() } else { format!("{points:+.1}") }
}

/// The whole of both, row by row.
pub(super) fn of_all(html: &mut Html, a: &Latency, b: &Latency) {
    let (a, b) = (shares(&cells(a)), shares(&cells(b)));
    let rows: BTreeSet<u64> = a.keys().chain(b.keys()).copied().collect();
    html.raw("<figure class=sizes><figcaption><b>Distribution of allocation latency</b> share of the timed calls per power of two; ");
    html.raw("bars: B less A</figcaption><table><thead><tr><th>from<th class=n>A<th class=n>B<th class=n>points<th></tr></thead>");
    let of = |shares: &BTreeMap<u64, f64>, row| shares.get(row).copied().unwrap_or(0.0);
    let most = rows.iter().map(|row| (of(&b, row) - of(&a, row)).abs()).fold(1e-9, f64::max);
    for row in rows.iter().rev() {
        let (before, now) = (of(&a, row), of(&b, row));
        let difference = now - before;
        html.raw("<tr>");
        html.element("th", &[("scope", "row")], &Unit::Nanoseconds.render(Some(*row as f64)));
        [before, now]
            .iter()
            .for_each(|share| html.element("td", &[("class", "n")], &Unit::Ratio.render(Some(*share))));
        html.element("td", &[("class", "n")], &points(difference));
        let width = 50.0 * difference.abs() / most;
        let left = if difference < 0.0 { 50.0 - width } else { 50.0 };
        html.raw("<td class=\"bar both\">");
        let class = if difference < 0.0 { "less" } else { "more" };
        html.element(
            "i",
            &[("class", class), ("style", &format!("margin-left:{left:.1}%;width:{width:.1}%"))],
            "",
        );
        html.raw("</td></tr>");
    }
    html.raw("</table></figure>\n");
}

/// The same for equal parts of both.
pub(super) fn over_time(html: &mut Html, a: &Series, b: &Series, rows: Rows) {
    let columns = a.latency.len().min(b.latency.len()).clamp(1, PARTS);
    let palette = differences();
    let mut image = Image::new(columns, rows.count(), &palette);
    for column in 0..columns {
        let (a, b) = (part(&a.latency, column, columns), part(&b.latency, column, columns));
        if a.is_empty() || b.is_empty() {
            continue;
        }
        let (a, b) = (shares(&a), shares(&b));
        for from in a.keys().chain(b.keys()) {
            let difference = b.get(from).unwrap_or(&0.0) - a.get(from).unwrap_or(&0.0);
            image.set(column, rows.count() - 1 - rows.index(*from), level(difference));
        }
    }
    let y = rows.ticks();
    let x = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share, Unit::Ratio.render(Some(share))));
    let plot = Plot {
        kind: "difference",
        title: "Difference of the distributions over time",
        note: &format!(
            "B less A, share of the timed calls per power of two, in {columns} equal parts of each"
        ),
        height: (rows.count() as f64 * 0.7).clamp(6.0, 14.0),
        y: &y,
        x: &x,
        ends: &[],
    };
    let first = rows.first.to_string();
    plot.write(html, &[("data-first", &first)], |html| image.draw(html, "px", "difference of the heatmaps"));
}

/// All calls of one of `parts` equal parts.
fn part(latencies: &[Latency], index: usize, parts: usize) -> BTreeMap<u64, u64> {
    let place = |index: usize| index * latencies.len() / parts;
    let mut sum = BTreeMap::new();
    for latency in latencies.get(place(index)..place(index + 1)).unwrap_or_default() {
        cells(latency).into_iter().for_each(|(from, count)| *sum.entry(from).or_insert(0) += count);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use iova_core::model::Bucket;

    #[test]
    fn a_colour_tells_a_difference() {
        assert_eq!((level(-1.0), level(1.0)), (1, LEVELS));
        assert!(level(0.001) > level(0.0) + 10 && level(-0.001) + 10 < level(0.0));
        let told = |level: u8| (2.0 * f64::from(level - 1) / f64::from(LEVELS - 1) - 1.0).powi(3);
        assert!((told(level(0.25)) - 0.25).abs() < 0.01);
    }

    #[test]
    fn parts_are_all_of_it() {
        let latency = |count| Latency { buckets: vec![Bucket { from_ns: 300, count }], ..Latency::default() };
        let all: Vec<Latency> = (1..=7).map(latency).collect();
        let counts: Vec<u64> = (0..3).map(|index| part(&all, index, 3)[&256]).collect();
        assert_eq!(counts, [3, 7, 18]);
        assert_eq!(shares(&part(&all, 0, 1)), BTreeMap::from([(256, 1.0)]));
    }
}
