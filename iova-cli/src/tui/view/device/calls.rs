//! What a device asks the allocator for, how long that takes, and who waits longest.

use super::super::super::state::State;
use super::super::super::theme::Role;
use super::super::heat;
use super::super::lines::{self, Line, line, paragraph};
use super::super::pen::{Pen, wrapped};
use super::{Now, lately, not_then, span, timeline};
use crate::render::bar::bar;
use crate::render::items::{self, PERCENTILES};
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::SlowCall;

/// From this width on, the slow calls stand beside the rest.
const BESIDE: u16 = 150;
/// The figures of a latency, most wanted first.
const WANTED: [usize; PERCENTILES.len()] = [0, 2, 4, 1, 3, 5, 6];
const NAME: usize = 10;
const FIGURE: usize = 10;

/// Lines of the heatmap of frees, and from which height on it is there.
const HEAT: u16 = 12;
const HEAT_FROM: u16 = 34;

/// The pane; says how far down it can be scrolled.
pub(super) fn draw(state: &State, bdf: &str, pen: &mut Pen<'_>) -> usize {
    let (width, height) = (pen.width(), pen.height());
    let frees = if height >= HEAT_FROM { HEAT } else { 0 };
    let lower = lists(state, bdf, &mut pen.part(0, 0, width, height - frees));
    if frees > 0 {
        let pen = &mut pen.part(0, height - frees, width, frees);
        pen.put(0, 0, Role::Strong, &format!("latency of frees, {}", span(state, width)));
        let rows = timeline(state, bdf, width);
        let heats: Vec<_> = rows.iter().map(|row| row.map(|row| &row.free_heat)).collect();
        heat::draw(&heats, &mut pen.part(0, 1, width, frees - 1));
    }
    lower
}

/// The figures alone; says how many lines they took.
pub(super) fn brief(state: &State, bdf: &str, pen: &mut Pen<'_>) -> u16 {
    let Some(now) = lately(state, bdf) else { return 0 };
    let (width, height) = (pen.width(), pen.height());
    heading(state, &now, pen);
    let lines = figures(&now, width, pen.theme.unicode);
    lines::draw(&lines, 0, &mut pen.part(0, 1, width, height.saturating_sub(1)));
    height.min(lines.len() as u16 + 1)
}

fn heading(state: &State, now: &Now<'_>, pen: &mut Pen<'_>) {
    let span = Unit::Seconds.render(Some(now.report.duration_s));
    pen.put(0, 0, Role::Strong, &format!("calls of the last {span}, until now{}", not_then(state)));
}

fn lists(state: &State, bdf: &str, pen: &mut Pen<'_>) -> usize {
    let Some(now) = lately(state, bdf) else {
        pen.put(0, 0, Role::Dim, &format!("nothing is known of it now{}", not_then(state)));
        return 0;
    };
    let (width, height) = (pen.width(), pen.height());
    heading(state, &now, pen);
    let rest = &mut pen.part(0, 1, width, height.saturating_sub(1));
    let unicode = rest.theme.unicode;
    if width < BESIDE {
        let mut all = figures(&now, width, unicode);
        all.extend(slow_calls(&now, width));
        return lines::draw(&all, state.scroll, rest);
    }
    let left = width / 2;
    let figures = figures(&now, left, unicode);
    let lower = lines::draw(&figures, state.scroll, &mut rest.part(0, 0, left, height));
    let calls = slow_calls(&now, width - left - 2);
    lower.max(lines::draw(&calls, state.scroll, &mut rest.part(left + 2, 0, width - left - 2, height)))
}

fn figures(now: &Now<'_>, width: u16, unicode: bool) -> Vec<Line> {
    let mut lines = latencies(now, width);
    lines.extend(counts(now, width));
    lines.extend(sizes(now, width, unicode));
    lines
}

