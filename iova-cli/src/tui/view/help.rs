//! All keys of this screen, and what the columns are.

use super::super::columns::COLUMNS;
use super::super::keys;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;

const TAB: u16 = 12;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    let mut y = 0;
    for binding in keys::of(state.place()) {
        pen.put(1, y, Role::Strong, binding.shown);
        pen.put(TAB, y, Role::Plain, binding.help);
        y += 1;
    }
    y += 1;
    for column in state.columns.iter().filter_map(|&column| COLUMNS.get(column)) {
        pen.put(1, y, Role::Strong, column.title);
        y = pen.wrap(TAB, y, Role::Dim, &column.definition());
    }
}
