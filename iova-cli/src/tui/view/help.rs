//! All keys of this screen, and what the columns are.

use super::super::columns::COLUMNS;
use super::super::keys;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;

const TAB: u16 = 12;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    let mut y = 0;
    for binding in keys::of(state.place(), state.read_only) {
        pen.put(1, y, Role::Strong, binding.shown);
        pen.put(TAB, y, Role::Plain, binding.help);
        y += 1;
    }
    y += 1;
    for column in COLUMNS {
        pen.put(1, y, Role::Strong, column.title);
        let each = if column.per_second { " (per second)" } else { "" };
        y = pen.wrap(TAB, y, Role::Dim, &format!("{}{each}: {}", column.metric, column.definition()));
    }
}
