//! Whole outputs of `iova policy` against checked-in ones.

use super::{Json, Render, Text, fixtures};
use crate::commands::policy::{
    Change, Changes, Explanation, Outcome, Phase, PolicyEntry, PolicyList, PolicyLog, Target, TrialReport,
    View,
};
use crate::term::Term;
use iova_core::compat::Word;
use iova_core::inventory::Inventory;
use iova_core::model::{HostFigures, Latency, OrderLatency, SacControl};
use iova_core::policy::explain::{Answer, Facts, Plan, Window, Wish};
use iova_core::policy::history::Entry;
use iova_core::policy::module::{DevicePolicy, Effective, Origin, Staged, State};
use iova_core::policy::{Cause, Evidence, Policy, Refusal, Relation};
use std::time::Duration;

const PLAIN: Term = Term { width: 80, color: false, unicode: true };

fn host() -> HostFigures {
    HostFigures::new(&fixtures::inventory(), SacControl::DeviceFlag)
}

fn inventory() -> Inventory {
    fixtures::inventory()
}

fn staged() -> Staged {
    Staged {
        limit: 0x80_3fff_ffff,
        mechanisms: "flag limit flush".parse().unwrap(),
        held_bytes: 0,
        generation: 3,
    }
}

fn latency(values: &[(u64, u64)]) -> Latency {
    Latency::new(Some(&fixtures::histogram(values)))
}

/// A device whose large requests search in vain below 4 GiB, or no longer do.
fn phase(seconds: f64, cured: bool) -> Phase {
    let slow = if cured { 21_000 } else { 2_800_000 };
    let mut phase = Phase { duration_s: seconds, ..Phase::default() };
    let alloc = &mut phase.alloc;
    alloc.count = 24_000;
    alloc.high = if cured { 24_000 } else { 12_000 };
    alloc.slow_ratio = Some(0.5);
    alloc.sac_failed = Some(if cured { 0 } else { 12_000 });
    alloc.latency_ns = latency(&[(900, 12_000), (slow, 12_000)]);
    alloc.large_latency_ns = latency(&[(slow, 12_000)]);
    alloc.latency_by_order = vec![
        OrderLatency { order: 0, latency_ns: latency(&[(900, 12_000)]) },
        OrderLatency { order: 9, latency_ns: latency(&[(slow, 12_000)]) },
    ];
    phase.policy.effective_high_ratio = Some(if cured { 1.0 } else { 0.5 });
    phase.faults.count = Some(0);
    phase
}

fn trial(outcome: Outcome) -> TrialReport {
    let relation = Relation::Truncated { width: 39, live: 0x80_3fff_f000 };
    let evidence = Evidence { address: 0x3fff_f000, relation };
    let (cause, why, evidence, state) = match outcome {
        Outcome::Kept => (Cause::Commit, "confirmed by the user at the terminal", None, State::Active),
        Outcome::Reverted => (Cause::Abort, "the answer was no", None, State::Idle),
        Outcome::Quarantined => {
            let state = State::Quarantined {
                cause: Some(Cause::Fault),
                address: Some(evidence.address),
                relation: None,
            };
            (Cause::Fault, "the IOMMU stopped the device writing 0x3ffff000", Some(evidence), state)
        }
    };
    let kept = outcome == Outcome::Kept;
    TrialReport {
        schema: "iova.policy.try",
        schema_version: 1,
        host: host(),
        device: Target::from(&inventory().devices[2]),
        former: Policy::Stock,
        policy: Policy::Dac(40),
        staged: staged(),
        outcome,
        cause,
        why: why.into(),
        confirmed_by: None,
        lasted_s: 60.2,
        before: phase(3.0, false),
        after: phase(58.7, true),
        last: phase(1.0, true),
        settled_s: 0.4,
        flushes: 7,
        evidence,
        notes: Vec::new(),
        unmeasured: Vec::new(),
        command: None,
        effective: Some(if kept { Effective::FullRange(40) } else { Effective::SacFirst(64) }),
        state: Some(state),
        mapped_high_bytes: Some(1 << 20),
    }
}

