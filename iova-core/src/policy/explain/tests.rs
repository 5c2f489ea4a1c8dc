//! Plans of recorded domains. The ranges of `q35` are what a 1 GiB QEMU q35 guest has: its PCI windows, MSI, and mappings
//! from the top down.

use super::*;
use crate::compat::Word;
use crate::finding::Severity;
use crate::model::testdata;
use crate::policy::module::{DevicePolicy, Effective, Origin, State};
use crate::policy::{Mechanism, Mechanisms};
use crate::snapshot::{DomainState, LowSpace, Range, RangeKind};

const DEVICE: &str = "0000:00:04.0";

fn range(first: u64, last: u64, kind: RangeKind) -> Range {
    Range { pfn_lo: first >> 12, pfn_hi: last >> 12, kind }
}

fn domain(ranges: Vec<Range>) -> DomainState {
    let pages = |kind| -> u64 {
        let low = ranges.iter().filter(|range| range.kind == kind && range.pfn_lo < 1 << 20);
        low.map(|range| range.pfn_hi + 1 - range.pfn_lo).sum()
    };
    let (live, cached, pending) =
        (pages(RangeKind::Live), pages(RangeKind::Cached), pages(RangeKind::Pending));
    let reserved = pages(RangeKind::Reserved) + 1;
    let free = (1 << 20) - live - cached - pending - reserved;
    let low = LowSpace { reserved, live, cached, pending, free, ..LowSpace::default() };
    DomainState { ranges: ranges.into(), low, lazy: false, ..testdata::state() }
}

fn q35() -> DomainState {
    domain(vec![
        range(0x4000_0000, 0xfebf_ffff, RangeKind::Reserved),
        range(0xfee0_0000, 0xfeef_ffff, RangeKind::Reserved),
        range(0xfff0_0000, 0xfff7_ffff, RangeKind::Cached),
        range(0xfff8_0000, 0xffff_ffff, RangeKind::Live),
        range(0x1_0000_0000, 0x8_ffff_ffff, RangeKind::Reserved),
    ])
}

fn facts(domain: DomainState) -> Facts {
    Facts {
        device: Some(testdata::nvme()),
        mates: Vec::new(),
        domain: Some(domain),
        now: Some(managed(0)),
        is_root_disk: false,
        taken: Vec::new(),
        direct: Vec::new(),
        listed: Ok(Word::default()),
    }
}

fn managed(held_bytes: u64) -> DevicePolicy {
    DevicePolicy {
        policy: Policy::Stock,
        cap: None,
        effective: Effective::SacFirst(48),
        state: State::Idle,
        origin: Origin::Kernel,
        mechanisms: Mechanisms::from_bits(3),
        generation: 7,
        held_bytes,
    }
}

fn wish(policy: Policy) -> Wish {
    Wish::new(DEVICE, policy)
}

fn window(facts: &Facts) -> Result<Window, NoWindow> {
    window::choose(facts, &wish(Policy::Dac(40))).unwrap()
}

fn would(mechanisms: &[Mechanism]) -> Answer {
    let mechanisms = mechanisms.iter().copied().collect();
    Answer::Would(Staged { limit: 0x80_3fff_ffff, mechanisms, held_bytes: 0, generation: 7 })
}

fn plan_of(facts: &Facts, wish: &Wish, answer: Answer) -> Plan {
    Plan::new(facts, wish, window::choose(facts, wish), answer)
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.hazards.iter().map(|hazard| hazard.id).collect()
}

fn severity(plan: &Plan, id: &str) -> Severity {
    plan.hazards.iter().find(|hazard| hazard.id == id).map(|hazard| hazard.severity).unwrap()
}

#[test]
fn the_window_ends_below_the_bridge_windows() {
    let window = window(&facts(q35())).unwrap();
    assert_eq!(window, Window { top: 0x3fff_ffff, room_bytes: 0x4000_0000 - 0x1000 });
}

#[test]
fn bars_and_mappings_move_the_window() {
    let mut facts = facts(q35());
    facts.taken = vec![(0x1000_0000, 0x1000_0fff), (0x3f00_0000, 0x3fff_ffff)];
    assert_eq!(window(&facts).unwrap().top, 0x3eff_ffff);
    let mut ranges = q35().ranges.to_vec();
    ranges.insert(0, range(0x1000_0000, 0x1000_1fff, RangeKind::Pending));
    let before = window(&super::tests::facts(domain(ranges))).unwrap();
    assert_eq!((before.top, before.room_bytes), (0x3fff_ffff, 0x2fff_e000));
}

