//! All columns there are, beside the table: which are shown, and what each is.

use super::super::chooser::Chooser;
use super::super::columns::COLUMNS;
use super::super::layout::{self, Field};
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;

/// A gap, so that no figure of the table runs into the list.
const MARK: u16 = 1;
const TITLE: u16 = 5;
const METRIC: u16 = 16;

pub(super) fn draw(state: &State, chooser: Chooser, body: &mut Pen<'_>) {
    let (table, _) = layout::overview(body.width(), body.height(), state.wrong());
    let seen: Vec<Field> = state.fields(table.width).into_iter().map(|placed| placed.field).collect();
    let area = layout::chooser(body.width(), body.height());
    let pen = &mut body.area(area);
    pen.clear();
    pen.paint(0, Role::Headline);
    pen.put(MARK, 0, Role::Headline, "columns");
    let (cursor, lines) = (chooser.cursor, layout::chooser_lines(area));
    let first = layout::first(chooser.top, cursor, usize::from(lines));
    for (y, (index, column)) in (1..=lines).zip(COLUMNS.iter().enumerate().skip(first)) {
        let shown = state.columns.contains(&index);
        pen.put(MARK, y, Role::Plain, if shown { "[x]" } else { "[ ]" });
        pen.put(TITLE, y, if shown { Role::Strong } else { Role::Plain }, column.title);
        if shown && !seen.contains(&Field::Figure(index)) {
            pen.put(METRIC, y, Role::Warning, "no room for it");
        } else {
            pen.put(METRIC, y, Role::Dim, column.metric);
        }
        if index == cursor {
            pen.paint(y, Role::Cursor);
        }
    }
    if let Some(column) = COLUMNS.get(cursor) {
        pen.wrap(MARK, lines + 2, Role::Plain, &column.definition());
    }
}
