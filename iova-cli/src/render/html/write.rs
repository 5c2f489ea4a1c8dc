//! The only way text gets into a page: markup is what stands in this program, everything else is cleaned and escaped.

use crate::render::clean;

/// A page, or a piece of one.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// Name and value; one without value is left out.
pub(super) type Attribute<'a> = (&'static str, &'a str);

impl Html {
    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Words from anywhere.
    pub(super) fn text(&mut self, text: &str) {
        escape(&mut self.0, &clean(text, true));
    }

    pub(super) fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape(&mut self.0, &clean(value, true));
            self.0.push('"');
        }
        self.0.push('>');
    }

    pub(super) fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element of text alone.
    pub(super) fn element(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
    }

    /// A paragraph; nothing without text.
    pub(super) fn paragraph(&mut self, class: &'static str, text: &str) {
        if !text.is_empty() {
            self.element("p", &[("class", class)], text);
        }
    }

    /// A heading row, and rows whose first column holds names and the others figures.
    pub(super) fn figures(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.raw("<div class=scroll><table class=num>");
        self.rows(head, rows);
    }

    /// The same, but the last column holds words.
    pub(super) fn figures_and_words(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.raw("<div class=scroll><table class=\"num last\">");
        self.rows(head, rows);
    }

    /// A heading row and rows of words.
    pub(super) fn words(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.raw("<div class=scroll><table>");
        self.rows(head, rows);
    }

    /// Without the end tags that HTML leaves to the reader: these are half of a long table.
    fn rows(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.raw("<thead><tr>");
        for name in head {
            self.raw("<th scope=col>");
            self.text(name);
        }
        self.raw("<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.raw("<td>");
                self.text(cell);
            }
            self.raw("\n");
        }
        self.raw("</table></div>\n");
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_becomes_markup() {
        let evil = "</title><script>alert('1')</script>\" onload=x &amp;\u{202e}\x1b[2J";
        let mut html = Html::default();
        html.element("p", &[("title", evil), ("class", "")], evil);
        let told =
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=x &amp;amp;??[2J";
        assert_eq!(html.finish(), format!("<p title=\"{told}\">{told}</p>"));
    }
}
