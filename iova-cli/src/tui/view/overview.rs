//! The table of devices, and what is wrong.

use super::super::columns::{COLUMNS, Column, PRESSURE};
use super::super::history::Row;
use super::super::state::State;
use super::super::theme::Role;
use super::findings;
use super::pen::Pen;

/// Columns in front of the figures: address, name, driver.
const NAMES: [(&str, u16); 3] = [("device", 12), ("name", 12), ("driver", 10)];
const POLICY: u16 = 14;
/// From this width on, findings stand beside the table.
const BESIDE: u16 = 170;
/// Pressure from which on a device is in danger, and from which on it suffers.
const PRESSURE_LIMITS: (f64, f64) = (0.6, 0.85);
const BAR: usize = 4;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    let wrong = state.moment().map_or(0, |moment| moment.findings.len());
    if width >= BESIDE {
        table(state, &mut pen.part(0, 0, 115, height));
        findings::list(state, &mut pen.part(117, 0, width - 117, height));
        return;
    }
    let below = if wrong == 0 { 1 } else { (height / 3).min(2 * wrong as u16 + 1) };
    table(state, &mut pen.part(0, 0, width, height - below));
    findings::list(state, &mut pen.part(0, height - below, width, below));
}

fn table(state: &State, pen: &mut Pen<'_>) {
    let layout = layout(pen.width());
    headline(state, &layout, pen);
    let rows = state.rows();
    if rows.is_empty() {
        return nothing(state, pen);
    }
    let room = usize::from(pen.height().saturating_sub(1));
    let cursor = rows.iter().position(|row| Some(&row.who.bdf) == state.selected.as_ref()).unwrap_or(0);
    let first = cursor.saturating_sub(room.saturating_sub(1));
    for (y, row) in (1..).zip(rows.iter().skip(first).take(room)) {
        line(row, &layout, y, pen);
        if Some(&row.who.bdf) == state.selected.as_ref() {
            pen.paint(y, Role::Cursor);
        }
    }
    if rows.len() > first + room {
        pen.put_right(pen.width(), pen.height() - 1, Role::Dim, &format!("+{}", rows.len() - first - room));
    }
}

fn nothing(state: &State, pen: &mut Pen<'_>) {
    let text = match state.moment() {
        None => "",
        Some(moment) if moment.rows.is_empty() => "no device is behind an IOMMU: see iova doctor",
        Some(_) if !state.filter.is_empty() => "no device has this text: Esc shows all again",
        Some(_) => "no device does anything: i shows them all",
    };
    pen.put(0, 2, Role::Plain, text);
}

/// What fits.
struct Layout {
    names: Vec<(&'static str, u16)>,
    columns: Vec<usize>,
    policy: bool,
}

fn layout(width: u16) -> Layout {
    let mut names: Vec<_> = NAMES.to_vec();
    if width < 60 {
        names.remove(0);
    }
    if width < 90 {
        names.pop();
    }
    let mut room = width.saturating_sub(names.iter().map(|(_, width)| width + 1).sum());
    let policy = width >= 60;
    if policy {
        room = room.saturating_sub(POLICY);
    }
    let mut by_rank: Vec<usize> = (0..COLUMNS.len()).collect();
    by_rank.sort_by_key(|&column| COLUMNS.get(column).map(|column| column.rank));
    let mut columns = Vec::new();
    for column in by_rank {
        let needed = COLUMNS.get(column).map_or(0, |column| column.width + 1);
        if needed > room {
            break;
        }
        room -= needed;
        columns.push(column);
    }
    columns.sort_unstable();
    Layout { names, columns, policy }
}

fn headline(state: &State, layout: &Layout, pen: &mut Pen<'_>) {
    pen.paint(0, Role::Headline);
    let mut x = 0;
    for (title, width) in &layout.names {
        pen.put(x, 0, Role::Headline, title);
        x += width + 1;
    }
    for &column in &layout.columns {
        let Some(entry) = COLUMNS.get(column) else { continue };
        x += entry.width;
        let sorted = column == state.sort.0;
        let role = if sorted { Role::Sorted } else { Role::Headline };
        let mark = match (sorted, state.sort.1) {
            (false, _) => "",
            (true, true) => "v",
            (true, false) => "^",
        };
        pen.put_right(x, 0, role, &format!("{mark}{}", entry.title));
        x += 1;
    }
    if layout.policy {
        pen.put(x, 0, Role::Headline, "policy");
    }
}

fn line(row: &Row, layout: &Layout, y: u16, pen: &mut Pen<'_>) {
    let mut x = 0;
    let quiet = if row.active { Role::Plain } else { Role::Dim };
    for (title, width) in &layout.names {
        let text = match *title {
            "device" => &row.who.bdf,
            "name" => &row.who.name,
            _ => &row.who.driver,
        };
        pen.part(x, y, *width, 1).put(0, 0, quiet, text);
        x += width + 1;
    }
    for &column in &layout.columns {
        let Some(entry) = COLUMNS.get(column) else { continue };
        figure(row, column, entry, &mut pen.part(x, y, entry.width, 1));
        x += entry.width + 1;
    }
    if layout.policy {
        pen.put(x, y, quiet, &row.who.policy);
    }
}

fn figure(row: &Row, index: usize, column: &Column, pen: &mut Pen<'_>) {
    let value = row.value(index);
    let role = role(row, column, value);
    let text = column.render(value);
    pen.put_right(column.width, 0, role, &text);
    if let (PRESSURE, Some(share)) = (column.metric, value) {
        let bar = pen.theme.bar(share, BAR);
        pen.put(0, 0, role, &bar);
    }
}

fn role(row: &Row, column: &Column, value: Option<f64>) -> Role {
    let above = |limit: f64| value.is_some_and(|value| value >= limit);
    match column.metric {
        PRESSURE if above(PRESSURE_LIMITS.0) => value.map_or(Role::Plain, pressure_role),
        "alloc.sac_failed" | "faults.count" if value > Some(0.0) => Role::Bad,
        "cache.flushes" if value > Some(0.0) => Role::Warning,
        _ if row.active => Role::Plain,
        _ => Role::Dim,
    }
}

/// How a pressure is shown.
pub(super) fn pressure_role(share: f64) -> Role {
    match share {
        _ if share >= PRESSURE_LIMITS.1 => Role::Bad,
        _ if share >= PRESSURE_LIMITS.0 => Role::Warning,
        _ => Role::Plain,
    }
}
