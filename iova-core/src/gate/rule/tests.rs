use super::*;
use crate::gate::rule::names::find;

fn resolved(text: &str) -> Result<(String, Relation, Bound), String> {
    let rule = Rule::parse(text, None, Vec::new())?;
    let values = BTreeSet::from(["instructions"]);
    let resolved = rule.resolve(&values).map_err(|fault| fault.what)?;
    Ok((resolved.metric.name, resolved.relation, resolved.bound))
}

#[test]
fn rules_read_like_sentences() {
    let baseline = |factor, plus| Bound::Baseline { factor, plus };
    for (text, name, relation, bound) in [
        (
            "alloc.latency_ns.p99 <= 1.10 x baseline",
            "alloc.latency_ns.p99",
            Relation::AtMost,
            baseline(1.1, 0.0),
        ),
        ("sac_failed == 0", "alloc.sac_failed", Relation::Equal, Bound::Value(0.0)),
        ("low_space.pressure < 0.8", "low_space.pressure", Relation::Below, Bound::Value(0.8)),
        ("low_space.pressure<80%", "low_space.pressure", Relation::Below, Bound::Value(0.8)),
        ("alloc.latency_ns.p99 < 12.5us", "alloc.latency_ns.p99", Relation::Below, Bound::Value(12_500.0)),
        ("low_space.free_bytes > 64MiB", "low_space.free_bytes", Relation::Above, Bound::Value(67_108_864.0)),
        ("alloc.per_second >= 0.95×baseline", "alloc.per_second", Relation::AtLeast, baseline(0.95, 0.0)),
        ("cache.hit_ratio >= baseline - 0.02", "cache.hit_ratio", Relation::AtLeast, baseline(1.0, -0.02)),
        (
            "alloc.latency_ns.mean <= baseline + 50 ns",
            "alloc.latency_ns.mean",
            Relation::AtMost,
            baseline(1.0, 50.0),
        ),
        (
            "alloc.latency_ns.mean <= baseline + 25%",
            "alloc.latency_ns.mean",
            Relation::AtMost,
            baseline(1.25, 0.0),
        ),
        ("alloc.slow <= 1.1 * baseline + 1_000", "alloc.slow", Relation::AtMost, baseline(1.1, 1000.0)),
        ("nodes < 10000", "nodes", Relation::Below, Bound::Value(10_000.0)),
        ("quality.frames_lost == 0", "quality.frames_lost", Relation::Equal, Bound::Value(0.0)),
        ("duration_s < 1500ms", "duration_s", Relation::Below, Bound::Value(1.5)),
        ("instructions <= 1.005 x baseline", "instructions", Relation::AtMost, baseline(1.005, 0.0)),
    ] {
        assert_eq!(resolved(text), Ok((name.to_owned(), relation, bound)), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    for (text, hint) in [
        ("", "compares nothing"),
        ("alloc.count", "write METRIC"),
        ("alloc.count = 5", "use <, <=, >, >= or =="),
        ("alloc.count != 5", "use <, <=, >, >= or =="),
        ("== 5", "no name"),
        ("alloc count == 5", "no name"),
        ("alloc.count == x", "'x' is no number"),
        ("alloc.count == nan", "no number"),
        ("alloc.count <= 1.1 baseline", "no x before baseline"),
        ("alloc.count <= 0 x baseline", "no factor"),
        ("alloc.count <= 1.1 x baseline x 2", "after baseline"),
        ("alloc.count == baseline", "no room for chance"),
        ("alloc.count <= 5ns", "no unit"),
        ("alloc.latency_ns.p99 <= 5KiB", "use ns, us, ms or s"),
        ("cache.hit_ratio >= baseline - 2%", "baseline + 0.02"),
        ("alloc.latency_ns.p98 <= 5us", "did you mean 'alloc.latency_ns.p9"),
        ("sac_faild == 0", "did you mean 'alloc.sac_failed'?"),
        ("instruction <= baseline", "did you mean 'instructions'?"),
        ("p99 <= 5us", "may be alloc.latency_ns.p99, alloc.search_ns.p99, free.latency_ns.p99"),
        ("xyzzy == 0", "every name of iova report"),
        ("alloc.by_order[].count == 0", "is no metric"),
    ] {
        let error = resolved(text).expect_err(text);
        assert!(error.contains(hint), "{text}: {error}");
        assert!(!error.ends_with('.'), "{error}");
    }
}

#[test]
fn a_file_has_rules_for_all_and_for_some() {
    let rules = Rules::parse(
        "alpha = 0.01\ncheck = [\n  \"sac_failed == 0\",\n]\n\n[[device]]\nmatch = [\"nvme*\", \"eth0\"]\n\
         check = [\"alloc.latency_ns.p99 <= 1.10  x  baseline\"]\n",
        "gate.toml",
    )
    .unwrap();
    assert_eq!((rules.alpha, rules.min_effect, rules.accept_approximate), (0.01, 0.01, false));
    let [all, some] = &rules.rules[..] else { panic!("{rules:?}") };
    assert_eq!(all.place.as_deref(), Some("gate.toml, line 3"));
    assert!(all.matches(&["anything".into()]) && !all.compares());
    assert_eq!(some.place.as_deref(), Some("gate.toml, line 8"));
    assert_eq!(some.text, "alloc.latency_ns.p99 <= 1.10 x baseline");
    assert!(some.matches(&["0000:00:04.0".into(), "nvme0n1".into()]));
    assert!(!some.matches(&["eth1".into()]));
}

#[test]
fn what_is_wrong_with_a_file_is_named_with_its_line() {
    for (text, place, hint) in [
        ("check = [\"sac_failed == 0\"", "line 1", ""),
        ("\nchekc = []", "line 2", "unknown field `chekc`"),
        ("check = [\n\"sac_failed = 0\"]", "line 2", "use <, <=, >, >= or =="),
        ("alpha = 5", "line 1", "alpha: use a number from 0.0001 to below 0.5"),
        ("min_effect = -0.1", "line 1", "min_effect: use"),
        ("alpha = \"x\"", "line 1", "expected f64"),
        ("[[device]]\ncheck = []", "line 1", "match"),
        ("[[device]]\nmatch = 5\ncheck = []", "line 2", "use a pattern"),
    ] {
        let fault = Rules::parse(text, "gate.toml").expect_err(text).to_string();
        assert!(fault.starts_with(&format!("gate.toml, {place}: ")), "{text}: {fault}");
        assert!(fault.contains(hint) && fault.lines().count() == 1, "{text}: {fault}");
    }
}

#[test]
fn a_rule_about_no_device_stands_above_the_devices() {
    let rules = Rules::parse("[[device]]\nmatch = \"*\"\ncheck = [\"duration_s < 5\"]", "g").unwrap();
    let fault = rules.rules[0].resolve(&BTreeSet::new()).unwrap_err();
    assert_eq!(fault.to_string(), "g, line 3: duration_s is of no device: move the rule above [[device]]");
}

#[test]
fn the_usual_rules_can_be_used() {
    let device = crate::gate::tests::report(412.0, "x");
    let runs = [&device];
    let rules = Rules::default().or_usual(&runs);
    assert_eq!(rules.len(), 6);
    assert!(rules.iter().all(|rule| rule.resolve(&BTreeSet::new()).is_ok() && rule.compares()));
}

#[test]
fn a_device_comes_before_a_domain() {
    let kind = |name| find(name, &BTreeSet::new()).unwrap().kind;
    assert_eq!(kind("low_space.pressure"), Kind::Device);
    assert_eq!(kind("pressure"), Kind::Device);
    assert_eq!(kind("flush_queue.entries"), Kind::Domain);
    assert_eq!(kind("host.cpus"), Kind::Report);
}

#[test]
fn a_comparison_forgives_the_last_digit() {
    assert!(Relation::AtMost.holds(3030.0, 1.01 * 3000.0) && Relation::AtMost.holds(0.3, 0.1 + 0.2));
    assert!(!Relation::Below.holds(0.3, 0.1 + 0.2) && Relation::Equal.holds(0.1 + 0.2, 0.3));
    assert!(!Relation::AtMost.holds(3031.0, 3030.0) && Relation::Equal.holds(0.0, 0.0));
}
