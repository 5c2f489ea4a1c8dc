use super::*;
use crate::model::testdata::full_report;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Paths of all numbers under `json`, entries of lists as `[]`.
fn numbers(json: &Json, path: &str, out: &mut BTreeSet<String>) {
    match json {
        Json::Number(_) => {
            out.insert(path.to_owned());
        }
        Json::Array(items) => items.iter().for_each(|item| numbers(item, &format!("{path}[]"), out)),
        Json::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                // Evidence is keyed by metric names already.
                if name != "evidence" {
                    numbers(value, &format!("{path}{dot}{name}"), out);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::String(_) => {}
    }
}

fn path(metric: &Metric) -> String {
    match metric.scope() {
        Scope::Report => metric.name.to_owned(),
        Scope::Device => format!("devices[].{}", metric.name),
        Scope::Domain => format!("domains[].{}", metric.name),
    }
}

#[test]
fn the_table_and_the_json_report_name_the_same_numbers() {
    let mut in_json = BTreeSet::new();
    numbers(&serde_json::to_value(full_report()).unwrap(), "", &mut in_json);
    let in_table: BTreeSet<String> = all().map(path).collect();
    let undocumented: Vec<_> = in_json.difference(&in_table).collect();
    let unused: Vec<_> = in_table.difference(&in_json).collect();
    assert!(undocumented.is_empty(), "in the JSON, not in the table: {undocumented:#?}");
    assert!(unused.is_empty(), "in the table, not in the JSON: {unused:#?}");
}

#[test]
fn the_table_reads_the_same_value_that_the_json_shows() {
    let report = full_report();
    let json = serde_json::to_value(&report).unwrap();
    for metric in all() {
        let (base, value) = match metric.get {
            Get::Report(get) => ("", get(&report)),
            Get::Device(get) => ("/devices/0", get(&report.devices[0])),
            Get::Domain(get) => ("/domains/0", get(&report.domains[0])),
            Get::List(_) => continue,
        };
        let pointer = format!("{base}/{}", metric.name.replace('.', "/"));
        let shown = json.pointer(&pointer).and_then(Json::as_f64);
        assert_eq!(shown, value, "{}", metric.name);
        assert!(shown.is_some(), "{} is unknown in the full report", metric.name);
    }
}

#[test]
fn names_are_unique_and_definitions_are_sentences() {
    let mut seen = BTreeSet::new();
    for metric in all() {
        assert!(seen.insert(path(metric)), "{} twice", metric.name);
        assert!(metric.definition.ends_with('.'), "{}: {}", metric.name, metric.definition);
        assert!(metric.source.ends_with('.'), "{}: {}", metric.name, metric.source);
    }
}
