//! JUnit XML: a test case per check; a regression is a failure, what cannot be judged an error.

use super::words;
use crate::render::clean;
use iova_core::gate::{Check, Outcome, Verdict};
use std::fmt::Write as _;

pub(super) fn document(outcome: &Outcome) -> String {
    let whole = usize::from(outcome.reason.is_some());
    let tests = outcome.checks.len() + whole;
    let failures = outcome.count(Verdict::Regression);
    let errors = outcome.count(Verdict::CannotJudge) + whole;
    let counts = format!("name=\"iova gate\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite {counts} skipped=\"0\">\n"
    );
    if let Some(reason) = &outcome.reason {
        case(&mut out, "gate", "can be judged", Some(("error", "cannot-judge", reason.as_str())), "");
    }
    for check in &outcome.checks {
        let subject = words::subject(check);
        let class = if subject.is_empty() { "gate" } else { &subject };
        let reason = words::reason(check).unwrap_or_default();
        let problem = match check.verdict {
            Verdict::Pass => None,
            Verdict::Regression => Some(("failure", "regression", reason.as_str())),
            Verdict::CannotJudge => Some(("error", "cannot-judge", reason.as_str())),
        };
        case(&mut out, class, &words::rule(check), problem, &figures(check));
    }
    let said = std::iter::once(words::basis(outcome)).chain(outcome.notes.iter().cloned());
    let said = said.map(|line| format!("{}\n", escape(&line))).collect::<String>();
    let _ = write!(out, "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n", said.trim_end());
    out
}

fn case(out: &mut String, class: &str, name: &str, problem: Option<(&str, &str, &str)>, figures: &str) {
    let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", escape(class), escape(name));
    let figures = if figures.is_empty() { String::new() } else { escape(figures) };
    match problem {
        None if figures.is_empty() => out.push_str("/>\n"),
        None => {
            let _ = writeln!(out, ">\n      <system-out>{figures}</system-out>\n    </testcase>");
        }
        Some((tag, kind, message)) => {
            let message = escape(message);
            let _ = writeln!(
                out,
                ">\n      <{tag} type=\"{kind}\" message=\"{message}\">{figures}</{tag}>\n    </testcase>"
            );
        }
    }
}

fn figures(check: &Check) -> String {
    let [before, now] = [check.baseline, check.candidate].map(|side| words::middle(check, side));
    let mut lines = Vec::new();
    if check.baseline.is_some() {
        lines.push(format!("baseline {before}, candidate {now}, change {}", words::change(check)));
        lines.push(format!("allowed {}, p {}", words::allowed(check), words::probability(check)));
    } else {
        lines.push(format!("candidate {now}"));
    }
    lines.extend(words::remarks(check));
    lines.join("; ")
}

/// What XML has other uses for. What XML 1.0 has no way to write is cleaned away.
fn escape(text: &str) -> String {
    let clean = clean(text, true).replace(['\u{fffe}', '\u{ffff}'], "?");
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_breaks_out_of_its_place() {
        assert_eq!(escape("a<b & \"c\">\u{1}\u{ffff}\n"), "a&lt;b &amp; &quot;c&quot;&gt;?? ");
    }
}
