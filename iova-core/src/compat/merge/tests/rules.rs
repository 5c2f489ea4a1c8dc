use crate::compat::list::{List, Origin};
use crate::compat::merge::{Merged, Outcome, Row};
use crate::compat::report::tests::{device, report, step, verified};
use crate::compat::report::{
    Answer, AnswerKind, CompatReport, DeviceReport, Faults, Passes, Proof, StepResult, Trial, WorkKind,
};
use crate::compat::tests::{list, ok, record};
use crate::compat::words::Verdict;
use crate::policy::Policy;
use crate::policy::verify::{Basis, Purpose};

pub(super) fn merge(reports: &[CompatReport], list: &List) -> Merged {
    Merged::new(reports, list).unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

fn verified_by(hosts: &[(u8, u8)]) -> Vec<CompatReport> {
    hosts.iter().map(|&(host, bits)| report(host, vec![device(vec![verified(bits)])])).collect()
}

fn one(reports: &[CompatReport], list: &List) -> Row {
    let merged = merge(reports, list);
    let [row] = merged.devices.as_slice() else { panic!("{merged:?}") };
    row.clone()
}

fn proposed(row: &Row) -> Option<(Verdict, u8)> {
    match &row.outcome {
        Outcome::Proposed(it) => Some((it.verdict, it.width)),
        Outcome::None { .. } => None,
    }
}

fn reason(row: &Row) -> &str {
    match &row.outcome {
        Outcome::None { reason } => reason,
        Outcome::Proposed(it) => panic!("{}", it.toml),
    }
}

pub(super) fn limit(bits: u8, basis: Basis) -> Proof {
    let wide = bits + 1;
    let last = match basis {
        Basis::Fault => vec![step(wide, Purpose::Walk, StepResult::Truncated)],
        Basis::Mangled => vec![step(wide, Purpose::Walk, StepResult::Mangled)],
        Basis::Data => vec![
            step(wide, Purpose::Walk, StepResult::Failed),
            step(bits, Purpose::Control, StepResult::Passed),
            step(wide, Purpose::Repeat, StepResult::Failed),
        ],
    };
    let steps = [vec![step(32, Purpose::Baseline, StepResult::Passed)], last].concat();
    let answer =
        Answer { verdict: AnswerKind::Limit, bits, at_most: Some(bits), basis: Some(basis), whole: true };
    Proof { kernel: None, work: WorkKind::Read, free_bits: 32, steps, answer: Some(answer) }
}

#[test]
fn an_ok_needs_three_hosts_and_has_the_width_of_the_third() {
    let row = one(&verified_by(&[(1, 48), (2, 40), (3, 44)]), &List::default());
    assert_eq!(proposed(&row), Some((Verdict::Ok, 40)));
    let row = one(&verified_by(&[(1, 48), (2, 36), (3, 44), (4, 46)]), &List::default());
    assert_eq!(proposed(&row), Some((Verdict::Ok, 44)), "of the three best");
    let row = one(&verified_by(&[(1, 48), (2, 40)]), &List::default());
    assert!(reason(&row).contains("2 hosts have verified it (to 48 and 40 bits): an ok needs 3"), "{row:?}");
    let row = one(&verified_by(&[(1, 64), (2, 60), (3, 58)]), &List::default());
    assert_eq!(proposed(&row), Some((Verdict::Ok, 57)), "no policy goes further");
}

#[test]
fn the_proposal_is_a_record_for_the_path() {
    let merged = merge(&verified_by(&[(1, 48), (2, 48), (3, 48)]), &List::default());
    let proposal = merged.proposals().next().unwrap();
    assert_eq!(proposal.file, "1b36-0010-ok-on-1b36-000c.toml");
    assert!(
        proposal.toml.contains("path = [\"1b36:000c\"]\n") && proposal.toml.contains("revision = \"02\"\n")
    );
    assert!(
        proposal.toml.contains("url = \"report:03030303030303030303030303030303\"\n"),
        "{}",
        proposal.toml
    );
    let on_root = |host| {
        let there = DeviceReport { path: Vec::new(), driver: None, ..device(vec![verified(48)]) };
        report(host, vec![there])
    };
    let merged = merge(&[1, 2, 3].map(on_root), &List::default());
    let proposal = merged.proposals().next().unwrap();
    assert_eq!(proposal.file, "1b36-0010-ok-on-root.toml");
    assert!(proposal.toml.contains("path = []\n"), "{}", proposal.toml);
}

#[test]
fn an_id_counts_once() {
    let mut reports = verified_by(&[(1, 48), (1, 44), (2, 48), (2, 48)]);
    let merged = merge(&reports, &List::default());
    assert_eq!((merged.reports, merged.hosts, merged.repeated.len()), (4, 2, 2));
    assert!(merged.proposals().next().is_none());
    // Nor does one host with three such devices.
    reports = vec![report(1, vec![device(vec![verified(48)]); 3])];
    assert!(reason(&one(&reports, &List::default())).starts_with("1 host has verified it"));
    // Twice the same file: watched once.
    let row =
        one(&[report(1, vec![device(Vec::new())]), report(1, vec![device(Vec::new())])], &List::default());
    assert_eq!((row.support.hosts, row.support.observed_ms), (1, 10_000));
}

#[test]
fn evidence_holds_for_its_path_and_revision() {
    let elsewhere = |host, port: &str| {
        let path = vec![port.parse().unwrap()];
        report(host, vec![DeviceReport { path, ..device(vec![verified(48)]) }])
    };
    let reports = [elsewhere(1, "8086:0001"), elsewhere(2, "8086:0001"), elsewhere(3, "8086:0002")];
    assert!(merge(&reports, &List::default()).proposals().next().is_none());
    let mut reports = verified_by(&[(1, 48), (2, 48), (3, 48)]);
    reports[2].devices[0].revision = Some("03".parse().unwrap());
    let row = one(&reports, &List::default());
    assert!(reason(&row).contains("other revisions"), "{row:?}");
}

#[test]
fn normal_use_widens_nothing_but_is_shown() {
    let used = |host| {
        let mut device = device(Vec::new());
        let usage = device.usage.as_mut().unwrap();
        (usage.high, usage.width) = (900, Some(48));
        report(host, vec![device])
    };
    let row = one(&[1, 2, 3, 4].map(used), &List::default());
    assert!(reason(&row).contains("normal use only"));
    assert_eq!((row.support.hosts, row.support.high, row.support.widest), (4, 3600, Some(48)));
    // An answer without the steps to it is no proof.
    let claim = Proof { steps: Vec::new(), ..verified(48) };
    let row = one(&[1, 2, 3].map(|host| report(host, vec![device(vec![claim.clone()])])), &List::default());
    assert!(row.verified.is_empty());
    let mut idle = verified(48);
    idle.steps[1].addresses = 0;
    let row = one(&[1, 2, 3].map(|host| report(host, vec![device(vec![idle.clone()])])), &List::default());
    assert!(row.verified.is_empty(), "{row:?}");
}

#[test]
fn one_credible_corruption_is_a_cap() {
    for (basis, failure) in
        [(Basis::Fault, "truncated"), (Basis::Mangled, "mangled"), (Basis::Data, "unknown")]
    {
        let mut reports = verified_by(&[(1, 48), (2, 48), (3, 48)]);
        reports.push(report(4, vec![device(vec![limit(40, basis)])]));
        let row = one(&reports, &List::default());
        assert_eq!(proposed(&row), Some((Verdict::Cap, 40)), "{basis:?}");
        let Outcome::Proposed(it) = &row.outcome else { panic!() };
        assert!(it.toml.contains(&format!("failure = \"{failure}\"\n")), "{}", it.toml);
        assert!(
            it.toml.contains("bridge = [\"1b36:000c\"]\n") && it.toml.contains("evidence = \"verified\"")
        );
    }
    let two = [
        report(1, vec![device(vec![limit(43, Basis::Fault)])]),
        report(2, vec![device(vec![limit(40, Basis::Data)])]),
    ];
    assert_eq!(proposed(&one(&two, &List::default())), Some((Verdict::Cap, 40)), "the narrowest counts");
}

#[test]
fn without_its_control_a_limit_only_speaks_against_an_ok() {
    let mut reports = verified_by(&[(1, 48), (2, 48), (3, 48)]);
    let mut proof = limit(40, Basis::Fault);
    proof.steps[0].result = StepResult::Failed;
    reports.push(report(4, vec![device(vec![proof])]));
    let row = one(&reports, &List::default());
    assert!(reason(&row).contains("to the contrary"), "{row:?}");
    let mut once = limit(40, Basis::Data);
    once.steps.retain(|step| step.purpose != Purpose::Repeat);
    reports[3] = report(4, vec![device(vec![once])]);
    assert!(reason(&one(&reports, &List::default())).contains("to the contrary"));
    let mut unexplained = verified(36);
    unexplained.steps.push(step(40, Purpose::Walk, StepResult::Failed));
    unexplained.answer.as_mut().unwrap().verdict = AnswerKind::CannotProve;
    reports[3] = report(4, vec![device(vec![unexplained])]);
    assert!(reason(&one(&reports, &List::default())).contains("nothing shows why"));
}

#[test]
fn aliases_in_normal_use() {
    let seen = |policy| {
        let mut device = DeviceReport { policy: Some(policy), ..device(Vec::new()) };
        let passes = Some(Passes { at_least: 36, at_most: 39 });
        let faults = Faults { count: 2, truncated: 1, unrelated: 1, low_32_alias: true, passes, mangled: 0 };
        device.usage.as_mut().unwrap().faults = Some(faults);
        report(9, vec![device])
    };
    let row = one(&[seen(Policy::Dac(48))], &List::default());
    assert_eq!(proposed(&row), Some((Verdict::Cap, 36)));
    let Outcome::Proposed(it) = &row.outcome else { panic!() };
    assert!(it.toml.contains("evidence = \"report\""), "{}", it.toml);
    let mut reports = verified_by(&[(1, 48), (2, 48), (3, 48)]);
    reports.push(seen(Policy::Stock));
    assert!(reason(&one(&reports, &List::default())).contains("to the contrary"));
}

#[test]
fn aliases_in_trials() {
    let mut device = device(Vec::new());
    let passes = Some(Passes { at_least: 34, at_most: 35 });
    let faults = Faults { count: 1, truncated: 1, low_32_alias: true, passes, ..Faults::default() };
    device.trials[0] = Trial { policy: Policy::Dac(48), kept: 0, quarantined: 1, faults, ..device.trials[0] };
    assert_eq!(proposed(&one(&[report(1, vec![device])], &List::default())), Some((Verdict::Cap, 34)));
}

/// Records that say `verdict` and `width` about the device of the reports.
fn listed(verdict: Verdict, width: u8) -> List {
    let id = ("1b21:0612", "1b36:0010");
    let mut one = match verdict {
        Verdict::Cap => record("asmedia-a.toml", &[("device = \"1b21:0612\"", "device = \"1b36:0010\"")]),
        Verdict::Ok => ok("asmedia-a.toml", width),
    };
    one.width = width;
    one.matches[0].device.vendor = 0x1b36;
    one.matches[0].device.device = Some(0x0010);
    assert_ne!(id.0, id.1);
    list(&[(Origin::Shipped, one)])
}

#[test]
fn what_the_list_says_already() {
    let good = verified_by(&[(1, 48), (2, 48), (3, 48)]);
    assert!(reason(&one(&good, &listed(Verdict::Ok, 48))).contains("ok up to 48 bits already"));
    let raised = one(&good, &listed(Verdict::Ok, 40));
    assert_eq!((proposed(&raised), raised.contradictions.len()), (Some((Verdict::Ok, 48)), 1));
    let capped = one(&good, &listed(Verdict::Cap, 43));
    assert!(reason(&capped).contains("narrower beats wider"));
    assert!(capped.contradictions[0].contains("compat/asmedia-a.toml caps it at 43 bits"), "{capped:?}");
    assert_eq!(proposed(&one(&good, &listed(Verdict::Cap, 50))), Some((Verdict::Ok, 48)));

    let bad = [report(1, vec![device(vec![limit(40, Basis::Fault)])])];
    assert!(reason(&one(&bad, &listed(Verdict::Cap, 40))).contains("caps it at 40 bits already"));
    let narrowed = one(&bad, &listed(Verdict::Cap, 43));
    assert_eq!((proposed(&narrowed), narrowed.contradictions.len()), (Some((Verdict::Cap, 40)), 1));
    let withdrawn = one(&bad, &listed(Verdict::Ok, 48));
    assert!(withdrawn.contradictions[0].contains("says ok up to 48 bits"), "{withdrawn:?}");
}

#[test]
fn one_cap_for_all_paths_behind_a_port() {
    let longer = vec!["1b36:000c".parse().unwrap(), "8086:0001".parse().unwrap()];
    let far = DeviceReport { path: longer, ..device(vec![limit(38, Basis::Fault)]) };
    let merged = merge(&[report(1, vec![device(vec![limit(40, Basis::Fault)]), far])], &List::default());
    let all: Vec<_> = merged.proposals().map(|it| it.width).collect();
    assert_eq!(all, [38]);
    assert!(reason(&merged.devices[1]).contains("1b36-0010-behind-1b36-000c.toml"), "{merged:?}");
}
