//! A table that fits: when the width is short, the least important columns go first.

use super::page::{Page, Style, cut};
use crate::render::clean;

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// One column.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) align: Align,
    /// Lowest goes first; columns with the highest value always stay.
    pub(super) priority: u8,
    /// It may be cut down to this many characters.
    pub(super) min: Option<usize>,
}

/// A cell.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
}

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Plain }
    }
}

/// Columns and rows.
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

const GAP: usize = 1;

impl Table {
    /// Writes as many columns as fit. Returns the titles of those that did not.
    pub(super) fn write(mut self, page: &mut Page) -> Vec<&'static str> {
        // Before anything is measured: cleaning may change the length.
        for cell in self.rows.iter_mut().flatten() {
            cell.text = clean(&cell.text, page.unicode());
        }
        let mut widths: Vec<usize> =
            (0..self.columns.len()).map(|column| self.natural_width(column)).collect();
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        while total(&shown, &widths) > page.width() {
            if self.shrink(&shown, &mut widths, page.width()) {
                break;
            }
            let Some(victim) = shown.iter().copied().min_by_key(|&column| self.columns[column].priority)
            else {
                break;
            };
            shown.retain(|&column| column != victim);
        }
        let titles = self.columns.iter().map(|column| (column.title, Style::Dim));
        self.row(page, &shown, &widths, &titles.collect::<Vec<_>>());
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(|cell| (cell.text.as_str(), cell.style)).collect();
            self.row(page, &shown, &widths, &cells);
        }
        let hidden = (0..self.columns.len()).filter(|column| !shown.contains(column));
        hidden.map(|column| self.columns[column].title).collect()
    }

    fn natural_width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].text.chars().count());
        cells.max().unwrap_or(0).max(self.columns[column].title.chars().count())
    }

    /// Cuts columns that may be cut; true if that was enough. Only tried if it can be enough.
    fn shrink(&self, shown: &[usize], widths: &mut [usize], width: usize) -> bool {
        let excess = total(shown, widths) - width;
        let spare = |column: usize, widths: &[usize]| {
            self.columns[column].min.map_or(0, |min| widths[column].saturating_sub(min))
        };
        if shown.iter().map(|&column| spare(column, widths)).sum::<usize>() < excess {
            return false;
        }
        let mut left = excess;
        for &column in shown {
            let taken = spare(column, widths).min(left);
            widths[column] -= taken;
            left -= taken;
        }
        true
    }

    fn row(&self, page: &mut Page, shown: &[usize], widths: &[usize], cells: &[(&str, Style)]) {
        for (place, &column) in shown.iter().enumerate() {
            let (text, style) = cells[column];
            let text = cut(text, widths[column], page.unicode());
            let pad = " ".repeat(widths[column] - text.chars().count());
            if place > 0 {
                page.put(Style::Plain, &" ".repeat(GAP));
            }
            if self.columns[column].align == Align::Right {
                page.put(Style::Plain, &pad);
                page.put(style, &text);
            } else {
                page.put(style, &text);
                page.put(Style::Plain, &pad);
            }
        }
        page.end();
    }
}

fn total(shown: &[usize], widths: &[usize]) -> usize {
    let sum: usize = shown.iter().map(|&column| widths[column]).sum();
    sum + GAP * shown.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Term;

    fn table() -> Table {
        let column = |title, align, priority, min| Column { title, align, priority, min };
        Table {
            columns: vec![
                column("device", Align::Left, 9, None),
                column("name", Align::Left, 9, Some(20)),
                column("extra", Align::Right, 1, None),
            ],
            rows: vec![vec![
                Cell::plain("00:04.0"),
                Cell::plain("a-name-that-is-much-longer-than-that"),
                Cell::plain("12"),
            ]],
        }
    }

    fn write(width: usize) -> (String, Vec<&'static str>) {
        let mut page = Page::new(Term { width, color: false, unicode: true });
        let hidden = table().write(&mut page);
        (page.finish(), hidden)
    }

    #[test]
    fn everything_is_shown_where_there_is_room() {
        let (text, hidden) = write(80);
        assert_eq!(text.lines().nth(1), Some("00:04.0 a-name-that-is-much-longer-than-that    12"));
        assert!(hidden.is_empty());
    }

    #[test]
    fn names_are_cut_before_columns_go() {
        let (text, hidden) = write(40);
        assert_eq!(text.lines().nth(1), Some("00:04.0 a-name-that-is-much-longe…    12"));
        assert!(hidden.is_empty());
        let (text, hidden) = write(30);
        assert_eq!(text.lines().nth(1), Some("00:04.0 a-name-that-is-much-l…"));
        assert_eq!(hidden, ["extra"]);
    }
}
