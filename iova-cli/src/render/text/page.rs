//! A page under construction: the only place where text meets escape sequences.
//!
//! Whatever is put on a page is cleaned first, so no string from outside can reach the terminal as a command.

use crate::render::clean;
use crate::term::Term;
use iova_core::finding::Severity;

/// How a piece of text looks. Colour is never the only bearer of a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Heading,
    Strong,
    Dim,
    Bad,
    Warn,
    Good,
    Cached,
    Pending,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Heading => "1;4",
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Bad => "1;31",
            Self::Warn => "33",
            Self::Good => "32",
            Self::Cached => "36",
            Self::Pending => "35",
        })
    }

    pub(super) fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Bad,
            Severity::Warning => Self::Warn,
            Severity::Info => Self::Strong,
            Severity::Note => Self::Dim,
        }
    }
}

/// Lines of text.
pub(super) struct Page {
    term: Term,
    out: String,
}

impl Page {
    pub(super) fn new(term: Term) -> Self {
        Self { term, out: String::new() }
    }

    pub(super) fn width(&self) -> usize {
        self.term.width
    }

    pub(super) fn unicode(&self) -> bool {
        self.term.unicode
    }

    /// Appends to the current line.
    pub(super) fn put(&mut self, style: Style, text: &str) {
        let text = clean(text, self.term.unicode);
        match style.code().filter(|_| self.term.color && !text.trim().is_empty()) {
            Some(code) => {
                self.out.push_str("\x1b[");
                self.out.push_str(code);
                self.out.push('m');
                self.out.push_str(&text);
                self.out.push_str("\x1b[0m");
            }
            None => self.out.push_str(&text),
        }
    }

    /// Characters on the current line so far.
    fn column(&self) -> usize {
        let line = self.out.rsplit('\n').next().unwrap_or("");
        let mut escape = false;
        let visible = line.chars().filter(|&c| {
            let hidden = escape || c == '\x1b';
            escape = hidden && c != 'm';
            !hidden
        });
        visible.count()
    }

    /// Ends the current line, without blanks at its end.
    pub(super) fn end(&mut self) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        self.out.push('\n');
    }

    /// A whole line.
    pub(super) fn line(&mut self, style: Style, text: &str) {
        self.put(style, text);
        self.end();
    }

    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A section title with a blank line before it.
    pub(super) fn section(&mut self, title: &str) {
        self.blank();
        self.line(Style::Heading, title);
    }

    /// `text` broken into lines: the first after `first`, the others indented by the same width.
    pub(super) fn wrapped(&mut self, style: Style, first: &str, text: &str) {
        let indent = self.column() + first.chars().count();
        let room = self.term.width.saturating_sub(indent).max(20);
        let cleaned = clean(text, self.term.unicode);
        for (index, line) in wrap(&cleaned, room).into_iter().enumerate() {
            if index == 0 {
                self.put(Style::Dim, first);
            } else {
                self.put(Style::Plain, &" ".repeat(indent));
            }
            self.line(style, &line);
        }
    }

    /// A list with commas, whose items are not broken; nothing if it is empty.
    pub(super) fn items(&mut self, first: &str, items: &[String]) {
        self.list(Style::Plain, first, items, ",");
    }

    /// A list with dots between its items, which are not broken.
    pub(super) fn words(&mut self, style: Style, items: &[String]) {
        self.list(style, "", items, if self.term.unicode { " ·" } else { " -" });
    }

    fn list(&mut self, style: Style, first: &str, items: &[String], separator: &str) {
        let indent = first.chars().count();
        let room = self.term.width.saturating_sub(indent);
        let mut used = 0;
        for (index, item) in items.iter().enumerate() {
            let after = if index + 1 < items.len() { separator } else { "" };
            let item = format!("{}{after}", clean(item, self.term.unicode));
            let length = item.chars().count();
            if index == 0 {
                self.put(Style::Dim, first);
            } else if used + 1 + length > room {
                self.end();
                self.put(Style::Plain, &" ".repeat(indent));
                used = 0;
            } else {
                self.put(Style::Plain, " ");
                used += 1;
            }
            self.put(style, &item);
            used += length;
        }
        if !items.is_empty() {
            self.end();
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Greedy line breaking at blanks; a word longer than a line is left whole (a path must stay copyable).
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let more = word.chars().count();
        if length > 0 && length + 1 + more > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += more;
    }
    lines.push(line);
    lines
}

/// `text` cut to `width` characters, with a mark that it was cut.
pub(super) fn cut(text: &str, width: usize, unicode: bool) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + if unicode { "…" } else { "~" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(color: bool) -> Page {
        Page::new(Term { width: 80, color, unicode: true })
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_stay_whole() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(
            wrap("a /sys/kernel/iommu_groups/4/type b", 10),
            ["a", "/sys/kernel/iommu_groups/4/type", "b"]
        );
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn only_the_page_itself_writes_escape_sequences() {
        let mut plain = page(false);
        plain.line(Style::Bad, "x\x1b[31my");
        assert_eq!(plain.finish(), "x?[31my\n");
        let mut colored = page(true);
        colored.line(Style::Bad, "x\x1b[31my");
        assert_eq!(colored.finish(), "\x1b[1;31mx?[31my\x1b[0m\n");
    }

    #[test]
    fn cut_text_says_so() {
        assert_eq!(cut("nvme0n1", 7, true), "nvme0n1");
        assert_eq!(cut("enp0s31f6", 5, true), "enp0…");
        assert_eq!(cut("enp0s31f6", 5, false), "enp0~");
    }
}