#[test]
fn who_still_gets_low_addresses_keeps_the_upper_half() {
    let mut shared = facts(q35());
    shared.mates = vec!["0000:00:05.0".into()];
    assert_eq!(window(&shared).unwrap().top, 0x1fff_ffff);
    let mut coherent = facts(q35());
    coherent.device.as_mut().unwrap().coherent_mask_bits = Some(32);
    assert_eq!(window(&coherent).unwrap().top, 0x1fff_ffff);
}

#[test]
fn a_full_space_leaves_the_holes_of_the_pci_window() {
    let mut ranges = q35().ranges.to_vec();
    ranges.insert(0, range(0x1000, 0x3fff_ffff, RangeKind::Live));
    let mut full = facts(domain(ranges));
    // The largest hole beside the devices' own places.
    full.taken = vec![(0x8000_0000, 0x83ff_ffff), (0xb000_0000, 0xbfff_ffff)];
    let hole = window(&full).unwrap();
    assert_eq!(hole, Window { top: 0x7fff_ffff, room_bytes: 0x4000_0000 });
    // What a fill holds looks like mappings; the holes are the same.
    full.now = Some(managed(0x1000_0000));
    assert_eq!(window(&full).unwrap(), hole);
}

#[test]
fn no_window_without_room_or_sight() {
    let full = domain(vec![range(0x100_0000, 0xffff_ffff, RangeKind::Live)]);
    assert_eq!(window(&facts(full)), Err(NoWindow::TooSmall { largest_bytes: 0x100_0000 - 0x1000 }));
    let mut blind = facts(q35());
    blind.domain = None;
    assert_eq!(window(&blind), Err(NoWindow::Unseen));
    let plan = plan_of(&blind, &wish(Policy::Dac(40)), would(&[]));
    assert_eq!(plan.request(), Err(NotAdvisable::NoWindow(NoWindow::Unseen)));
    assert!(plan.no_window.unwrap().contains("--whole"));
    let whole = Wish { whole: true, ..wish(Policy::Dac(40)) };
    assert_eq!(plan_of(&blind, &whole, would(&[])).request().unwrap().window, None);
}

#[test]
fn what_the_module_holds_is_not_in_use() {
    let full = domain(vec![range(0x1000, 0xffff_ffff, RangeKind::Live)]);
    let held = (1 << 32) - 0x1000;
    let mut facts = facts(full);
    facts.now = Some(managed(held));
    let low = facts.low_use().unwrap();
    assert_eq!((low.live_bytes, low.held_bytes), (0, held));
    assert_eq!(window(&facts).unwrap().top, Window::DEFAULT_TOP);
    facts.now = Some(managed(held - 0x5000));
    assert_eq!(window(&facts), Err(NoWindow::Filled { live_bytes: 0x5000 }));
}

#[test]
fn a_plan_becomes_a_request() {
    let wish = Wish { flush: true, ..wish(Policy::Dac(40)) };
    let plan = plan_of(&facts(q35()), &wish, would(&[Mechanism::Flag, Mechanism::Limit]));
    let request = plan.request().unwrap();
    assert_eq!((request.bdf.to_string().as_str(), request.generation), (DEVICE, Some(7)));
    assert_eq!((request.policy, request.window, request.flush), (Policy::Dac(40), Some(0x3fff_ffff), true));
    assert!(
        plan.changes[0].contains("flag") && plan.changes[0].contains("bus_dma_limit"),
        "{:?}",
        plan.changes
    );
    assert!(plan.lasting.iter().any(|line| line.contains("rings")), "{:?}", plan.lasting);
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["policy"], "dac:40");
    assert_eq!(json["window"]["top"], 0x3fff_ffff);
    assert_eq!(json["now"]["state"]["name"], "idle");
}

#[test]
fn refusals_and_a_missing_module_give_no_request() {
    let facts = facts(q35());
    let refused = plan_of(&facts, &wish(Policy::Dac(40)), Answer::Refuses(Refusal::SharedGroup));
    assert_eq!(refused.request(), Err(NotAdvisable::Refused { reason: Refusal::SharedGroup }));
    assert_eq!(refused.refusal, Some(Refusal::SharedGroup));
    let absent = plan_of(&facts, &wish(Policy::Dac(40)), Answer::NotAsked);
    assert!(absent.request().unwrap_err().to_string().contains("modprobe iova_policy"));
    let platform = Wish::new("platform-dma", Policy::Cap(40));
    assert!(matches!(plan_of(&facts, &platform, would(&[])).request(), Err(NotAdvisable::NoAddress(_))));
}

#[test]
fn a_healthy_case_has_no_hazard_beyond_notes() {
    let mut domain = q35();
    let kept = domain.ranges.iter().copied().filter(|range| range.kind != RangeKind::Cached);
    domain.ranges = kept.collect();
    domain.low.cached = 0;
    let plan = plan_of(&facts(domain), &wish(Policy::Dac(40)), would(&[Mechanism::Flag, Mechanism::Limit]));
    assert_eq!(ids(&plan), [""; 0]);
}

