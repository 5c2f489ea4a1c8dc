use super::*;
use crate::inventory::DomainType;
use crate::model::{Latency, Report, SacControl, testdata};
use serde_json::json;

/// A host with one disk, measured: how many attempts below 4 GiB failed, the policy, the domain, and the 99th percentile.
fn host(name: &str, failed: Option<u64>, set: Option<&str>, domain: DomainType, p99: u64) -> Evidence {
    let mut report: Report = testdata::full_report();
    report.host.name = name.to_owned();
    report.host.sac_control = SacControl::DeviceFlag;
    report.duration_s = 1800.0;
    let device = &mut report.devices[0];
    device.domain_type = Some(domain);
    device.policy.set = set.map(str::to_owned);
    device.alloc.count = 100_000;
    device.alloc.sac_failed = failed;
    device.alloc.latency_ns = Latency { p99: Some(p99), mean: Some(p99 / 4), ..Latency::default() };
    report.devices.truncate(1);
    Evidence::measured(report, &format!("{name}-{}-{p99}.iova", set.unwrap_or("none")))
}

fn idle(name: &str, failed: Option<u64>) -> Evidence {
    host(name, failed, None, DomainType::DmaFq, 1000)
}

fn answer(evidence: &[Evidence], id: &str) -> Question {
    let all = dossier(evidence, &List::shipped());
    all.questions.into_iter().find(|question| question.id == id).unwrap()
}

#[test]
fn every_statement_says_where_it_comes_from_and_nothing_is_made_up() {
    let empty = dossier(&[], &List::shipped());
    for question in &empty.questions {
        assert!(!question.missing.is_empty(), "{question:#?}");
        assert!(
            question.statements.iter().all(|said| said.of == "claim tested by this project"),
            "{question:#?}"
        );
        assert!(
            question
                .missing
                .iter()
                .all(|missing| missing.command.contains("iova ") || missing.command.contains("cargo "))
        );
    }
    let full = [idle("a", Some(3)), idle("b", Some(0)), edu("36.json", 36, 48, limit(36))];
    for question in dossier(&full, &List::shipped()).questions {
        for said in &question.statements {
            assert!(said.n > 0 && !said.from.is_empty(), "{said:#?}");
        }
    }
}

#[test]
fn the_share_of_hosts_has_an_interval_and_observed_hours() {
    let hosts =
        [idle("a", Some(3)), idle("b", Some(0)), idle("c", Some(0)), idle("c", Some(0)), idle("d", None)];
    let question = answer(&hosts, "exhaustion");
    let rate = &question.statements[0];
    assert!(rate.text.starts_with("It was used up on 1 of 3 hosts"), "{}", rate.text);
    assert!(rate.text.contains("in 2.0 h observed"), "{}", rate.text);
    assert_eq!((rate.n, rate.from.len()), (3, 3));
    let (low, high) = (rate.low.unwrap(), rate.high.unwrap());
    assert!((low - 0.0084).abs() < 1e-3 && (high - 0.9057).abs() < 1e-3, "{low} {high}");
    assert_eq!(question.statements[1].text, "1b36:0010 asked in vain on 1 host.");
    assert!(question.missing[0].text.contains("d-none-1000.iova"), "{:?}", question.missing);
}

#[test]
fn who_asked_for_high_addresses_does_not_count_as_exhausted() {
    let question = answer(&[host("a", Some(5), Some("dac:40"), DomainType::DmaFq, 1)], "exhaustion");
    assert!(question.statements.is_empty(), "{question:#?}");
}

#[test]
fn policies_are_compared_on_the_same_device_in_the_same_mode() {
    let run = |set, domain, p99| host("a", Some(0), set, domain, p99);
    let (dac, lazy, strict) = (Some("dac:40"), DomainType::DmaFq, DomainType::Dma);
    let files = [
        run(Some("stock"), lazy, 8000),
        run(Some("stock"), lazy, 8200),
        run(None, lazy, 8100),
        run(dac, lazy, 4000),
        run(dac, lazy, 4100),
        run(dac, lazy, 3900),
        run(None, strict, 9000),
        host("b", Some(0), dac, strict, 100),
    ];
    let question = answer(&files, "cost");
    assert_eq!(question.statements.len(), 2, "{question:#?}");
    let p99 = &question.statements[0];
    assert!(
        p99.text.contains("p99 of an allocation under dac:40 is 0.49 of that under stock, between 0.4"),
        "{}",
        p99.text
    );
    assert_eq!((p99.n, p99.from.len()), (6, 6));
    assert!(p99.low.unwrap() < p99.value.unwrap() && p99.value.unwrap() < p99.high.unwrap());
    assert_eq!(
        question.missing[0].text,
        "No device was measured both under stock and under: forcedac in lazy mode, dac:N in strict mode, forcedac in strict mode."
    );
}

