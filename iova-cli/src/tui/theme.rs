//! Colours and characters: in colour, in monochrome, in ASCII.

use crate::term::Term;
use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Dim,
    Strong,
    Headline,
    /// The column that the table is sorted by.
    Sorted,
    Cursor,
    Good,
    Warning,
    Bad,
    Reserved,
    Live,
    Cached,
    Pending,
    /// A share of the hottest cell, in eighths.
    Heat(u8),
}

/// How roles look here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) color: bool,
    pub(crate) unicode: bool,
}

impl Theme {
    pub(crate) fn of(term: Term) -> Self {
        Self { color: term.color, unicode: term.unicode }
    }

    pub(crate) fn style(self, role: Role) -> Style {
        let style = self.modifiers(role);
        match self.color.then(|| color(role)).flatten() {
            Some(color) => style.fg(color),
            None => style,
        }
    }

    fn modifiers(self, role: Role) -> Style {
        let style = Style::default();
        match role {
            Role::Strong | Role::Bad => style.add_modifier(Modifier::BOLD),
            Role::Headline | Role::Cursor => style.add_modifier(Modifier::REVERSED),
            Role::Sorted => style.add_modifier(Modifier::REVERSED | Modifier::BOLD),
            Role::Dim | Role::Reserved if !self.color => style.add_modifier(Modifier::DIM),
            Role::Warning if !self.color => style.add_modifier(Modifier::UNDERLINED),
            _ => style,
        }
    }

    /// A cell of a heatmap.
    pub(crate) fn heat(self, eighths: u8) -> &'static str {
        const BLOCKS: [&str; 9] = [" ", "░", "░", "▒", "▒", "▓", "▓", "█", "█"];
        const ASCII: [&str; 9] = [" ", ".", ":", "-", "=", "+", "*", "#", "@"];
        let cells = if self.unicode { BLOCKS } else { ASCII };
        cells.get(usize::from(eighths)).copied().unwrap_or(" ")
    }

    /// A column of a figure over time; 0 is there, but nothing.
    pub(crate) fn spark(self, eighths: u8) -> &'static str {
        const BLOCKS: [&str; 9] = ["_", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
        const ASCII: [&str; 9] = ["_", ".", ".", ":", "-", "=", "+", "*", "#"];
        let cells = if self.unicode { BLOCKS } else { ASCII };
        cells.get(usize::from(eighths)).copied().unwrap_or(" ")
    }

    /// A bar of `width` cells of which a share is full.
    pub(crate) fn bar(self, share: f64, width: usize) -> String {
        let full = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
        let (on, off) = if self.unicode { ("█", "░") } else { ("#", ".") };
        on.repeat(full) + &off.repeat(width - full)
    }
}

fn color(role: Role) -> Option<Color> {
    Some(match role {
        Role::Plain | Role::Strong | Role::Cursor | Role::Headline | Role::Sorted => return None,
        Role::Dim | Role::Reserved => Color::DarkGray,
        Role::Good | Role::Live => Color::Green,
        Role::Warning | Role::Pending => Color::Yellow,
        Role::Bad => Color::Red,
        Role::Cached => Color::Cyan,
        Role::Heat(0..=2) => Color::Blue,
        Role::Heat(3..=4) => Color::Green,
        Role::Heat(5..=6) => Color::Yellow,
        Role::Heat(_) => Color::Red,
    })
}
