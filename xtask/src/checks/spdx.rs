//! Just enough of SPDX licence expressions to say whether a set of allowed licences satisfies one.

/// Whether the expression can be met with allowed licences alone. `None` if it can't be read.
pub(crate) fn is_satisfied(expression: &str, allowed: &[&str]) -> Option<bool> {
    // Crates older than SPDX in Cargo write "MIT/Apache-2.0".
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    let satisfied = parser.alternatives()?;
    parser.words.is_empty().then_some(satisfied)
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut satisfied = self.requirements()?;
        while self.eat("OR") {
            satisfied |= self.requirements()?;
        }
        Some(satisfied)
    }

    fn requirements(&mut self) -> Option<bool> {
        let mut satisfied = self.licence()?;
        while self.eat("AND") {
            satisfied &= self.licence()?;
        }
        Some(satisfied)
    }

    fn licence(&mut self) -> Option<bool> {
        if self.eat("(") {
            let satisfied = self.alternatives()?;
            return self.eat(")").then_some(satisfied);
        }
        let name = self.next()?;
        if ["OR", "AND", "WITH", ")"].contains(&name) {
            return None;
        }
        if self.eat("WITH") {
            let exception = self.next()?;
            return Some(self.allowed.contains(&format!("{name} WITH {exception}").as_str()));
        }
        Some(self.allowed.contains(&name))
    }

    fn eat(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::is_satisfied;

    const ALLOWED: [&str; 3] = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];

    #[test]
    fn expressions_are_weighed_as_spdx_says() {
        for (expression, expected) in [
            ("MIT", Some(true)),
            ("GPL-3.0", Some(false)),
            ("GPL-3.0 OR MIT", Some(true)),
            ("MIT/Apache-2.0", Some(true)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true)),
            ("MIT OR Apache-2.0 AND GPL-3.0", Some(true)),
            ("MIT AND GPL-3.0", Some(false)),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", Some(true)),
            ("Apache-2.0", Some(false)),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT MIT", None),
            ("", None),
        ] {
            assert_eq!(is_satisfied(expression, &ALLOWED), expected, "{expression}");
        }
    }
}
