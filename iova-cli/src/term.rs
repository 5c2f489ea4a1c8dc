//! What the output may look like: width, colour, characters.

use crate::args::When;
use std::io::IsTerminal;
use std::os::fd::{AsRawFd, RawFd};

/// Without a terminal, and for a bug report, 80 columns.
const DEFAULT_WIDTH: usize = 80;
/// The map of the 32-bit space needs this much; above, lines are hard to follow.
const WIDTHS: (usize, usize) = (76, 160);

/// The place where text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) width: usize,
    pub(crate) color: bool,
    pub(crate) unicode: bool,
}

impl Term {
    /// Standard output.
    pub(crate) fn detect(ascii: bool, color: When) -> Self {
        Self::of(ascii, color, std::io::stdout())
    }

    /// Standard error.
    pub(crate) fn detect_errors(ascii: bool, color: When) -> Self {
        Self::of(ascii, color, std::io::stderr())
    }

    fn of(ascii: bool, color: When, stream: impl IsTerminal + AsRawFd) -> Self {
        let tty = stream.is_terminal();
        let columns = if tty { columns(stream.as_raw_fd()) } else { None };
        Self::new(ascii, color, tty, columns, |name| std::env::var(name).ok())
    }

    fn new(
        ascii: bool,
        color: When,
        tty: bool,
        columns: Option<usize>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let asked = set("COLUMNS").and_then(|text| text.parse().ok()).filter(|&columns| columns > 0);
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let utf8 = locale.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            name.ends_with("utf-8") || name.ends_with("utf8")
        });
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: asked.or(columns).unwrap_or(DEFAULT_WIDTH).clamp(WIDTHS.0, WIDTHS.1),
            color: match color {
                When::Always => true,
                When::Never => false,
                When::Auto => tty && !dumb && set("NO_COLOR").is_none(),
            },
            unicode: utf8 && !ascii,
        }
    }
}

fn columns(stream: RawFd) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, and `size` is one.
    let result = unsafe { libc::ioctl(stream, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(tty: bool, env: &[(&str, &str)]) -> Term {
        let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Term::new(false, When::Auto, tty, tty.then_some(120), get)
    }

    #[test]
    fn a_pipe_gets_80_columns_without_colour() {
        let pipe = term(false, &[("LANG", "en_GB.UTF-8")]);
        assert_eq!(pipe, Term { width: 80, color: false, unicode: true });
    }

    #[test]
    fn a_terminal_gets_its_width_and_colour_unless_told_otherwise() {
        assert_eq!(term(true, &[("LANG", "C.UTF-8")]), Term { width: 120, color: true, unicode: true });
        assert!(!term(true, &[("NO_COLOR", "1")]).color);
        assert!(term(true, &[("NO_COLOR", "")]).color, "an empty NO_COLOR does not count");
        assert!(!term(true, &[("TERM", "dumb")]).color);
        assert_eq!(term(true, &[("COLUMNS", "100")]).width, 100);
        assert_eq!(term(true, &[("COLUMNS", "7")]).width, 76);
    }

    #[test]
    fn the_locale_decides_about_characters() {
        assert!(!term(false, &[]).unicode);
        assert!(!term(false, &[("LANG", "C")]).unicode);
        assert!(!term(false, &[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]).unicode);
        assert!(term(false, &[("LANG", "C"), ("LC_ALL", "de_DE.utf8")]).unicode);
    }
}
