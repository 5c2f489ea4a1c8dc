//! Strings from outside (device names, drivers, host names, arguments) may hold anything, escape sequences included.

/// `text` with everything replaced that a terminal could take for a command or that would break a line: control
/// characters, bidirectional overrides, invisible characters. Without `unicode`, only ASCII is left; the few characters
/// this tool uses itself become their nearest ASCII relatives.
pub(crate) fn clean(text: &str, unicode: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            '\t' | '\n' => out.push(' '),
            _ if unicode && !is_hostile(c) => out.push(c),
            _ if unicode => out.push('?'),
            _ => out.push_str(ascii(c)),
        }
    }
    out
}

/// True for what has no place of its own on the screen, or moves others.
pub(super) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn ascii(c: char) -> &'static str {
    match c {
        'µ' => "u",
        '·' => "-",
        '…' => "...",
        '×' => "x",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[2Jb\u{9b}31m\r\u{202e}c\u{200b}\u{7f}\nd";

    #[test]
    fn nothing_that_moves_the_cursor_survives() {
        assert_eq!(clean(HOSTILE, true), "a?[2Jb?31m??c?? d");
        assert_eq!(clean(HOSTILE, false), "a?[2Jb?31m??c?? d");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(clean("Zürich 1.2µs · 日本", true), "Zürich 1.2µs · 日本");
        assert_eq!(clean("Zürich 1.2µs · ok", false), "Z?rich 1.2us - ok");
    }
}
