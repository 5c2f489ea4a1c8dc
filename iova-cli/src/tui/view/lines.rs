//! A list of lines that is longer than its place: scrolled, with a word about what is below.

use super::super::theme::Role;
use super::pen::{Pen, wrapped};

/// Pieces, one after the other.
pub(super) type Line = Vec<(Role, String)>;

/// A line of one piece.
pub(super) fn line(role: Role, text: impl Into<String>) -> Line {
    vec![(role, text.into())]
}

/// A heading and what belongs to it in as many lines as it needs; "-" if there is nothing.
pub(super) fn paragraph(heading: &str, items: &[String], width: u16) -> Vec<Line> {
    const INDENT: usize = 2;
    let text = if items.is_empty() { "-".to_owned() } else { items.join(", ") };
    let mut lines = vec![line(Role::Strong, heading)];
    let rest = wrapped(&text, usize::from(width).saturating_sub(INDENT));
    lines.extend(rest.into_iter().map(|text| line(Role::Plain, format!("{:INDENT$}{text}", ""))));
    lines
}

/// As many as there is room for, from `scroll` on; the last ones if that is too far. Says how far is not.
pub(super) fn draw(lines: &[Line], scroll: usize, pen: &mut Pen<'_>) -> usize {
    let room = usize::from(pen.height());
    let last = lines.len().saturating_sub(room);
    let first = scroll.min(last);
    for (y, line) in (0..).zip(lines.iter().skip(first).take(room)) {
        let mut x = 0;
        for (role, text) in line {
            x = pen.put(x, y, *role, text);
        }
    }
    let below = lines.len().saturating_sub(first + room);
    if below > 0 && room > 0 {
        pen.put_right(pen.width(), pen.height() - 1, Role::Dim, &format!(" +{below} Down"));
    }
    last
}
