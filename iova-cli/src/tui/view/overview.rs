//! The table of devices, and what is wrong.

use super::super::columns::{COLUMNS, Column, PRESSURE};
use super::super::habits::Sort;
use super::super::history::Row;
use super::super::layout::{self, Field, Placed};
use super::super::state::State;
use super::super::theme::Role;
use super::findings;
use super::pen::Pen;
use iova_core::finding::Severity;

/// Pressure from which on a device is in danger, and from which on it suffers.
const PRESSURE_LIMITS: (f64, f64) = (0.6, 0.85);
const BAR: usize = 4;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    let (table_area, findings_area) = layout::overview(pen.width(), pen.height(), state.wrong());
    table(state, &mut pen.area(table_area));
    findings::list(state, &mut pen.area(findings_area));
}

fn table(state: &State, pen: &mut Pen<'_>) {
    let fields = state.fields(pen.width());
    headline(state.sort, &fields, pen);
    let rows = state.rows();
    if rows.is_empty() {
        return nothing(state, pen);
    }
    let room = usize::from(pen.height().saturating_sub(1));
    let first = layout::first(state.top, state.cursor(&rows), room);
    for (y, row) in (1..).zip(rows.iter().skip(first).take(room)) {
        line(state, row, &fields, y, pen);
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

fn headline(sort: Sort, fields: &[Placed], pen: &mut Pen<'_>) {
    pen.paint(0, Role::Headline);
    for Placed { field, x, width } in fields {
        let (role, mark) = match (*field == sort.by, sort.descending) {
            (false, _) => (Role::Headline, ""),
            (true, true) => (Role::Sorted, "v"),
            (true, false) => (Role::Sorted, "^"),
        };
        let title = format!("{mark}{}", field.title());
        match field {
            Field::Figure(_) => pen.put_right(x + width, 0, role, &title),
            _ => _ = pen.put(*x, 0, role, &title),
        }
    }
}

fn line(state: &State, row: &Row, fields: &[Placed], y: u16, pen: &mut Pen<'_>) {
    let quiet = if row.active { Role::Plain } else { Role::Dim };
    let suffers = findings::worst(state, &row.who.bdf).filter(|worst| *worst >= Severity::Warning);
    for Placed { field, x, width } in fields {
        let pen = &mut pen.part(*x, y, *width, 1);
        let text = match field {
            Field::Device => &row.who.bdf,
            Field::Name => {
                name(&row.who.name, suffers, quiet, pen);
                continue;
            }
            Field::Driver => &row.who.driver,
            Field::Policy => &row.who.policy,
            Field::Figure(column) => {
                figure(row, *column, pen);
                continue;
            }
        };
        pen.put(0, 0, quiet, text);
    }
}

fn figure(row: &Row, index: usize, pen: &mut Pen<'_>) {
    let Some(column) = COLUMNS.get(index) else { return };
    let value = row.value(index);
    let role = role(row, column, value);
    let text = column.render(value);
    pen.put_right(column.width, 0, role, &text);
    if let (PRESSURE, Some(share)) = (column.metric, value) {
        let bar = pen.theme.bar(share, BAR);
        pen.put(0, 0, role, &bar);
    }
}

/// Who suffers is seen without colours too.
fn name(name: &str, suffers: Option<Severity>, quiet: Role, pen: &mut Pen<'_>) {
    let Some(severity) = suffers else {
        pen.put(0, 0, quiet, name);
        return;
    };
    let mark = if severity == Severity::Critical { "!" } else { "" };
    let x = pen.put(0, 0, findings::role(severity), mark);
    pen.put(x, 0, findings::role(severity), name);
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