#[test]
fn hazards_of_dac() {
    let mut facts = facts(q35());
    facts.is_root_disk = true;
    facts.direct = vec![(0x9f00_0000, 0x9fff_ffff)];
    facts.mates = vec!["0000:00:05.0".into()];
    facts.domain.as_mut().unwrap().lazy = true;
    facts.device.as_mut().unwrap().coherent_mask_bits = Some(32);
    let plan = plan_of(&facts, &wish(Policy::Dac(40)), would(&[Mechanism::Fill, Mechanism::Limit]));
    let expected = [
        "root-disk",
        "direct-region",
        "coherent-mask",
        "shared-group",
        "lazy-unmap",
        "cached-low",
        "fill-cost",
    ];
    assert_eq!(ids(&plan), expected);
    assert_eq!(severity(&plan, "coherent-mask"), Severity::Critical);
    let flagged = plan_of(&facts, &wish(Policy::Dac(40)), would(&[Mechanism::Flag]));
    assert_eq!(severity(&flagged, "coherent-mask"), Severity::Note);
    let cap = plan_of(&facts, &wish(Policy::Cap(40)), would(&[Mechanism::Limit]));
    assert_eq!(ids(&cap), ["root-disk", "shared-group"]);
    assert!(ids(&plan_of(&facts, &wish(Policy::Stock), would(&[]))).is_empty());
}

#[test]
fn without_a_window_low_mappings_are_aliases() {
    let whole = Wish { whole: true, flush: true, ..wish(Policy::Dac(40)) };
    let plan = plan_of(&facts(q35()), &whole, would(&[Mechanism::Flag]));
    assert_eq!((ids(&plan), severity(&plan, "low-aliases")), (vec!["low-aliases"], Severity::Critical));
}

#[test]
fn a_domain_larger_than_its_window_spills() {
    let mut ranges = q35().ranges.to_vec();
    ranges.push(range(0x9_0000_0000, 0x9_7fff_ffff, RangeKind::Live));
    let plan = plan_of(&facts(domain(ranges)), &wish(Policy::Dac(40)), would(&[]));
    assert!(ids(&plan).contains(&"window-outgrown"), "{:?}", ids(&plan));
}

#[test]
fn strict32_is_weighed_against_present_use() {
    let mut ranges = q35().ranges.to_vec();
    ranges.push(range(0x9_0000_0000, 0x9_3fff_ffff, RangeKind::Live));
    let facts = facts(domain(ranges));
    let plan = plan_of(&facts, &wish(Policy::STRICT32), would(&[Mechanism::Limit]));
    assert_eq!((ids(&plan), severity(&plan, "exhaustion")), (vec!["exhaustion"], Severity::Critical));
    assert!(plan.lasting[0].contains("1 GiB mapped above the limit"), "{:?}", plan.lasting);
    assert_eq!(ids(&plan_of(&facts, &wish(Policy::Cap(40)), would(&[Mechanism::Limit]))), [""; 0]);
}

#[test]
fn every_hazard_is_a_sentence() {
    let mut facts = facts(q35());
    facts.is_root_disk = true;
    let plan = plan_of(&facts, &wish(Policy::Dac(40)), would(&[Mechanism::Mask]));
    assert!(plan.hazards.len() >= 3);
    for hazard in &plan.hazards {
        assert!(hazard.text.ends_with('.') && hazard.text.len() > 40, "{hazard:?}");
    }
}

/// A cap of the list at `width` bits, which a bound driver's mask of `mask_bits` keeps or does not.
fn word_of(width: u8, mask_bits: Option<u8>) -> Word {
    use crate::compat::{Entry, EvidenceKind, Failure, Knowledge, Origin, Verdict};
    let kernel = mask_bits.map_or(Knowledge::Unclear, |bits| match bits <= width {
        true => Knowledge::Mask { bits },
        false => Knowledge::No { mask_bits: Some(bits) },
    });
    let entry = Entry {
        origin: Origin::Shipped,
        id: "maker-part".into(),
        name: "Maker Part".into(),
        verdict: Verdict::Cap,
        width,
        failure: Some(Failure::Truncated),
        evidence: EvidenceKind::Report,
        note: "It drops bits.".into(),
        reference: None,
        holds_here: true,
        applied: true,
        kernel: Some(kernel),
    };
    Word { cap: Some(width), entries: vec![entry], ..Word::default() }
}

