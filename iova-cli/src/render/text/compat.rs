//! `iova compat check`.

use super::page::{Page, Style};
use super::short;
use crate::commands::compat::{CheckedDevice, ListCheck};
use iova_core::compat::{Entry, Origin};

pub(super) fn write(page: &mut Page, check: &ListCheck) {
    let mut words = vec![
        "iova compat check".to_owned(),
        format!("Linux {}", check.kernel),
        format!("{} records", check.records),
    ];
    if check.local_records > 0 {
        words.push(format!("{} local", check.local_records));
    }
    page.words(Style::Strong, &words);
    let (named, others): (Vec<_>, Vec<_>) =
        check.devices.iter().partition(|device| !device.checked.list.entries.is_empty());
    named.into_iter().for_each(|device| one(page, device));
    if let [first, ..] = others.as_slice() {
        page.blank();
        let what = match others.len() {
            1 => short(&first.checked.bdf).to_owned(),
            count => format!("{count} devices"),
        };
        page.wrapped(
            Style::Plain,
            "",
            &format!("nothing known about {what}, which does not make it known to be good"),
        );
    }
}

fn one(page: &mut Page, device: &CheckedDevice) {
    let checked = &device.checked;
    page.section(&format!("{} {} ({})", short(&checked.bdf), device.name, checked.id));
    for entry in &checked.list.entries {
        let origin = if entry.origin == Origin::Local { "local " } else { "" };
        let style = if entry.holds_here { Style::Strong } else { Style::Dim };
        page.put(style, &format!("{:<10}", format!("  {} {}", entry.verdict.word(), entry.width)));
        page.wrapped(Style::Plain, "", &format!("{origin}{}: {}", entry.id, entry.saying()));
        page.wrapped(Style::Plain, "          ", &entry.note);
        path(page, device, entry);
        if let Some(kernel) = entry.kernel.filter(|_| entry.holds_here) {
            page.wrapped(Style::Plain, "          ", &kernel.sentence());
        }
    }
    if let Some(capped) = checked.capped {
        page.wrapped(Style::Good, "  ", &format!("the module iova_policy keeps it below {capped} bits"));
    }
    if !checked.is_translated() {
        let why =
            if checked.domain.is_some() { "its domain is not translated" } else { "it is behind no IOMMU" };
        page.wrapped(Style::Dim, "  ", &format!("no IOVA is allocated for it here: {why}"));
    }
    if device.open {
        let width = checked.list.needed().map_or(0, |entry| entry.width);
        let text = format!(
            "nothing keeps it to {width} bits now: iova policy set {} cap:{}",
            checked.bdf,
            width.max(32)
        );
        page.wrapped(Style::Bad, "  ", &text);
    }
}

fn path(page: &mut Page, device: &CheckedDevice, entry: &Entry) {
    if entry.holds_here {
        return;
    }
    let above = device
        .checked
        .bridge
        .as_deref()
        .map_or("it is on a root bus".to_owned(), |id| format!("above it is {id}"));
    page.wrapped(
        Style::Dim,
        "          ",
        &format!("does not hold here, because it is for another path: {above}"),
    );
}
