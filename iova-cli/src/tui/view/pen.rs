//! Writing into the screen: every text is cleaned and cut here, so that nothing from outside can leave its place.

use super::super::layout::Area;
use super::super::theme::{Role, Theme};
use crate::render::clean;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A rectangle of the screen, written from the top left.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    pub(super) theme: Theme,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        let area = area.intersection(buffer.area);
        Self { buffer, area, theme }
    }

    pub(super) fn width(&self) -> u16 {
        self.area.width
    }

    pub(super) fn height(&self) -> u16 {
        self.area.height
    }

    /// A part of this rectangle.
    pub(super) fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Pen<'_> {
        let left = self.area.x.saturating_add(x);
        let top = self.area.y.saturating_add(y);
        let area = Rect::new(left, top, width, height).intersection(self.area);
        Pen { buffer: &mut *self.buffer, area, theme: self.theme }
    }

    /// The same, as a layout has it.
    pub(super) fn area(&mut self, area: Area) -> Pen<'_> {
        self.part(area.x, area.y, area.width, area.height)
    }

    /// Forgets what was written here.
    pub(super) fn clear(&mut self) {
        for position in self.area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// Writes a text at a place, and says where it ends.
    pub(super) fn put(&mut self, x: u16, y: u16, role: Role, text: &str) -> u16 {
        if x >= self.area.width || y >= self.area.height {
            return x;
        }
        let room = usize::from(self.area.width - x);
        let text = clean(text, self.theme.unicode);
        let style = self.theme.style(role);
        let (end, _) = self.buffer.set_stringn(self.area.x + x, self.area.y + y, text, room, style);
        end.saturating_sub(self.area.x)
    }

    /// The same; what does not fit ends behind a word, and says so.
    pub(super) fn put_short(&mut self, x: u16, y: u16, role: Role, text: &str) -> u16 {
        let room = usize::from(self.area.width.saturating_sub(x));
        if text.chars().count() <= room {
            return self.put(x, y, role, text);
        }
        let start: String = text.chars().take(room.saturating_sub(3)).collect();
        let start = start.rsplit_once(' ').map_or("", |(words, _)| words);
        self.put(x, y, role, &format!("{start} ..."))
    }

    /// The same, so that it ends before `x`.
    pub(super) fn put_right(&mut self, x: u16, y: u16, role: Role, text: &str) {
        let text = clean(text, self.theme.unicode);
        let length = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        self.put(x.saturating_sub(length), y, role, &text);
    }

    /// A whole line in one style.
    pub(super) fn paint(&mut self, y: u16, role: Role) {
        if y < self.area.height {
            let line = Rect::new(self.area.x, self.area.y + y, self.area.width, 1);
            self.buffer.set_style(line, self.theme.style(role));
        }
    }

    /// A text in as many lines as it needs, from `y` on; says where the next one begins.
    pub(super) fn wrap(&mut self, x: u16, y: u16, role: Role, text: &str) -> u16 {
        let room = usize::from(self.area.width.saturating_sub(x));
        let mut y = y;
        for line in wrapped(&clean(text, self.theme.unicode), room) {
            self.put(x, y, role, &line);
            y = y.saturating_add(1);
        }
        y
    }
}

/// Lines of at most `room` characters; a word that is longer is cut.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    if room == 0 {
        return lines;
    }
    for word in text.split(' ') {
        let word: String = word.chars().take(room).collect();
        let length = line.chars().count() + usize::from(!line.is_empty()) + word.chars().count();
        if length > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}
