//! One device: its figures, its latencies over time, its space.

use super::super::columns::COLUMNS;
use super::super::history::Row;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;
use super::{heat, strip};
use iova_core::metric::Unit;
use iova_core::model::{Device, Domain, Report};

/// Lines that the map and its heading need.
const MAP: u16 = 6;

pub(super) fn draw(state: &State, bdf: &str, pen: &mut Pen<'_>) {
    let Some(row) = state.moment().and_then(|moment| moment.row(bdf)) else {
        pen.put(0, 1, Role::Warning, &format!("{bdf} is not there any more, or was not yet: Esc goes back"));
        return;
    };
    let y = title(row, pen);
    let y = figures(row, &state.columns, y, pen);
    let (width, height) = (pen.width(), pen.height());
    let map = if height >= y + MAP + 4 { MAP } else { 0 };
    let room = height.saturating_sub(y + map);
    latencies(state, bdf, &mut pen.part(0, y, width, room));
    let (device, domain) = now(state, bdf);
    if map > 0 {
        let top = height - map;
        pen.put(0, top, Role::Strong, "space below 4 GiB, now");
        if let Some(device) = device {
            sizes(device, top, pen);
        }
        strip::draw(domain, &mut pen.part(0, top + 1, width, map - 1));
    }
}

fn title(row: &Row, pen: &mut Pen<'_>) -> u16 {
    let who = &row.who;
    let x = pen.put(0, 0, Role::Strong, &format!("{}  {}", who.bdf, who.name));
    let approximate = if row.approximate { "  (figures are approximate)" } else { "" };
    pen.put(x + 2, 0, Role::Plain, &format!("driver {}  policy {}{approximate}", who.driver, who.policy));
    1
}

/// All columns of the overview, with their names, also those that it has no room for.
fn figures(row: &Row, columns: &[usize], y: u16, pen: &mut Pen<'_>) -> u16 {
    let (mut x, mut y) = (0, y);
    for &index in columns {
        let Some(column) = COLUMNS.get(index) else { continue };
        let text = column.render(row.value(index));
        let length = (column.title.len() + text.chars().count() + 1) as u16;
        if x > 0 && x + length > pen.width() {
            (x, y) = (0, y + 1);
        }
        x = pen.put(x, y, Role::Dim, column.title);
        x = pen.put(x + 1, y, Role::Plain, &text) + 3;
    }
    y + 1
}

fn latencies(state: &State, bdf: &str, pen: &mut Pen<'_>) {
    if pen.height() < 2 {
        return;
    }
    let (width, height) = (pen.width(), pen.height());
    pen.put(0, 0, Role::Strong, "latency of allocations over time: newest at the right");
    let columns = usize::from(width.saturating_sub(heat::SCALE));
    let moments: Vec<_> = state.history.until(state.steps_back(), columns).collect();
    heat::draw(&moments, bdf, &mut pen.part(0, 1, width, height - 1));
}

/// Orders of pages, as sizes.
fn sizes(device: &Device, y: u16, pen: &mut Pen<'_>) {
    let total = device.alloc.count.max(1) as f64;
    let mut orders = device.alloc.by_order.clone();
    orders.sort_by_key(|entry| std::cmp::Reverse(entry.count));
    let text: Vec<_> = orders
        .iter()
        .take(4)
        .map(|entry| {
            let size = Unit::Bytes.render(Some((4096_u64 << entry.order) as f64));
            format!("{size} {}", Unit::Ratio.render(Some(entry.count as f64 / total)))
        })
        .collect();
    pen.put_right(pen.width(), y, Role::Dim, &text.join("  "));
}

/// What is true now; the past has no map.
fn now<'a>(state: &'a State, bdf: &str) -> (Option<&'a Device>, Option<&'a Domain>) {
    let report: Option<&Report> = state.history.newest.as_ref().map(|step| &step.interval);
    let device = report.and_then(|report| report.devices.iter().find(|device| device.bdf == bdf));
    let domain = report.zip(device).and_then(|(report, device)| report.domain_of(device));
    (device, domain)
}
