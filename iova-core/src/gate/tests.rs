use super::*;
use crate::gate::stats::Random;
use serde_json::{Value, json};

mod power;

/// A report of one NVMe disk, whose allocations took `mean` ns.
pub(super) fn report(mean: f64, source: &str) -> Run {
    one(&document(mean), source)
}

fn document(mean: f64) -> Value {
    let device = json!({
        "bdf": "0000:00:04.0", "name": "QEMU NVM Express Controller", "driver": "nvme", "functions": ["nvme0n1"],
        "alloc": {"count": 5000, "failed": 0, "sac_failed": 0, "latency_ns": {"mean": mean, "p99": 4.0 * mean}},
        "free": {"count": 5000, "latency_ns": {"mean": 0.8 * mean}},
        "faults": {"count": 0}, "low_space": {"pressure": 0.3}, "approximate": [],
    });
    json!({
        "schema": "iova.report", "schema_version": 1, "profile": "default", "interrupted": false, "duration_s": 10.0,
        "host": {"name": "lab", "kernel": "6.12", "arch": "x86_64", "iommu": "Intel VT-d", "cpus": 2},
        "quality": {"unknown": [{"metric": "map", "why": "measured from --profile full on"}]},
        "devices": [device], "domains": [{"group": 4, "devices": ["0000:00:04.0"], "nodes": 77}],
    })
}

