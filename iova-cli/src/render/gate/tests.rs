use super::gate;
use crate::args::gate::GateFormat;
use crate::term::Term;
use iova_core::gate::{Kind, Outcome, Rules, Run, Settings, judge};
use serde_json::{Value, json};

mod lab;

const PLAIN: Term = Term { width: 80, color: false, unicode: true };
const WIDE: Term = Term { width: 130, ..PLAIN };

/// A disk that got slower, a network interface that is too noisy, and one run that stands out.
fn document(run: usize, slower: f64) -> Value {
    let wave = [0.0, 0.9, -0.6, 0.3, -0.9, 0.6, -0.3, 1.0, -1.0, 0.1][run % 10];
    let device = |bdf: &str, name: &str, role: &str, mean: f64, failed: u64| {
        json!({
            "bdf": bdf, "name": name, "driver": role, "functions": [role],
            "alloc": {"count": 50_000, "failed": 0, "sac_failed": failed, "latency_ns": {"mean": mean.round(), "p99": (4.0 * mean).round()}},
            "cache": {"hit_ratio": 0.97 + 0.001 * wave}, "approximate": ["alloc.latency_ns"],
        })
    };
    let spike = if run == 7 { 300.0 } else { 0.0 };
    json!({
        "schema": "iova.report", "schema_version": 1, "profile": "default", "interrupted": run == 2,
        "host": {"name": "lab", "kernel": if slower > 1.0 { "6.12.2" } else { "6.12.1" }, "cpus": 2, "iommu": "Intel VT-d"},
        "devices": [
            device("0000:00:04.0", "NVMe <Controller>", "nvme0n1", 412.0 * slower * (1.0 + 0.01 * wave) + spike, 0),
            device("0000:00:05.0", "Net", "eth0", 900.0 * (1.0 + 0.4 * wave), u64::from(run == 3)),
        ],
        "domains": [],
    })
}

fn runs(count: usize, slower: f64, name: &str) -> Vec<Run> {
    let one = |run| Run::from_json(&document(run, slower), &format!("{name}{run}.json")).unwrap();
    (0..count).flat_map(one).collect()
}

fn outcome() -> Outcome {
    let text = "check = [\n  \"alloc.latency_ns.mean <= 1.05 x baseline\",\n  \"sac_failed == 0\",\n]\n\n[[device]]\nmatch = \"nvme*\"\n\
                check = [\"cache.hit_ratio >= baseline - 0.02\"]\n";
    let rules = Rules::parse(text, "gate.toml").unwrap();
    judge(&rules, Some(&runs(10, 1.0, "base")), &runs(10, 1.09, "new"), Settings::default()).unwrap()
}

fn exact() -> Outcome {
    let values = |value: f64| {
        let document =
            json!({"schema": "iova.values", "exact": true, "values": {"6.12.default.added": value}});
        Run::from_json(&document, "bench.json").unwrap()
    };
    judge(&Rules::default(), Some(&values(1286.0)), &values(1287.0), Settings::default()).unwrap()
}

#[test]
fn text() {
    insta::assert_snapshot!("text_80", gate(&outcome(), GateFormat::Text, PLAIN).unwrap());
    insta::assert_snapshot!("text_130", gate(&outcome(), GateFormat::Text, WIDE).unwrap());
    insta::assert_snapshot!("text_exact", gate(&exact(), GateFormat::Text, PLAIN).unwrap());
    let ascii = gate(&outcome(), GateFormat::Text, Term { unicode: false, ..PLAIN }).unwrap();
    assert!(ascii.is_ascii());
}

#[test]
fn json() {
    let text = gate(&outcome(), GateFormat::Json, PLAIN).unwrap();
    insta::assert_snapshot!("json", text);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["schema"], &json["verdict"]), (&json!("iova.gate"), &json!("regression")));
}

#[test]
fn junit() {
    insta::assert_snapshot!("junit", gate(&outcome(), GateFormat::Junit, PLAIN).unwrap());
}

#[test]
fn markdown() {
    insta::assert_snapshot!("markdown", gate(&outcome(), GateFormat::Markdown, PLAIN).unwrap());
}

#[test]
fn a_refusal_in_every_format() {
    let mut other = runs(3, 1.0, "new");
    other.iter_mut().filter_map(|run| run.host.as_mut()).for_each(|host| host.cpus = "8".into());
    let refused = judge(&Rules::default(), Some(&runs(3, 1.0, "base")), &other, Settings::default()).unwrap();
    for format in [GateFormat::Text, GateFormat::Json, GateFormat::Junit, GateFormat::Markdown] {
        let text = gate(&refused, format, PLAIN).unwrap();
        assert!(text.contains("different numbers of CPUs: 2, 8"), "{text}");
    }
    let junit = gate(&refused, GateFormat::Junit, PLAIN).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{junit}");
}

/// Names of devices and files come from outside.
#[test]
fn nothing_from_outside_breaks_a_format() {
    let mut hostile = runs(4, 1.0, "a\"<&>|`\x1b[2J\u{202e}@all");
    for subject in hostile.iter_mut().flat_map(|run| &mut run.subjects).filter(|it| it.kind == Kind::Device) {
        subject.role = "x\x1b[2J|<b>\"&@all`".into();
    }
    let rules = Rules::parse("check = [\"sac_failed == 0\"]", "r\x1b\"<&>|.toml").unwrap();
    let outcome = judge(&rules, None, &hostile, Settings::default()).unwrap();
    for format in [GateFormat::Text, GateFormat::Json, GateFormat::Junit, GateFormat::Markdown] {
        let text = gate(&outcome, format, PLAIN).unwrap();
        assert!(!text.contains(['\x1b', '\u{202e}']), "{text}");
    }
    let junit = gate(&outcome, GateFormat::Junit, PLAIN).unwrap();
    assert!(!junit.contains("<b>") && junit.matches('<').count() == junit.matches('>').count(), "{junit}");
    let markdown = gate(&outcome, GateFormat::Markdown, PLAIN).unwrap();
    assert!(!markdown.contains("<b>") && !markdown.contains("@all"), "{markdown}");
}
