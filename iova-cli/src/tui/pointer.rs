//! What a click or a turn of the wheel means.

use super::chooser::Chooser;
use super::columns::COUNT;
use super::keys::{Action, Pointer, Touch};
use super::layout::{self, Area};
use super::state::{Screen, State};

/// Lines per notch of the wheel.
const NOTCH: isize = 3;

impl State {
    pub(crate) fn point(&mut self, pointer: Pointer) {
        // A question is answered with a key.
        if self.desk.sure.is_some() || self.desk.typed.is_some() {
            return;
        }
        match pointer.touch {
            Touch::Click => self.click(pointer.x, pointer.y),
            Touch::WheelUp => self.wheel(-NOTCH),
            Touch::WheelDown => self.wheel(NOTCH),
        }
    }

    fn wheel(&mut self, by: isize) {
        if self.chooser.is_some() {
            return self.move_chooser(by);
        }
        self.step(by);
        self.keep_cursor();
    }

    fn click(&mut self, x: u16, y: u16) {
        let body = layout::body(self.size);
        let Some((x, y)) = body.inside(x, y) else { return };
        if let Some(chooser) = self.chooser {
            return self.click_chooser(chooser, layout::chooser(body.width, body.height), (x, y));
        }
        let (table, _) = layout::overview(body.width, body.height, self.wrong());
        if self.help || self.screen != Screen::Overview {
            return;
        }
        match table.inside(x, y) {
            Some((x, 0)) => self.click_title(table, x),
            Some((_, y)) => self.click_row(usize::from(y) - 1),
            None => {}
        }
    }

    /// The gap in front of a title belongs to it.
    fn click_title(&mut self, table: Area, x: u16) {
        let fields = self.fields(table.width);
        if let Some(placed) = fields.iter().find(|placed| x <= placed.x + placed.width) {
            self.sort_by(placed.field);
        }
    }

    /// Selects; what is selected already, opens.
    fn click_row(&mut self, line: usize) {
        let rows = self.rows();
        let Some(bdf) = rows.get(self.top + line).map(|row| row.who.bdf.clone()) else { return };
        if self.selected.as_ref() == Some(&bdf) {
            self.open();
        } else {
            self.selected = Some(bdf);
        }
    }

    /// Shows or hides a column; beside the list, closes it.
    fn click_chooser(&mut self, chooser: Chooser, area: Area, (x, y): (u16, u16)) {
        match area.inside(x, y) {
            Some((_, y)) if (1..=layout::chooser_lines(area)).contains(&y) => {
                let cursor = chooser.top + usize::from(y) - 1;
                if cursor < COUNT {
                    self.chooser = Some(Chooser { cursor, ..chooser });
                    self.choose(Action::Toggle);
                }
            }
            Some(_) => {}
            None => self.chooser = None,
        }
    }
}
