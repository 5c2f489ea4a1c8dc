//! `iova policy show`.

use super::{effective, state};
use crate::commands::policy::{PolicyEntry, PolicyList};
use crate::render::text::page::{Page, Style};
use crate::render::text::table::{Align, Cell, Column, Table};
use crate::render::text::{role, short};
use iova_core::metric::Unit;
use iova_core::policy::module::{Origin, State};

pub(in crate::render::text) fn write(page: &mut Page, list: &PolicyList) {
    let rows: Vec<Vec<Cell>> = list.devices.iter().map(|entry| row(entry, list)).collect();
    if rows.is_empty() {
        page.line(Style::Plain, "No PCI device is behind an IOMMU: there is nothing to choose here.");
    } else {
        let hidden = Table { columns: columns(list), rows }.write(page);
        if !hidden.is_empty() {
            page.wrapped(Style::Dim, "", &format!("no room here for {}", hidden.join(", ")));
        }
    }
    for entry in &list.devices {
        remarks(page, entry);
    }
    if !list.module {
        page.wrapped(
            Style::Warn,
            "",
            "The kernel module iova_policy is not loaded: this is what the kernel does by itself. To change it: sudo \
             modprobe iova_policy (from iova-policy-dkms, or make -C iova-kmod).",
        );
    }
    for sentence in &list.missing {
        page.wrapped(Style::Warn, "missing: ", sentence);
    }
}

fn columns(list: &PolicyList) -> Vec<Column> {
    let column = |title, align, priority, min| Column { title, align, priority, min };
    let mut columns = vec![
        column("device", Align::Left, 10, None),
        column("used as", Align::Left, 8, Some(7)),
        column("configured", Align::Left, 10, None),
        column("effective", Align::Left, 10, None),
        column("state", Align::Left, 9, None),
        column("origin", Align::Left, 7, Some(8)),
        column("cap", Align::Right, 6, None),
        column("held", Align::Right, 5, None),
    ];
    if list.measured_s.is_some() {
        columns.push(column("allocs", Align::Right, 8, None));
        columns.push(column("high", Align::Right, 9, None));
    }
    columns
}

fn row(entry: &PolicyEntry, list: &PolicyList) -> Vec<Cell> {
    let dash = || "-".to_owned();
    let policy = entry.policy.as_ref();
    let device = &entry.device;
    let mut cells = vec![
        Cell { text: short(&device.bdf).to_owned(), style: Style::Strong },
        Cell::plain(role(&device.functions, device.driver.as_deref())),
        Cell::plain(policy.map_or_else(dash, |policy| policy.policy.to_string())),
        Cell::plain(in_effect(entry)),
        policy.map_or_else(|| Cell::plain(dash()), |policy| state_cell(&policy.state)),
        Cell::plain(policy.map_or_else(dash, |policy| origin(&policy.origin))),
        Cell::plain(policy.and_then(|policy| policy.cap).map_or_else(dash, |cap| cap.to_string())),
        Cell::plain(
            policy
                .filter(|policy| policy.held_bytes > 0)
                .map_or_else(dash, |policy| Unit::Bytes.render(Some(policy.held_bytes as f64))),
        ),
    ];
    if list.measured_s.is_some() {
        cells.push(Cell::plain(Unit::Count.render(entry.allocations.map(|count| count as f64))));
        cells.push(Cell::plain(Unit::Ratio.render(entry.effective_high_ratio)));
    }
    cells
}

/// The module's read-back; without it what the kernel's memory says, without a width.
fn in_effect(entry: &PolicyEntry) -> String {
    match &entry.policy {
        Some(policy) => effective(policy.effective),
        None => entry.kernel.unwrap_or("-").to_owned(),
    }
}

fn state_cell(now: &State) -> Cell {
    let style = match now {
        State::Quarantined { .. } => Style::Bad,
        State::Leased { .. } | State::Pending | State::Refused { .. } => Style::Warn,
        State::Active => Style::Strong,
        State::Idle | State::Unknown => Style::Plain,
    };
    Cell { text: state(now), style }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Kernel => "kernel".to_owned(),
        Origin::Sysfs { process } => format!("sysfs {process}"),
        Origin::Lease { process } => format!("trial {process}"),
        Origin::Unknown => "-".to_owned(),
    }
}

/// What a word in a table cannot say.
fn remarks(page: &mut Page, entry: &PolicyEntry) {
    let name = format!("{}: ", short(&entry.device.bdf));
    match entry.policy.as_ref().map(|policy| &policy.state) {
        Some(State::Quarantined { cause, address, .. }) => {
            let what = cause.map_or("something was seen", |cause| cause.what());
            let place = address.map(|address| format!(" at {address:#x}")).unwrap_or_default();
            let handle = entry.device.handle();
            page.wrapped(
                Style::Bad,
                &name,
                &format!("in quarantine: {what}{place}; `iova policy log {handle}` has the evidence"),
            );
        }
        Some(State::Refused { reason }) => {
            page.wrapped(Style::Warn, &name, &format!("refused: {}", reason.sentence()));
        }
        Some(State::Pending) => {
            page.wrapped(Style::Warn, &name, "takes effect when a driver is bound");
        }
        _ => {}
    }
}
