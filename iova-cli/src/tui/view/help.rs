//! All keys of this screen, and what the columns are.

use super::super::columns::COLUMNS;
use super::super::keys;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::{Pen, wrapped};

const TAB: u16 = 12;

/// From line `scroll` on, as far as there is room; says how far it can be scrolled.
pub(super) fn draw(state: &State, pen: &mut Pen<'_>) -> usize {
    let lines = lines(state, usize::from(pen.width().saturating_sub(TAB)));
    let room = usize::from(pen.height());
    let last = lines.len().saturating_sub(room);
    let first = state.scroll.min(last);
    for (y, (title, role, text)) in (0..).zip(lines.iter().skip(first).take(room)) {
        pen.put(1, y, Role::Strong, title);
        pen.put(TAB, y, *role, text);
    }
    let below = lines.len().saturating_sub(first + room);
    if below > 0 {
        pen.put_right(pen.width(), pen.height() - 1, Role::Strong, &format!(" +{below}: Down"));
    }
    last
}

fn lines(state: &State, width: usize) -> Vec<(&'static str, Role, String)> {
    let mut lines = Vec::new();
    let mut add = |title: &'static str, role: Role, text: &str| {
        let titles = std::iter::once(title).chain(std::iter::repeat(""));
        lines.extend(titles.zip(wrapped(text, width)).map(|(title, line)| (title, role, line)));
    };
    for binding in keys::of(state.place(), state.read_only) {
        add(binding.shown, Role::Plain, binding.help);
    }
    add("", Role::Plain, "");
    for column in state.columns.iter().filter_map(|&column| COLUMNS.get(column)) {
        add(column.title, Role::Dim, &column.definition());
    }
    lines
}