fn policies(module: bool) -> PolicyList {
    let policy = |policy, state, origin| DevicePolicy {
        policy,
        cap: Some(43),
        effective: Effective::FullRange(40),
        state,
        origin,
        mechanisms: "flag limit flush".parse().unwrap(),
        generation: 7,
        held_bytes: 0,
    };
    let entry = |index: usize, policy| PolicyEntry {
        device: Target::from(&inventory().devices[index]),
        group: 3,
        dma_mask_bits: Some(64),
        kernel: Some("sac-first"),
        policy,
        allocations: module.then_some(24_000),
        effective_high_ratio: module.then_some(1.0),
    };
    let lease = Origin::Lease { process: "iova[4711] 0".into() };
    let leased = policy(Policy::Dac(40), State::Leased { left_ms: 61_000 }, lease);
    let quarantined =
        State::Quarantined { cause: Some(Cause::Fault), address: Some(0x3fff_f000), relation: None };
    let quarantined = policy(Policy::Stock, quarantined, Origin::Kernel);
    PolicyList {
        schema: "iova.policy.show",
        schema_version: 1,
        host: host(),
        module,
        module_version: module.then(|| "0.1.0".into()),
        measured_s: module.then_some(1.0),
        devices: vec![entry(1, module.then_some(leased)), entry(2, module.then_some(quarantined))],
        missing: Vec::new(),
    }
}

fn explanation(answer: Answer) -> Explanation {
    explanation_with(answer, Word::default())
}

fn explanation_with(answer: Answer, word: Word) -> Explanation {
    let device = inventory().devices[2].clone();
    let wish = Wish { flush: true, ..Wish::new(&device.bdf, Policy::Dac(40)) };
    let facts = Facts {
        device: Some(device),
        mates: vec!["0000:01:00.1".into()],
        domain: None,
        now: None,
        is_root_disk: true,
        taken: Vec::new(),
        direct: Vec::new(),
        listed: Ok(word),
    };
    let window = Window { top: 0x3fff_ffff, room_bytes: 1 << 30 };
    let plan = Plan::new(&facts, &wish, Some(Ok(window)), answer);
    let refused = plan.request().err().map(|why| why.to_string());
    Explanation { schema: "iova.policy.explain", schema_version: 1, plan, refused }
}

fn log() -> PolicyLog {
    let lines = [
        r#"{"time_ns":1795423432000000000,"boot":"b","source":"tool","action":"try","device":"0000:01:00.0","identity":"144d:a80a:144d:a801","policy":"dac:40","who":{"user":"ada","uid":0,"pid":4711},"reason":"ticket 7"}"#,
        r#"{"time_ns":1795423433000000000,"boot":"b","source":"kernel","seq":1,"device":"0000:01:00.0","id":"144d:a80a","cause":"stage","old":"stock","new":"dac:40","generation":3,"loginuid":1000,"uid":0,"pid":4711,"comm":"iova"}"#,
        r#"{"time_ns":1795423434000000000,"boot":"b","source":"gap","from_seq":2,"to_seq":8}"#,
        r#"{"time_ns":1795423435000000000,"boot":"b","source":"kernel","seq":9,"device":"0000:01:00.0","id":"144d:a80a","cause":"fault","old":"dac:40","new":"stock","generation":4,"uid":0,"pid":4711,"comm":"iova","evidence":{"address":"0x3ffff000","relation":{"truncated":{"width":39,"live":"0x803ffff000"}}}}"#,
        r#"{"time_ns":1795423436000000000,"boot":"b","source":"kernel","seq":10,"device":"0000:01:00.0","id":"144d:a80a","cause":"refused","refusal":"quarantined","old":"stock","new":"dac:40","generation":4,"uid":0,"pid":4712,"comm":"iova"}"#,
    ];
    let entries = lines.map(|line| serde_json::from_str::<Entry>(line).unwrap());
    PolicyLog { schema: "iova.policy.log", schema_version: 1, entries: entries.to_vec(), unreadable: 1 }
}

