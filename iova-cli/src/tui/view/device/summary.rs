//! The device at a glance: its figures, latencies and pressure over time, the map of its space, its last events.

use super::super::super::columns::COLUMNS;
use super::super::super::history::Row;
use super::super::super::state::State;
use super::super::super::theme::Role;
use super::super::overview::pressure_role;
use super::super::pen::Pen;
use super::super::spark::{self, Spark};
use super::super::{findings, heat, strip};
use super::{Now, calls, events, now, seen, span, timeline};
use crate::render::items;
use iova_core::metric::Unit;

/// Lines that the map and its heading need.
const MAP: u16 = 6;
/// From this width on, the events stand beside the rest.
const BESIDE: u16 = 160;
/// Latencies that are shown over time; the first is left out first where there is little room.
const PERCENTILES: [(&str, &str); 3] =
    [("p50", "alloc.latency_ns.p50"), ("p99", "alloc.latency_ns.p99"), ("max", "alloc.latency_ns.max")];
const PRESSURE: &str = "low_space.pressure";

pub(super) fn draw(state: &State, row: &Row, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    let y = figures(row, &state.columns, pen);
    let y = y + verdict(state, row, &mut pen.part(0, y, width, if height >= 18 { 2 } else { 0 }));
    let (rest, bdf) = (height.saturating_sub(y), &row.who.bdf);
    if width >= BESIDE {
        let left = width * 5 / 8;
        charts(state, bdf, 0, &mut pen.part(0, y, left, rest));
        return beside(state, bdf, &mut pen.part(left + 2, y, width - left - 2, rest));
    }
    let below = events_below(rest);
    charts(state, bdf, below, &mut pen.part(0, y, width, rest));
    events::list(state, bdf, &mut pen.part(0, y + rest - below, width, below));
}

/// Where there is much room: the calls, and the events below them.
fn beside(state: &State, bdf: &str, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    let calls = calls::brief(state, bdf, &mut pen.part(0, 0, width, height / 2)) + 1;
    events::list(state, bdf, &mut pen.part(0, calls, width, height.saturating_sub(calls)));
}

/// Lines for the events: only where everything else has its room.
fn events_below(height: u16) -> u16 {
    if height < 29 { 0 } else { (height - 26).min(8) }
}

/// The columns of the overview, also those that it has no room for, on no more than a quarter of the lines.
fn figures(row: &Row, columns: &[usize], pen: &mut Pen<'_>) -> u16 {
    let (mut x, mut y, last) = (0, 0, (pen.height() / 4).max(1) - 1);
    for &index in columns {
        let Some(column) = COLUMNS.get(index) else { continue };
        let text = column.render(row.value(index));
        let length = (column.title.len() + text.chars().count() + 1) as u16;
        if x > 0 && x + length > pen.width() {
            if y == last {
                break;
            }
            (x, y) = (0, y + 1);
        }
        x = pen.put(x, y, Role::Dim, column.title);
        x = pen.put(x + 1, y, Role::Plain, &text) + 3;
    }
    y + 1
}

/// The worst that is wrong with this device; says how many lines that took.
fn verdict(state: &State, row: &Row, pen: &mut Pen<'_>) -> u16 {
    let findings = state.moment().into_iter().flat_map(|moment| moment.findings.iter());
    let mut mine = findings.filter(|finding| finding.device.as_ref() == Some(&row.who.bdf));
    mine.next().map_or(0, |finding| findings::one(finding, None, 0, pen))
}

/// Time goes from left to right in all of them alike; `below` is the room to leave free under them.
fn charts(state: &State, bdf: &str, below: u16, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height().saturating_sub(below));
    let map = if height >= MAP + 9 { MAP } else { 0 };
    let rows = timeline(state, bdf, width);
    let x = pen.put(0, 0, Role::Strong, &format!("latency of allocations, {}", span(state, width)));
    pen.put(x, 0, Role::Dim, "; below: from 0 to what is at the left");
    let room = height.saturating_sub(map + 1);
    // The heatmap has what is left, but no more than it has rows.
    let tall = (room.saturating_sub(14) / 4).clamp(1, 4);
    let sparks = if room >= 8 { PERCENTILES.len() } else { 1 + usize::from(room >= 5) };
    let heat_lines = room.saturating_sub(tall * (sparks as u16 + 1)).min(20);
    let heats: Vec<_> = rows.iter().map(|row| row.map(|row| &row.heat)).collect();
    heat::draw(&heats, &mut pen.part(0, 1, width, heat_lines));
    let mut y = 1 + heat_lines;
    for (label, metric) in PERCENTILES.iter().rev().take(sparks).rev() {
        percentile(label, metric, &rows, &mut pen.part(0, y, width, tall));
        y += tall;
    }
    pressure(&rows, &mut pen.part(0, y, width, tall));
    if map > 0 {
        y += tall;
        below_4g(state, bdf, &mut pen.part(0, y, width, height.saturating_sub(y)));
    }
}

/// From 0 to the highest that is seen.
fn percentile(label: &str, metric: &str, rows: &[Option<&Row>], pen: &mut Pen<'_>) {
    let values: Vec<_> = rows.iter().map(|row| row.and_then(|row| row.metric(metric))).collect();
    let top = values.iter().flatten().copied().reduce(f64::max);
    let scale = Unit::Nanoseconds.render(top);
    let spark = Spark { label, top: top.unwrap_or(0.0), scale, values: &values, role: |_| Role::Plain };
    spark::draw(&spark, pen);
}

/// From nothing to all.
fn pressure(rows: &[Option<&Row>], pen: &mut Pen<'_>) {
    let values: Vec<_> = rows.iter().map(|row| row.and_then(|row| row.metric(PRESSURE))).collect();
    let scale = Unit::Ratio.render(Some(1.0));
    let spark = Spark { label: "32-bit", top: 1.0, scale, values: &values, role: pressure_role };
    spark::draw(&spark, pen);
}

fn below_4g(state: &State, bdf: &str, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    let now = now(state, bdf);
    let domain = now.as_ref().and_then(|now| now.domain);
    let x = pen.put(0, 0, Role::Strong, &seen(state, domain));
    if let Some(now) = &now {
        let sizes: Vec<_> = sizes(now).into_iter().take(4).collect();
        let text = format!("sizes: {}", sizes.join("  "));
        if !sizes.is_empty() && usize::from(x) + text.len() + 2 <= usize::from(width) {
            pen.put_right(width, 0, Role::Dim, &text);
        }
    }
    strip::draw(now.and_then(|now| now.domain), &mut pen.part(0, 1, width, height - 1));
}

/// "4 KiB 68%", most frequent first.
fn sizes(now: &Now<'_>) -> Vec<String> {
    let total = now.device.alloc.count.max(1) as f64;
    let granule = items::granule(now.domain);
    let mut orders = now.device.alloc.by_order.clone();
    orders.sort_by_key(|entry| std::cmp::Reverse(entry.count));
    let share = |count: u64| Unit::Ratio.render(Some(count as f64 / total));
    let texts =
        orders.iter().map(|entry| format!("{} {}", items::size(granule, entry.order), share(entry.count)));
    texts.collect()
}