fn one(document: &Value, source: &str) -> Run {
    Run::from_json(document, source).unwrap().remove(0)
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = document(400.0);
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

fn values(list: &[f64]) -> Vec<Run> {
    Run::from_json(&json!({"schema": "iova.values", "values": {"n": list}}), "v").unwrap()
}

fn exact(value: f64) -> Vec<Run> {
    Run::from_json(&json!({"schema": "iova.values", "exact": true, "values": {"n": value}}), "v").unwrap()
}

fn rules(checks: &[&str]) -> Rules {
    let mut rules = Rules::default();
    checks.iter().for_each(|check| rules.add(check, "--check").unwrap());
    rules
}

fn gate(checks: &[&str], baseline: &[Run], candidate: &[Run]) -> Outcome {
    judge(&rules(checks), Some(baseline), candidate, Settings { resamples: 400, ..Settings::default() })
        .unwrap()
}

fn check(checks: &[&str], runs: &[Run]) -> Outcome {
    judge(&rules(checks), None, runs, Settings::default()).unwrap()
}

/// Ten runs around a mean, apart by a percent or so, each another.
fn ten(mean: f64) -> Vec<Run> {
    (0..10).map(|run| report(mean * (1.0 + 0.002 * f64::from(run)), &format!("run {run}"))).collect()
}

#[test]
fn the_same_passes_and_the_slower_fails() {
    let outcome = gate(&[], &ten(400.0), &ten(400.5));
    assert_eq!((outcome.verdict, outcome.tests, outcome.checks.len()), (Verdict::Pass, 3, 5), "{outcome:#?}");
    let outcome = gate(&[], &ten(400.0), &ten(440.0));
    assert_eq!(outcome.verdict, Verdict::Regression);
    let worst = &outcome.checks[0];
    assert_eq!((&*worst.metric, worst.how), ("alloc.latency_ns.mean", How::ExactRankTest));
    let change = worst.change.unwrap();
    assert!((change.estimate - 1.1).abs() < 0.005 && change.limit == 1.05, "{change:?}");
    assert!(change.low.unwrap() > 1.05 && change.high.unwrap() < 1.15, "{change:?}");
    assert!(worst.p_adjusted.unwrap() < 0.001);
    assert_eq!(gate(&[], &ten(440.0), &ten(400.0)).verdict, Verdict::Pass, "faster is no regression");
}

#[test]
fn too_few_runs_say_how_many_would_do() {
    let outcome = gate(&["alloc.latency_ns.mean <= 1.05 x baseline"], &ten(400.0)[..2], &ten(800.0)[..2]);
    assert_eq!((outcome.verdict, outcome.runs_needed()), (Verdict::CannotJudge, Some(3)));
    assert!(outcome.checks[0].reason.as_ref().unwrap().starts_with("too few runs: 2 and 2"));
    // With three rules each needs a third of alpha: 1 / C(8, 4) = 0.0143.
    let outcome = gate(&[], &ten(400.0)[..3], &ten(800.0)[..3]);
    assert_eq!(outcome.runs_needed(), Some(4));
    let outcome = gate(&["alloc.latency_ns.mean <= 1.05 x baseline"], &ten(400.0)[..3], &ten(800.0)[..3]);
    assert_eq!(outcome.verdict, Verdict::Regression, "three and three reach one in twenty");
    let outcome = gate(&["n <= 1.02 x baseline"], &values(&[100.0, 120.0]), &values(&[101.0, 119.0]));
    assert!(outcome.checks[0].reason.as_ref().unwrap().starts_with("too few"), "{outcome:#?}");
    assert!(
        outcome.runs_needed() > Some(50),
        "what is also too noisy needs more: {:?}",
        outcome.runs_needed()
    );
}

#[test]
fn noise_says_how_many_runs_would_do() {
    let wild =
        |shift: f64| -> Vec<f64> { (0..10).map(|run| shift + 100.0 + 10.0 * f64::from(run)).collect() };
    let outcome = gate(&["n <= 1.02 x baseline"], &values(&wild(0.0)), &values(&wild(-1.0)));
    let reason = outcome.checks[0].reason.clone().unwrap();
    assert!(reason.starts_with("too noisy"), "{reason}");
    let runs = outcome.runs_needed().unwrap();
    assert!((500..2000).contains(&runs), "{runs}: about (0.18 / 0.02)^2 times ten");
    let outcome = gate(&["n <= 1.02 x baseline"], &values(&wild(0.0)), &values(&wild(10.0)));
    assert!(outcome.checks[0].reason.as_ref().unwrap().starts_with("it looks worse"), "{outcome:#?}");
}

#[test]
fn what_repeats_is_judged_by_the_effect() {
    let by = |checks: &[&str], before: f64, now: f64| {
        let outcome = gate(checks, &exact(before), &exact(now));
        (outcome.verdict, outcome.checks[0].how, outcome.tests)
    };
    assert_eq!(by(&[], 3335.0, 3351.0), (Verdict::Pass, How::Effect, 0));
    assert_eq!(by(&[], 3335.0, 3369.0), (Verdict::Regression, How::Effect, 0), "1 %, from one run");
    assert_eq!(by(&["n <= baseline"], 3335.0, 3336.0).0, Verdict::Regression, "not even one more");
    assert_eq!(by(&["n <= baseline + 1"], 3335.0, 3336.0).0, Verdict::Pass);
    let outcome = gate(&["n <= 1.005 x baseline"], &values(&[100.0; 5]), &values(&[101.0; 5]));
    assert_eq!(
        (outcome.verdict, outcome.checks[0].how),
        (Verdict::Regression, How::Effect),
        "seen to repeat"
    );
    let outcome = gate(&["n <= 1.02 x baseline"], &values(&[100.0; 2]), &values(&[112.0; 2]));
    assert_eq!(outcome.verdict, Verdict::CannotJudge, "two steps of a histogram may be chance");
    let outcome = gate(&["n <= 1.02 x baseline"], &values(&[100.0; 2]), &values(&[100.0; 2]));
    assert_eq!(outcome.verdict, Verdict::Pass);
    let outcome = gate(&["n <= 1.005 x baseline"], &values(&[100.0]), &values(&[101.0]));
    assert_eq!(outcome.verdict, Verdict::CannotJudge, "one run shows nothing");
}

#[test]
fn a_count_that_was_nothing_may_not_begin() {
    let outcome = gate(&["n <= baseline"], &values(&[0.0; 5]), &values(&[3.0, 4.0, 5.0, 6.0, 7.0]));
    assert_eq!(outcome.verdict, Verdict::Regression);
    assert_eq!(outcome.checks[0].change.unwrap().scale, Scale::Difference);
    let outcome = gate(&["n <= baseline"], &values(&[0.0; 5]), &values(&[0.0, 0.0, 0.0, 0.0, 1.0]));
    assert_eq!(outcome.verdict, Verdict::Pass);
}

#[test]
fn small_is_bad_where_the_rule_says_so() {
    let (less, same) = (values(&[90.0, 91.0, 92.0, 93.0]), values(&[100.0, 101.0, 102.0, 103.0]));
    assert_eq!(gate(&["n >= 0.95 x baseline"], &same, &less).verdict, Verdict::Regression);
    assert_eq!(gate(&["n >= 0.95 x baseline"], &less, &same).verdict, Verdict::Pass);
    assert_eq!(gate(&["n >= baseline - 3"], &same, &less).verdict, Verdict::Regression);
}

#[test]
fn rules_without_a_baseline_hold_in_every_run() {
    let broken = one(&with("/devices/0/alloc/sac_failed", json!(3)), "bad.json");
    let outcome =
        check(&["sac_failed == 0", "low_space.pressure < 0.8"], &[report(400.0, "good.json"), broken]);
    assert_eq!((outcome.verdict, outcome.count(Verdict::Pass)), (Verdict::Regression, 1));
    assert_eq!(outcome.checks[0].reason.as_deref(), Some("broken in 1 of 2 runs, first in bad.json"));
    assert_eq!(check(&["nodes < 100"], &[report(1.0, "x")]).checks[0].subject, "group 4");
    assert_eq!(check(&["duration_s < 60s"], &[report(1.0, "x")]).verdict, Verdict::Pass);
}

#[test]
fn what_was_not_measured_is_no_pass() {
    let outcome = check(&["map.count > 0"], &[report(400.0, "x")]);
    assert_eq!(outcome.verdict, Verdict::CannotJudge);
    assert_eq!(outcome.checks[0].reason.as_deref(), Some("measured from --profile full on"));
    let outcome = gate(&["map.latency_ns.mean <= baseline"], &ten(400.0), &ten(400.0));
    let reason = outcome.checks[0].reason.as_deref();
    assert_eq!(reason, Some("no run has a value: measured from --profile full on"));
    let idle = one(&with("/devices/0/alloc/count", json!(0)), "idle");
    let idle =
        Run { subjects: idle.subjects.into_iter().filter(|it| it.kind != Kind::Device).collect(), ..idle };
    let outcome = check(&["sac_failed == 0"], std::slice::from_ref(&idle));
    assert_eq!(outcome.checks[0].reason.as_deref(), Some("no device did anything in these runs"));
    let outcome = gate(&["alloc.latency_ns.mean <= baseline"], &ten(400.0), &[idle]);
    assert_eq!(
        outcome.checks[0].reason.as_deref(),
        Some("the candidate has no value: 0000:00:04.0 is not there")
    );
    assert_eq!(check(&["alloc.count < 5 x baseline"], &[report(1.0, "x")]).verdict, Verdict::CannotJudge);
}

#[test]
fn half_runs_and_failed_ones_are_said() {
    let mut document = document(400.0);
    document["interrupted"] = json!(true);
    document["command"] = json!({"argv": ["x"], "exit_code": 3, "signal": null});
    let outcome = check(&["sac_failed == 0"], &[one(&document, "x.json"), report(400.0, "y.json")]);
    assert_eq!(
        outcome.notes,
        ["x.json was ended early by a signal", "the command measured in x.json failed"]
    );
}

#[test]
fn some_runs_without_a_value_are_said() {
    let mut runs = ten(400.0);
    runs[0] = one(&with("/devices/0/alloc/latency_ns/mean", Value::Null), "hole");
    let outcome = gate(&["alloc.latency_ns.mean <= 1.05 x baseline"], &ten(400.0), &runs);
    assert_eq!(outcome.checks[0].candidate.unwrap().runs, 9);
    assert_eq!(outcome.checks[0].notes, ["no value in 1 of 10 runs of the candidate"]);
}

#[test]
fn a_lower_bound_does_not_prove_that_something_never_happened() {
    let run = one(&with("/devices/0/approximate", json!(["alloc.sac_failed"])), "x");
    let mut rules = rules(&["sac_failed == 0"]);
    let verdict = |rules: &Rules| {
        judge(rules, None, std::slice::from_ref(&run), Settings::default()).unwrap().checks[0].verdict
    };
    assert_eq!(verdict(&rules), Verdict::CannotJudge);
    rules.accept_approximate = true;
    assert_eq!(verdict(&rules), Verdict::Pass);
}

#[test]
fn another_host_is_refused_unless_that_is_meant() {
    let other = |pointer: &str, value: Value| vec![one(&with(pointer, value), "other")];
    for pointer in ["/host/cpus", "/profile", "/host/iommu", "/host/arch"] {
        let outcome = gate(&[], &ten(400.0), &other(pointer, json!("x")));
        assert_eq!((outcome.verdict, outcome.checks.len()), (Verdict::CannotJudge, 0), "{pointer}");
        assert!(outcome.reason.unwrap().contains("--across-hosts"));
    }
    let outcome = gate(&[], &ten(400.0), &other("/host/kernel", json!("7.3")));
    assert_eq!(outcome.notes, ["the runs are of different kernels: 6.12, 7.3"]);
    let settings = Settings { across_hosts: true, ..Settings::default() };
    let outcome = judge(&rules(&[]), Some(&ten(400.0)), &other("/host/cpus", json!(8)), settings).unwrap();
    assert_eq!(outcome.notes, ["the runs are of different numbers of CPUs: 2, 8"]);
    assert_eq!(outcome.checks.len(), 5);
}

#[test]
fn who_stands_out_is_named_and_counted() {
    let mut runs = ten(400.0);
    runs[3] = report(900.0, "spike.json");
    let outcome = gate(&["alloc.latency_ns.mean <= 1.05 x baseline"], &ten(400.0), &runs);
    assert_eq!((outcome.verdict, outcome.checks[0].candidate.unwrap().max), (Verdict::Pass, 900.0));
    let outlier = Outlier { side: "candidate", source: "spike.json".into(), value: 900.0 };
    assert_eq!(outcome.checks[0].outliers, [outlier]);
}

#[test]
fn idle_devices_are_no_matter_of_the_usual_rules() {
    let idle =
        || -> Vec<Run> { (0..3).map(|_| one(&with("/devices/0/alloc/count", json!(999)), "x")).collect() };
    let outcome = gate(&[], &idle(), &idle());
    assert_eq!((outcome.verdict, outcome.checks.len()), (Verdict::CannotJudge, 0));
    assert!(outcome.notes[0].contains("not busy enough"), "{:?}", outcome.notes);
    assert!(outcome.reason.unwrap().starts_with("there is nothing to judge"));
}

#[test]
fn documents_that_are_no_runs_are_refused() {
    for (document, hint) in [
        (json!([]), "no \"schema\""),
        (json!({"schema": "iova.top"}), "its schema is 'iova.top'"),
        (json!({"schema": "iova.report", "schema_version": 99}), "newer iova"),
        (json!({"schema": "iova.report", "schema_version": 1}), "\"devices\" is no list"),
        (json!({"schema": "iova.values"}), "\"values\" is no table"),
        (json!({"schema": "iova.values", "values": {"n": "x"}}), "'n' is neither"),
        (json!({"schema": "iova.values", "values": {"n": []}}), "'n' is neither"),
        (json!({"schema": "iova.values", "values": {"a b": 1}}), "no rule can name"),
    ] {
        let error = Run::from_json(&document, "x").unwrap_err();
        assert!(error.contains(hint), "{document}: {error}");
    }
    let runs =
        Run::from_json(&json!({"schema": "iova.values", "values": {"n": [1, 2], "m": 5}}), "v").unwrap();
    assert_eq!((runs.len(), &*runs[1].source), (2, "v [2]"));
    assert_eq!(runs[1].subjects[0].values.get("m"), None, "a single number is of the first run");
}

#[test]
fn a_report_and_its_json_are_the_same_run() {
    let report = crate::model::testdata::full_report();
    let run = Run::from_report(&report, "x").unwrap();
    assert_eq!(
        Run::from_json(&serde_json::to_value(&report).unwrap(), "x").unwrap(),
        std::slice::from_ref(&run)
    );
    let device = run.subject(Kind::Device, "0000:00:04.0").unwrap();
    for metric in crate::metric::all() {
        if let Some(value) = metric.of_device(&report.devices[0]) {
            assert_eq!(device.values.get(metric.name), Some(&value), "{}", metric.name);
        }
    }
    assert_eq!(device.role, "nvme0n1");
    assert!(device.words.contains(&"00:04.0".to_owned()));
}
