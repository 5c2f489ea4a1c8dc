//! Markdown, for a comment on a pull request: what needs a look first, the rest folded away.

use super::words;
use crate::render::clean;
use iova_core::gate::{Check, Outcome, Verdict};
use std::fmt::Write as _;

const HEAD: &str = "\
| | device | metric | baseline | candidate | change | allowed | p |
|---|---|---|--:|--:|--:|--:|--:|
";

pub(super) fn document(outcome: &Outcome) -> String {
    let mut out = format!(
        "### iova gate: {}\n\n{}\n",
        escape(&words::summary(outcome)),
        escape(&words::basis(outcome))
    );
    let (good, bad): (Vec<_>, Vec<_>) =
        outcome.checks.iter().partition(|check| check.verdict == Verdict::Pass);
    if !bad.is_empty() {
        out.push('\n');
        table(&mut out, &bad);
        out.push('\n');
        for check in &bad {
            let reason = words::reason(check).unwrap_or_default();
            let (subject, rule) = (words::subject(check), words::rule(check));
            let subject = if subject.is_empty() { String::new() } else { format!("{}: ", escape(&subject)) };
            let _ = writeln!(out, "- {subject}{}: {}", escape(&rule), escape(&reason));
        }
    }
    if !good.is_empty() {
        let _ = write!(out, "\n<details><summary>{} passed</summary>\n\n", good.len());
        table(&mut out, &good);
        out.push_str("\n</details>\n");
    }
    let notes = words::notes(outcome);
    if !notes.is_empty() {
        out.push('\n');
        notes.iter().for_each(|note| out.push_str(&format!("- {}\n", escape(note))));
    }
    out
}

fn table(out: &mut String, checks: &[&Check]) {
    out.push_str(HEAD);
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Pass => "pass".to_owned(),
            bad => format!("**{}**", words::verdict(bad)),
        };
        let cells = [
            words::subject(check),
            check.metric.clone(),
            words::middle(check, check.baseline),
            words::middle(check, check.candidate),
            words::change(check),
            words::allowed(check),
            words::probability(check),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(out, "| {verdict} | {} |", cells.join(" | "));
    }
}

/// Nothing from outside becomes markup, a mention or a link.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text, true).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(escape("a|b_c @all <b> `x`"), "a\\|b\\_c &#64;all &lt;b&gt; \\`x\\`");
    }
}
