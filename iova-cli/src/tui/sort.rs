//! Which column the table is sorted by: only those that can be seen are walked over.

use super::habits::Sort;
use super::layout::{self, Field};
use super::state::State;

impl State {
    /// The columns of the table that can be seen now.
    pub(super) fn seen(&self) -> Vec<Field> {
        let body = layout::body(self.size);
        let (table, _) = layout::overview(body.width, body.height, self.wrong());
        self.fields(table.width).into_iter().map(|placed| placed.field).collect()
    }

    /// By the column so many to the right.
    pub(super) fn sort_next(&mut self, by: isize) {
        let seen = self.seen();
        let count = seen.len() as isize;
        let now = seen.iter().position(|field| *field == self.sort.by).map_or(-by.min(0), |at| at as isize);
        let next = if count > 0 { (now + by).rem_euclid(count) } else { 0 };
        if let Some(field) = seen.get(next.unsigned_abs()) {
            self.sort = Sort::by(*field);
        }
    }

    /// By the column with this number, counted from 1 at the left.
    pub(super) fn sort_nth(&mut self, digit: char) {
        let index = digit.to_digit(10).and_then(|number| number.checked_sub(1));
        if let Some(field) = index.and_then(|index| self.seen().get(index as usize).copied()) {
            self.sort_by(field);
        }
    }

    /// By this column; the other way round if it is already.
    pub(super) fn sort_by(&mut self, field: Field) {
        if self.sort.by == field {
            self.sort.descending = !self.sort.descending;
        } else {
            self.sort = Sort::by(field);
        }
        self.keep_cursor();
    }
}