#[test]
fn the_list_forbids_wider_until_it_is_overruled() {
    let mut facts = facts(q35());
    facts.listed = Ok(word_of(36, Some(64)));
    let plan = plan_of(&facts, &wish(Policy::Dac(40)), would(&[Mechanism::Flag]));
    assert_eq!((plan.hazards[0].id, plan.hazards[0].severity), ("listed", Severity::Critical));
    let why = plan.request().unwrap_err().to_string();
    assert!(why.contains("at most 36 bits") && why.contains("--beyond-list"), "{why}");
    assert_eq!(
        plan.listed.as_deref(),
        Some("Maker Part: at most 36 bits, because the device drops high address bits (a report)")
    );
    let beyond = Wish { beyond_list: true, ..wish(Policy::Dac(40)) };
    let plan = plan_of(&facts, &beyond, would(&[Mechanism::Flag]));
    assert!(plan.request().is_ok() && ids(&plan).contains(&"listed"), "overruled, and still told");
    for (policy, severity) in [
        (Policy::Dac(36), None),
        (Policy::Cap(36), None),
        (Policy::Cap(40), Some(Severity::Warning)),
        (Policy::Stock, Some(Severity::Warning)),
    ] {
        let plan = plan_of(&facts, &wish(policy), would(&[Mechanism::Flag]));
        assert!(plan.request().is_ok(), "{policy}");
        assert_eq!(
            plan.hazards.iter().find(|it| it.id == "listed").map(|it| it.severity),
            severity,
            "{policy}"
        );
    }
}

#[test]
fn what_the_kernel_keeps_to_by_itself_forbids_nothing() {
    let mut facts = facts(q35());
    facts.listed = Ok(word_of(36, Some(36)));
    let plan = plan_of(&facts, &wish(Policy::Dac(40)), would(&[Mechanism::Flag]));
    assert_eq!((severity(&plan, "listed"), plan.request().is_ok()), (Severity::Note, true));
    facts.listed = Ok(word_of(36, None));
    assert!(plan_of(&facts, &wish(Policy::Dac(40)), would(&[])).request().is_err(), "in doubt no");
}

#[test]
fn local_records_that_nobody_understands_forbid_what_is_wider() {
    let mut facts = facts(q35());
    facts.listed = Err("/etc/iova/compat.d/x.toml:3: nonsense".into());
    let plan = plan_of(&facts, &wish(Policy::Dac(40)), would(&[]));
    assert!(plan.request().unwrap_err().to_string().contains("x.toml:3"));
    assert!(plan_of(&facts, &wish(Policy::Cap(40)), would(&[])).request().is_ok());
    let beyond = Wish { beyond_list: true, ..wish(Policy::Dac(40)) };
    assert!(plan_of(&facts, &beyond, would(&[])).request().is_ok());
}

#[test]
fn facts_of_a_recorded_machine() {
    let dir = crate::policy::testdir::TestDir::new("facts");
    let group = "sys/bus/pci/devices/0000:00:04.0";
    dir.file(
        &format!("{group}/resource"),
        "0x00000000febd4000 0x00000000febd7fff 0x0000000000140204\n0x1 0x8 0x101\n0x0 0x0 0x0\n",
    );
    dir.file(&format!("{group}/iova_policy/policy"), "dac:40\n");
    dir.file(&format!("{group}/iova_policy/state"), "leased\n");
    dir.file(&format!("{group}/iova_policy/lease_ms"), "500\n");
    dir.file(&format!("{group}/iova_policy/held"), "4096\n");
    dir.file(
        "sys/kernel/iommu_groups/4/reserved_regions",
        "0x00000000000e0000 0x00000000000fffff direct\n0x00000000fee00000 0x00000000feefffff msi\n",
    );
    let mut inventory = testdata::inventory();
    let mut mate = testdata::nvme();
    mate.bdf = "0000:00:05.0".into();
    inventory.devices.push(mate);
    let facts = Facts::gather(&dir.root(), &inventory, &testdata::snapshot(), &wish(Policy::Dac(40)));
    assert_eq!(facts.mates, ["0000:00:05.0"]);
    assert_eq!(facts.direct, [(0xe_0000, 0xf_ffff)]);
    assert_eq!(facts.taken, [(0xfebd_4000, 0xfebd_7fff), (0xe_0000, 0xf_ffff), (0xfee0_0000, 0xfeef_ffff)]);
    assert!(facts.domain.is_some() && !facts.is_root_disk);
    let now = facts.now.as_ref().unwrap();
    assert_eq!(
        (now.policy, &now.state, facts.held_bytes()),
        (Policy::Dac(40), &State::Leased { left_ms: 500 }, 4096)
    );
    let gone = Facts::gather(
        &dir.root(),
        &inventory,
        &testdata::snapshot(),
        &Wish::new("0000:00:09.0", Policy::Stock),
    );
    assert!(gone.device.is_none() && gone.domain.is_none() && gone.now.is_none());
}