fn changes() -> Changes {
    let change = Change {
        device: Target::from(&inventory().devices[2]),
        done: true,
        old: Some(Policy::Dac(40)),
        new: Some(Policy::Stock),
        effective: Some(Effective::SacFirst(64)),
        state: Some(State::Idle),
        mapped_high_bytes: Some(128 << 10),
        text: "what is mapped high stays until its driver unmaps it".into(),
    };
    let busy = Change { done: false, text: "it is on trial by iova[4711] 0".into(), ..change.clone() };
    Changes { schema: "iova.policy.revert", schema_version: 1, changes: vec![change, busy] }
}

#[test]
fn trials() {
    insta::assert_snapshot!("trial_kept", Text::new(PLAIN).trial(&trial(Outcome::Kept)).unwrap());
    insta::assert_snapshot!(
        "trial_quarantined",
        Text::new(PLAIN).trial(&trial(Outcome::Quarantined)).unwrap()
    );
    insta::assert_snapshot!("trial_json", Json.trial(&trial(Outcome::Quarantined)).unwrap());
}

#[test]
fn a_trial_on_its_way() {
    let (before, after, last) = (phase(3.0, false), phase(41.0, true), phase(1.0, true));
    let device = &inventory().devices[2];
    let view = View {
        policy: Policy::Dac(40),
        device,
        elapsed: Duration::from_secs(42),
        left: Some(Duration::from_secs(558)),
        flushes: Some(7),
        before: &before,
        after: &after,
        last: &last,
    };
    insta::assert_snapshot!("trial_view", Text::new(PLAIN).trial_view(&view));
    insta::assert_snapshot!("trial_line", Text::new(PLAIN).trial_line(&view));
}

#[test]
fn lists_with_and_without_the_module() {
    insta::assert_snapshot!("policies", Text::new(PLAIN).policies(&policies(true)).unwrap());
    insta::assert_snapshot!(
        "policies_wide",
        Text::new(Term { width: 120, ..PLAIN }).policies(&policies(true)).unwrap()
    );
    insta::assert_snapshot!("policies_without_module", Text::new(PLAIN).policies(&policies(false)).unwrap());
    insta::assert_snapshot!("policies_json", Json.policies(&policies(true)).unwrap());
}

#[test]
fn explanations() {
    let would = explanation(Answer::Would(staged()));
    insta::assert_snapshot!("explained", Text::new(PLAIN).explanation(&would).unwrap());
    insta::assert_snapshot!("explained_json", Json.explanation(&would).unwrap());
    let refused = explanation(Answer::Refuses(Refusal::SharedGroup));
    insta::assert_snapshot!("explained_refusal", Text::new(PLAIN).explanation(&refused).unwrap());
    let mut cap = super::compat_tests::cap();
    cap.width = 36;
    let word = Word { cap: Some(36), entries: vec![cap], ..Word::default() };
    let listed = explanation_with(Answer::Would(staged()), word);
    insta::assert_snapshot!("explained_listed", Text::new(PLAIN).explanation(&listed).unwrap());
}

#[test]
fn history() {
    insta::assert_snapshot!("policy_log", Text::new(PLAIN).policy_log(&log()).unwrap());
}

#[test]
fn done_and_not_done() {
    insta::assert_snapshot!("changes", Text::new(PLAIN).changes(&changes()).unwrap());
    insta::assert_snapshot!("changes_json", Json.changes(&changes()).unwrap());
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in [76, 80, 120] {
        let text = Text::new(Term { width, color: false, unicode: false });
        let pages = [
            text.trial(&trial(Outcome::Quarantined)),
            text.policies(&policies(true)),
            text.explanation(&explanation(Answer::Would(staged()))),
            text.policy_log(&log()),
            text.changes(&changes()),
        ];
        for line in pages.map(Result::unwrap).iter().flat_map(|page| page.lines()) {
            assert!(line.chars().count() <= width && line.is_ascii(), "{width}: {line:?}");
        }
    }
}
