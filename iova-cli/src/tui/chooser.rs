//! Choosing columns: a list of all there are beside the table.

use super::columns::COUNT;
use super::habits::{Sort, usual_columns};
use super::keys::Action;
use super::layout::{self, Field};
use super::state::{PAGE, State};

/// The list while it is open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chooser {
    pub(crate) cursor: usize,
    /// The first column that is shown.
    pub(crate) top: usize,
}

impl State {
    /// A key in the list.
    pub(super) fn choose(&mut self, action: Action) {
        match action {
            Action::Back => self.chooser = None,
            Action::Quit => self.quit(),
            Action::Toggle => self.toggle(),
            Action::UsualColumns => {
                self.columns = usual_columns();
                self.sort_by_what_is_shown();
            }
            Action::Up => self.move_chooser(-1),
            Action::Down => self.move_chooser(1),
            Action::PageUp => self.move_chooser(-(PAGE as isize)),
            Action::PageDown => self.move_chooser(PAGE as isize),
            Action::First => self.move_chooser(-(COUNT as isize)),
            Action::Last => self.move_chooser(COUNT as isize),
            _ => {}
        }
        self.keep_cursor();
    }

    pub(super) fn move_chooser(&mut self, by: isize) {
        let body = layout::body(self.size);
        let room = layout::chooser_lines(layout::chooser(body.width, body.height));
        self.chooser = self.chooser.map(|Chooser { cursor, top }| {
            let cursor = cursor.saturating_add_signed(by).min(COUNT - 1);
            Chooser { cursor, top: layout::first(top, cursor, usize::from(room)) }
        });
    }

    /// Shows the column under the cursor as the last one, or hides it.
    pub(super) fn toggle(&mut self) {
        let Some(Chooser { cursor, .. }) = self.chooser else { return };
        match self.columns.iter().position(|&column| column == cursor) {
            Some(place) => _ = self.columns.remove(place),
            None => self.columns.insert(self.place_of(cursor), cursor),
        }
        self.sort_by_what_is_shown();
    }

    /// A usual column goes where it usually is; the others to the end.
    fn place_of(&self, column: usize) -> usize {
        let end = self.columns.len();
        if usual_columns().contains(&column) {
            self.columns.iter().position(|&other| other > column).unwrap_or(end)
        } else {
            end
        }
    }

    fn sort_by_what_is_shown(&mut self) {
        let Field::Figure(column) = self.sort.by else { return };
        if !self.columns.contains(&column) {
            self.sort = Sort::by(self.columns.first().map_or(Field::Device, |&first| Field::Figure(first)));
        }
    }
}
