//! Colours and characters: for dark and light backgrounds, in monochrome, in ASCII.

use super::habits::Palette;
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
    pub(crate) palette: Palette,
    pub(crate) unicode: bool,
}

impl Theme {
    pub(crate) fn style(self, role: Role) -> Style {
        let style = self.modifiers(role);
        let color = match self.palette {
            Palette::Dark => color(&DARK, role),
            Palette::Light => color(&LIGHT, role),
            Palette::Mono => None,
        };
        color.map_or(style, |color| style.fg(color))
    }

    fn modifiers(self, role: Role) -> Style {
        let style = Style::default();
        let mono = self.palette == Palette::Mono;
        match role {
            Role::Strong | Role::Bad => style.add_modifier(Modifier::BOLD),
            Role::Headline | Role::Cursor => style.add_modifier(Modifier::REVERSED),
            Role::Sorted => style.add_modifier(Modifier::REVERSED | Modifier::BOLD),
            Role::Dim | Role::Reserved if mono => style.add_modifier(Modifier::DIM),
            Role::Warning if mono => style.add_modifier(Modifier::UNDERLINED),
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

/// Indexes of the 256 colours. The first 16 look different on every terminal, and some of them can't be read there.
struct Colors {
    dim: u8,
    good: u8,
    warning: u8,
    bad: u8,
    cached: u8,
    /// From cold to hot.
    heat: [u8; 8],
}

const DARK: Colors = Colors {
    dim: 246,
    good: 114,
    warning: 221,
    bad: 203,
    cached: 80,
    heat: [67, 73, 78, 149, 185, 220, 215, 203],
};

const LIGHT: Colors = Colors {
    dim: 241,
    good: 22,
    warning: 94,
    bad: 160,
    cached: 24,
    heat: [67, 31, 29, 64, 136, 166, 160, 124],
};

fn color(colors: &Colors, role: Role) -> Option<Color> {
    let index = match role {
        Role::Plain | Role::Strong | Role::Cursor | Role::Headline | Role::Sorted => return None,
        Role::Dim | Role::Reserved => colors.dim,
        Role::Good | Role::Live => colors.good,
        Role::Warning | Role::Pending => colors.warning,
        Role::Bad => colors.bad,
        Role::Cached => colors.cached,
        Role::Heat(eighths) => *colors.heat.get(usize::from(eighths.checked_sub(1)?))?,
    };
    Some(Color::Indexed(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red, green and blue of an index from 16 on, as xterm has them.
    fn rgb(index: u8) -> [u8; 3] {
        let step = |level: u8| if level == 0 { 0 } else { 55 + 40 * level };
        match index {
            232.. => [8 + 10 * (index - 232); 3],
            _ => [(index - 16) / 36, (index - 16) / 6 % 6, (index - 16) % 6].map(step),
        }
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(rgb: [u8; 3]) -> f64 {
        let linear = rgb.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG asks for 4.5 : 1 for text and 3 : 1 for graphics.
    #[test]
    fn every_colour_can_be_read_on_its_backgrounds() {
        let (black, editor, white, paper) = ([0; 3], [0x1e; 3], [255; 3], [0xfd, 0xf6, 0xe3]);
        for (colors, backgrounds) in [(&DARK, [black, editor]), (&LIGHT, [white, paper])] {
            for background in backgrounds {
                for text in [colors.dim, colors.good, colors.warning, colors.bad, colors.cached] {
                    let found = contrast(rgb(text), background);
                    assert!(found >= 4.5, "{text} on {background:?}: {found:.2}");
                }
                for cell in colors.heat {
                    let found = contrast(rgb(cell), background);
                    assert!(found >= 3.0, "{cell} on {background:?}: {found:.2}");
                }
            }
        }
    }
}
