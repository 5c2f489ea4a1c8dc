//! Dashboard and alerts ask only for what there is, and say what the findings say.

use iova_core::exposition::{Kind, families};
use iova_core::finding::thresholds;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every query of the dashboard, with the title of its panel.
pub(super) fn dashboard() -> Vec<(String, String)> {
    let json: serde_json::Value = serde_json::from_str(&read("dist/grafana/iova.json")).unwrap();
    let mut queries = Vec::new();
    for panel in json["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    queries
}

/// One alert: its name, its expression, the finding it is about, and what to do.
#[derive(Debug, Default)]
struct Alert {
    name: String,
    expr: String,
    finding: Option<String>,
    runbook: String,
}

/// The rules file is YAML, but all of one form.
fn alerts() -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let mut at = "";
    let text = read("dist/prometheus/iova-alerts.yml");
    for line in text.lines().map(str::trim) {
        let (key, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        let value = value.trim_start_matches(">-");
        let known = [
            "expr",
            "for",
            "labels",
            "severity",
            "finding",
            "annotations",
            "summary",
            "description",
            "runbook",
        ];
        let starts = known.iter().find(|known| **known == key).copied();
        if key == "- alert" {
            alerts.push(Alert { name: value.to_owned(), ..Alert::default() });
            continue;
        }
        let Some(alert) = alerts.last_mut() else { continue };
        if key == "- name" {
            at = "";
        }
        at = starts.unwrap_or(at);
        let text = if starts.is_some() { value } else { line };
        match at {
            "expr" => alert.expr += &format!(" {text}"),
            "runbook" => alert.runbook += &format!(" {text}"),
            "finding" => alert.finding = Some(text.to_owned()),
            _ => {}
        }
    }
    alerts
}

/// Names of ours in a query.
fn names(query: &str) -> BTreeSet<&str> {
    let words = query.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("iova_")).collect()
}

fn known() -> BTreeSet<String> {
    let names = |family: &iova_core::exposition::Family| match family.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", family.name)).to_vec(),
        _ => vec![family.full_name()],
    };
    families().iter().flat_map(names).collect()
}

#[test]
fn every_query_uses_families_that_exist() {
    let known = known();
    let rules = alerts().into_iter().map(|alert| (alert.name, alert.expr));
    let queries: Vec<_> = dashboard().into_iter().chain(rules).collect();
    assert!(queries.len() > 50, "{}", queries.len());
    for (title, query) in queries {
        assert!(!query.trim().is_empty(), "{title} has no query");
        for name in names(&query) {
            assert!(known.contains(name), "{title}: there is no {name}");
        }
    }
}

#[test]
fn alerts_have_the_thresholds_of_the_findings() {
    let alerts = alerts();
    for (name, threshold) in [
        ("IovaLowSpaceNearlyFull", thresholds::PRESSURE_WARNING),
        ("IovaLowSpaceFull", thresholds::PRESSURE_CRITICAL),
        ("IovaLowAttemptsFail", thresholds::SAC_FAILED_CRITICAL),
        ("IovaSlowPath", thresholds::SLOW_CRITICAL),
        ("IovaCacheFlushes", thresholds::FLUSHES_PER_SECOND_CRITICAL),
    ] {
        let alert = alerts.iter().find(|alert| alert.name == name).unwrap();
        assert!(alert.expr.contains(&format!(">= {threshold}")), "{alert:?}");
    }
}

/// What to do stands in the sources of the findings, word by word.
#[test]
fn runbooks_are_those_of_the_findings() {
    let mut said = String::new();
    for file in fs::read_dir(project("iova-core/src/finding")).unwrap() {
        said += &fs::read_to_string(file.unwrap().path()).unwrap().replace("\\\n", " ");
    }
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for alert in alerts() {
        assert!(!alert.runbook.trim().is_empty(), "{} has no runbook", alert.name);
        let Some(finding) = &alert.finding else { continue };
        assert!(said.contains(&format!("\"{finding}\"")), "{}: no finding {finding}", alert.name);
        for sentence in
            alert.runbook.split_terminator(". ").map(|sentence| sentence.trim().trim_end_matches('.'))
        {
            assert!(said.contains(sentence), "{}: no finding says {sentence:?}", alert.name);
        }
    }
}

/// A line per family: `UPDATE_DOCS=1 cargo test` writes the table anew.
#[test]
fn the_docs_list_every_family() {
    use std::fmt::Write as _;
    let mut table = "| name | type | labels | what |\n|---|---|---|---|\n".to_owned();
    for family in families() {
        let labels = family.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(" ");
        let from = family.metric.map(|metric| format!(" {}", metric.source)).unwrap_or_default();
        // A histogram says where it comes from anyway.
        let from = if family.help.ends_with(from.trim()) { String::new() } else { from };
        let kind = family.kind.name();
        let what = format!("{}{from}", family.help).replace('|', "\\|");
        let _ = writeln!(table, "| `{}` | {kind} | {labels} | {what} |", family.full_name());
    }
    let path = project("docs/export.md");
    let mut text = fs::read_to_string(&path).unwrap();
    let marker = "<!-- families -->\n";
    let start = text.find(marker).unwrap() + marker.len();
    let end = start + text[start..].find("<!-- end -->").unwrap();
    text.replace_range(start..end, &table);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(text == fs::read_to_string(&path).unwrap(), "docs/export.md has an old table: UPDATE_DOCS=1");
}
