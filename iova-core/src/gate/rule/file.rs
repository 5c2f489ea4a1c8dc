//! The file of rules, in TOML.

use super::{Fault, Rule, Rules};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    alpha: Option<Spanned<f64>>,
    min_effect: Option<Spanned<f64>>,
    accept_approximate: Option<bool>,
    #[serde(default)]
    check: Vec<Spanned<String>>,
    #[serde(default)]
    device: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(rename = "match")]
    patterns: Patterns,
    check: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "use a pattern, as in \"nvme*\", or a list of them")]
enum Patterns {
    One(String),
    Several(Vec<String>),
}

pub(super) fn parse(text: &str, name: &str) -> Result<Rules, Fault> {
    let fault = |at: usize, what: String| Fault { place: place(text, name, at), what };
    let file: File = toml::from_str(text)
        .map_err(|error| fault(error.span().map_or(0, |span| span.start), brief_error(error.message())))?;
    let usual = Rules::default();
    let share = |value: Option<Spanned<f64>>, usual: f64, key: &str, range: std::ops::Range<f64>| match value
    {
        None => Ok(usual),
        Some(value) if range.contains(value.get_ref()) => Ok(value.into_inner()),
        Some(value) => {
            let what = format!("{key}: use a number from {} to below {}", range.start, range.end);
            Err(fault(value.span().start, what))
        }
    };
    let alpha = share(file.alpha, usual.alpha, "alpha", 0.0001..0.5)?;
    let min_effect = share(file.min_effect, usual.min_effect, "min_effect", 0.0..1.0)?;
    let accept_approximate = file.accept_approximate.unwrap_or(false);
    let mut rules = Rules { alpha, min_effect, accept_approximate, rules: Vec::new() };
    let sections = file.device.into_iter().map(|section| {
        let patterns = match section.patterns {
            Patterns::One(pattern) => vec![pattern],
            Patterns::Several(patterns) => patterns,
        };
        (patterns, section.check)
    });
    for (patterns, checks) in std::iter::once((Vec::new(), file.check)).chain(sections) {
        for check in checks {
            let at = check.span().start;
            let rule = Rule::parse(check.get_ref(), Some(place(text, name, at)), patterns.clone());
            rules.rules.push(rule.map_err(|what| fault(at, what))?);
        }
    }
    Ok(rules)
}

/// "gate.toml, line 4".
fn place(text: &str, name: &str, at: usize) -> String {
    let line = text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1;
    format!("{name}, line {line}")
}

fn brief_error(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
