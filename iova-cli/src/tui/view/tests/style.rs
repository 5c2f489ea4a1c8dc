//! What the colours are, not only the characters.

use super::*;
use crate::tui::theme::Role;
use ratatui::style::{Modifier, Style};

/// A letter per look.
const ROLES: &[(Role, char)] = &[
    (Role::Plain, '.'),
    (Role::Dim, 'd'),
    (Role::Bad, 'b'),
    (Role::Strong, 's'),
    (Role::Good, 'g'),
    (Role::Warning, 'w'),
    (Role::Cached, 'c'),
    (Role::Heat(1), '1'),
    (Role::Heat(2), '2'),
    (Role::Heat(3), '3'),
    (Role::Heat(4), '4'),
    (Role::Heat(5), '5'),
    (Role::Heat(6), '6'),
    (Role::Heat(7), '7'),
    (Role::Heat(8), '8'),
];

/// Capital letters, and ',' for '.', are reversed.
fn letter(style: Style, theme: Theme) -> char {
    let reversed = style.add_modifier.contains(Modifier::REVERSED);
    let look = |style: Style| (style.fg.unwrap_or_default(), style.add_modifier - Modifier::REVERSED);
    let found = ROLES.iter().find(|(role, _)| look(theme.style(*role)) == look(style));
    match found.map_or('?', |(_, letter)| *letter) {
        '.' if reversed => ',',
        letter if reversed => letter.to_ascii_uppercase(),
        letter => letter,
    }
}

/// A letter per cell that is not empty.
pub(super) fn styles(state: &State, (width, height): (u16, u16), theme: Theme) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(state, area, &mut buffer, theme);
    let of_cell = |cell: &ratatui::buffer::Cell| match letter(cell.style(), theme) {
        '.' if cell.symbol() == " " => ' ',
        letter => letter,
    };
    let line = |y: u16| -> String {
        let cells: String = (0..width).filter_map(|x| buffer.cell((x, y))).map(of_cell).collect();
        cells.trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_overview_in_every_theme() {
    let state = watched(&fixtures::cliff());
    for palette in Palette::ALL {
        let theme = Theme { palette, unicode: true };
        let name = format!("style_overview_{}", palette.name());
        insta::assert_snapshot!(name, styles(&state, SIZES[1], theme));
    }
}

#[test]
fn one_device_in_every_theme() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Down, Key::Enter]);
    for palette in Palette::ALL {
        let theme = Theme { palette, unicode: true };
        insta::assert_snapshot!(format!("style_device_{}", palette.name()), styles(&state, SIZES[2], theme));
    }
}

#[test]
fn the_theme_key_goes_through_all_of_them() {
    let mut state = watched(&fixtures::healthy());
    let mut seen = vec![state.palette];
    for _ in 0..2 {
        press(&mut state, &[Key::Char('T')]);
        seen.push(state.palette);
    }
    assert_eq!(seen, Palette::ALL);
    press(&mut state, &[Key::Char('T')]);
    assert_eq!(state.palette, Palette::Dark);
}