/// A line for each thing that is timed, with as many figures as fit.
fn latencies(now: &Now<'_>, width: u16) -> Vec<Line> {
    let count = usize::from(width).saturating_sub(NAME) / FIGURE;
    let mut shown: Vec<usize> = WANTED.into_iter().take(count).collect();
    shown.sort_unstable();
    let row = |name: &str, role: Role, figures: [String; PERCENTILES.len()]| -> Line {
        let figures = shown.iter().filter_map(|&index| figures.get(index));
        let text = figures.map(|figure| format!("{:>FIGURE$}", figure.trim_start())).collect();
        vec![(Role::Strong, format!("{name:NAME$}")), (role, text)]
    };
    let mut lines = vec![row("latency", Role::Dim, PERCENTILES.map(str::to_owned))];
    for (name, latency, metric) in items::latencies(now.device) {
        let figures = items::percentiles(latency, now.device.is_approximate(metric));
        lines.push(row(name, Role::Plain, figures));
    }
    if now.report.profile != "full" {
        lines.push(line(Role::Dim, "--profile full times all frees, dma_map and lock waits too"));
    }
    lines
}

fn counts(now: &Now<'_>, width: u16) -> Vec<Line> {
    let value = |label: &str, name: &str| {
        let value = metric::find(Scope::Device, name).and_then(|metric| metric.of_device(now.device));
        format!("{label} {}", metric::render(Scope::Device, name, value))
    };
    let counts = [
        value("allocations", "alloc.count"),
        value("failed", "alloc.failed"),
        value("slow", "alloc.slow_ratio"),
        value("attempts below 4 GiB", "alloc.sac_attempts"),
        value("failed there", "alloc.sac_failed"),
        value("frees", "free.count"),
        value("maps", "map.count"),
        value("allocator's share of map", "map.allocator_share"),
        value("waits for the domain's lock", "lock.waits"),
    ];
    paragraph("counts", &counts, width)
}

/// A bar for each order.
fn sizes(now: &Now<'_>, width: u16, unicode: bool) -> Vec<Line> {
    let mut lines = vec![line(Role::Strong, "sizes")];
    let total = now.device.alloc.count.max(1) as f64;
    let granule = items::granule(now.domain);
    let room = usize::from(width).saturating_sub(30);
    for entry in &now.device.alloc.by_order {
        let share = entry.count as f64 / total;
        let count = Unit::Count.render(Some(entry.count as f64));
        let size = items::size(granule, entry.order);
        lines.push(vec![
            (Role::Plain, format!("{size:>9} {count:>11} {:>6} ", Unit::Ratio.render(Some(share)))),
            (Role::Live, bar(share, room, unicode)),
        ]);
    }
    lines
}

/// Each with its way into the allocator, slowest first.
fn slow_calls(now: &Now<'_>, width: u16) -> Vec<Line> {
    let mut lines = vec![line(Role::Strong, "slowest allocations, and who called")];
    let calls = &now.device.slow_calls;
    if calls.is_empty() {
        let text = match now.report.profile.as_str() {
            "full" => "  none took long",
            _ => "  to see them with their stacks: iova top --profile full",
        };
        lines.push(line(Role::Dim, text));
    }
    calls.iter().for_each(|call| lines.extend(slow_call(call, width)));
    lines
}

fn slow_call(call: &SlowCall, width: u16) -> Vec<Line> {
    const INDENT: usize = 10;
    let time = Unit::Nanoseconds.render(Some(call.duration_ns as f64));
    let size = Unit::Bytes.render(Some(call.size_bytes as f64));
    let mut lines = vec![vec![(Role::Warning, format!("{time:>8}  ")), (Role::Plain, format!("for {size}"))]];
    if call.stack.is_empty() {
        lines.push(line(Role::Dim, format!("{:INDENT$}no stack was taken", "")));
        return lines;
    }
    let path = wrapped(&items::path(&call.stack), usize::from(width).saturating_sub(INDENT));
    lines.extend(path.into_iter().map(|text| line(Role::Plain, format!("{:INDENT$}{text}", ""))));
    lines
}
