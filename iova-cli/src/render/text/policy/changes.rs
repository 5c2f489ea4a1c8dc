//! What a command has done: a line per device.

use super::{effective, state, title};
use crate::commands::policy::{Change, Changes};
use crate::render::text::page::{Page, Style};
use iova_core::metric::Unit;

pub(in crate::render::text) fn write(page: &mut Page, changes: &Changes) {
    if changes.changes.is_empty() {
        page.line(Style::Plain, "nothing to do");
    }
    for change in &changes.changes {
        one(page, change);
    }
}

fn one(page: &mut Page, change: &Change) {
    let mut facts = Vec::new();
    match (change.old, change.new) {
        (Some(old), Some(new)) if old != new => facts.push(format!("{old} -> {new}")),
        (_, Some(new)) => facts.push(new.to_string()),
        _ => {}
    }
    facts.extend(change.effective.map(|now| format!("effective {}", effective(now))));
    facts.extend(change.state.as_ref().map(|now| format!("state {}", state(now))));
    let high = change.mapped_high_bytes.filter(|&bytes| bytes > 0);
    facts.extend(high.map(|bytes| format!("{} still mapped high", Unit::Bytes.render(Some(bytes as f64)))));
    let style = if change.done { Style::Plain } else { Style::Bad };
    page.wrapped(style, &format!("{}: ", title(&change.device)), &facts.join("; "));
    page.wrapped(style, "  ", &change.text);
}