#[test]
fn one_run_has_no_interval() {
    let files = [
        host("a", Some(0), None, DomainType::Dma, 8000),
        host("a", Some(0), Some("dac:40"), DomainType::Dma, 2000),
    ];
    let p99 = answer(&files, "cost").statements.remove(0);
    assert!(
        p99.text.contains("is 0.25 of that under stock, without an interval: that takes 3 runs each"),
        "{}",
        p99.text
    );
    assert_eq!((p99.value, p99.low, p99.high), (Some(0.25), None, None));
}

fn limit(bits: u8) -> serde_json::Value {
    json!({"verdict": "limit", "at_least": bits, "at_most": bits, "basis": "fault"})
}

/// A verification of an edu device that is known to keep so many bits, walked up to `tried`.
fn edu(file: &str, known: u8, tried: u8, answer: serde_json::Value) -> Evidence {
    let step = |width: u8| {
        let outcome = if width > known { "unreached" } else { "passed" };
        json!({
            "number": 1, "width": width, "purpose": "walk", "policy": "dac:40", "began_s": 0, "lasted_s": 1.0,
            "addresses": {"count": 9, "lowest": null, "highest": null, "below": 0, "narrow": 0, "failed": 0, "lost": 0},
            "work": {"runs": 1, "bytes": 4096, "ms": 60_000, "failure": null}, "faults": [], "pcie_errors": null,
            "alias": null, "result": outcome, "why": "test",
        })
    };
    let document = json!({
        "schema": "iova.verify", "schema_version": 1, "host": {"name": "lab", "kernel": "6.12.95"},
        "path": ["1234:11e8", "1b36:000c"], "steps": [step(known.min(tried)), step(tried)], "answer": answer,
    });
    let mut evidence = Evidence::parse(document.to_string().as_bytes(), file).unwrap();
    let What::Verification(verification) = &mut evidence.what else { panic!("{evidence:?}") };
    verification.known_bits = Some(known);
    evidence
}

#[test]
fn what_was_never_missed_is_bounded_by_the_rule_of_three() {
    let all: Vec<Evidence> = (0..50).map(|n| edu(&format!("{n}.json"), 36, 48, limit(36))).collect();
    let rate = answer(&all, "detector").statements.remove(0);
    assert_eq!((rate.n, rate.value), (50, Some(0.0)));
    assert!((rate.high.unwrap() - 0.058_155).abs() < 1e-6);
    assert!(rate.text.contains("Of 50 verifications"), "{}", rate.text);
}

#[test]
fn misses_and_what_cannot_be_proved_are_told_apart() {
    let verified = json!({"verdict": "verified", "bits": 48, "short": null});
    let open = json!({"verdict": "cannot-prove", "bits": 32, "reason": "No fault is reported."});
    let files = [
        edu("found.json", 36, 48, limit(36)),
        edu("missed.json", 36, 48, verified.clone()),
        edu("open.json", 36, 48, open),
        edu("aside.json", 48, 48, verified),
    ];
    let said = answer(&files, "detector").statements;
    assert_eq!((said[0].n, said[0].value), (2, Some(0.5)));
    let of = |text: &str| said.iter().find(|said| said.text.contains(text)).unwrap().from.clone();
    assert_eq!(of("called widths good"), ["missed.json"]);
    assert_eq!(of("could not prove"), ["open.json"]);
    assert_eq!(of("nothing to find"), ["aside.json"]);
}

#[test]
fn safety_adds_up_hosts_and_hours_by_path_and_width() {
    let files = [edu("a.json", 36, 48, limit(36)), edu("b.json", 36, 48, limit(36))];
    let said = answer(&files, "safety").statements;
    assert_eq!(
        said[0].text,
        "1234:11e8 behind 1b36:000c: verified to 36 bits on 1 host for 2.0 min; 8 KiB compared, no fault of it was seen."
    );
    assert!(said[1].text.contains("no more than 36 bits come through"), "{}", said[1].text);
}

#[test]
fn the_list_is_held_against_the_devices_that_were_seen() {
    let mut sata = idle("a", Some(0));
    let What::Report(report) = &mut sata.what else { panic!() };
    report.devices[0].id = Some("1b21:0612".into());
    let said = answer(&[sata, idle("b", Some(0))], "blast-radius").statements;
    assert!(said[0].text.contains("1 of 2 hosts"), "{}", said[0].text);
    let cap = said.iter().find(|said| said.text.contains("(cap 43)")).unwrap();
    assert_eq!(cap.from, ["a-none-1000.iova"]);
    assert!(cap.text.ends_with("narrows it."), "{}", cap.text);
}

#[test]
fn compat_reports_count_by_their_id() {
    let bytes = include_bytes!("../../compat/report/tests/sample.json");
    let sample = Evidence::parse(bytes, "compat.json").unwrap();
    let all = dossier(&[sample, idle("a", Some(0))], &List::shipped());
    assert_eq!((all.hosts, all.notes.len()), (2, 1));
    let safety = all.questions.iter().find(|question| question.id == "safety").unwrap();
    assert!(safety.statements.iter().any(|said| said.from == ["compat.json"]), "{safety:#?}");
}
