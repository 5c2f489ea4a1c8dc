//! Each finding fires on what it is for, and keeps quiet on a healthy device.

use super::{Finding, Severity, check};
use crate::inventory::{Configured, DomainType, Inventory};
use crate::metric;
use crate::model::testdata::{self, NVME, counters, domain_counters, histogram, sample, state};
use crate::model::{Figures, HostFigures, Model, Report, SacControl};
use crate::policy::module::{DevicePolicy, Effective, Origin, State};
use crate::policy::{Mechanisms, Policy};
use crate::sample::{DeviceCounters, DomainCounters, Event, What};
use crate::snapshot::{DomainState, Snapshot};
use iova_common::agg::ORDERS;

/// What a test may change about a healthy host.
struct Case {
    control: SacControl,
    inventory: Inventory,
    counters: DeviceCounters,
    domain: DomainCounters,
    /// At the end, and at the start unless `start` differs.
    state: DomainState,
    start: Option<DomainState>,
    events: Vec<What>,
}

impl Case {
    fn healthy() -> Self {
        Self {
            control: SacControl::Global,
            inventory: testdata::inventory(),
            counters: counters(),
            domain: domain_counters(),
            state: state(),
            start: None,
            events: Vec::new(),
        }
    }

    fn on(control: SacControl) -> Self {
        Self { control, ..Self::healthy() }
    }

    fn report(self) -> Report {
        let snapshot = |state| Snapshot { domains: vec![state], ..Snapshot::default() };
        let start = snapshot(self.start.unwrap_or_else(|| self.state.clone()));
        let mut model = Model::new(self.inventory.clone(), Some(start), sample(0, Vec::new(), Vec::new()));
        let mut last = sample(10_000_000_000, vec![self.counters], vec![self.domain]);
        let event = |what| Event { ns: 1, cpu: 0, dev: NVME.0, iovad: NVME.1, what };
        last.events = self.events.into_iter().map(event).collect();
        model.feed(last);
        let end = snapshot(self.state);
        let host = HostFigures::new(&self.inventory, self.control);
        Report::new(host, "full".into(), model.figures(Some(&end)))
    }

    fn findings(self) -> Vec<Finding> {
        self.report().findings
    }

    fn finding(self, id: &str) -> Finding {
        let findings = self.findings();
        let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
        findings.into_iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id} in {ids:?}"))
    }

    /// `share` of the 32-bit capacity goes to live, cached and pending pages.
    fn used(mut self, live: f64, cached: f64, pending: f64) -> Self {
        let low = &mut self.state.low;
        let capacity = (1 << 20) - low.reserved;
        let pages = |share: f64| (share * capacity as f64) as u64;
        (low.live, low.cached, low.pending) = (pages(live), pages(cached), pages(pending));
        low.free = capacity - low.live - low.cached - low.pending;
        self
    }

    /// `failed` of all SAC attempts found nothing, and the addresses went high.
    fn refused(mut self, failed: u64) -> Self {
        self.counters.alloc.sac_failed = Some(failed);
        self.counters.alloc.high = failed;
        self.counters.alloc.tree_failed = failed;
        self
    }

    fn requests(mut self, orders: &[(usize, u64)], slow: u64) -> Self {
        self.counters.alloc.by_order = [0; ORDERS];
        for &(order, count) in orders {
            self.counters.alloc.by_order[order] = count;
        }
        let all: u64 = orders.iter().map(|&(_, count)| count).sum();
        self.counters.alloc.slow = slow;
        self.counters.free.count = all;
        self
    }
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id).collect()
}

#[test]
fn a_healthy_device_gives_no_findings() {
    assert_eq!(ids(&Case::healthy().findings()), [""; 0]);
    assert_eq!(ids(&Case::on(SacControl::DeviceFlag).findings()), [""; 0]);
}

#[test]
fn the_cliff_is_named_where_every_request_searches_in_vain() {
    let mut case = Case::healthy().used(0.9, 0.05, 0.0).refused(900);
    case.state.low.aligned_blocks[6] = 0;
    case.counters.alloc.latency = histogram(&[(45_000, 900), (250_000, 110)]);
    let finding = case.finding("low-space-cliff");
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.device.as_deref(), Some("0000:00:04.0"));
    for word in ["900 of 1,010", "(89%)", "no aligned block of 256 KiB", "at the median", "each such request"]
    {
        assert!(finding.text.contains(word), "{word:?} in {}", finding.text);
    }
    for word in ["echo 128 > /sys/block/nvme0n1/queue/max_sectors_kb", "iommu.forcedac=1"] {
        assert!(finding.action.contains(word), "{word:?} in {}", finding.action);
    }
    assert!(finding.risk.unwrap().contains("corruption"));
}

#[test]
fn advice_fits_what_the_kernel_offers() {
    let action = |control| Case::on(control).refused(900).finding("low-space-cliff").action;
    assert!(action(SacControl::IntelGlobal).contains("intel_iommu=forcedac"));
    assert!(!action(SacControl::Fixed).contains("forcedac"));
    let quiet = Case::on(SacControl::DeviceFlag).refused(900).findings();
    assert!(!ids(&quiet).contains(&"low-space-cliff"), "the flag ends it after one failure");
    assert!(ids(&quiet).contains(&"sac-failures"));
}

#[test]
fn the_trial_of_one_device_comes_first_where_it_helps() {
    let action = |change: fn(&mut Case)| {
        let mut case = Case::on(SacControl::Global).refused(900);
        change(&mut case);
        case.finding("low-space-cliff").action
    };
    assert!(
        action(|_| {}).contains("iova policy try 0000:00:04.0 dac:40 --flush (with the module iova_policy")
    );
    let loaded = action(|case| case.inventory.devices[0].managed = Some(managed(Policy::Stock, 0)));
    assert!(loaded.contains("dac:40 --flush; for all PCI devices"), "{loaded}");
    assert!(action(|case| case.inventory.devices[0].dma_mask_bits = Some(36)).contains("dac:36"));
    assert!(!action(|case| case.inventory.devices[0].dma_mask_bits = Some(32)).contains("iova policy"));
    assert!(!action(|case| case.control = SacControl::IntelGlobal).contains("iova policy"));
    let fixed = Case::on(SacControl::Fixed).refused(900).finding("low-space-cliff");
    assert!(fixed.action.contains("iova policy try") && fixed.risk.is_some());
    let full = Case::healthy().used(0.9, 0.0, 0.0).finding("low-space-nearly-full");
    assert!(full.action.contains("iova policy try 0000:00:04.0 dac:40"), "{}", full.action);
}

/// dac by fill: the space below 4 GiB is held, every attempt there fails, and that is as it should be.
#[test]
fn a_fill_is_no_pressure() {
    let mut case = Case::on(SacControl::Global).used(0.9999, 0.0, 0.0).refused(1010);
    case.state.low.aligned_blocks = [0; ORDERS];
    let held = (case.state.low.live - 100) * 4096;
    case.start = Some(state());
    case.inventory.devices[0].managed = Some(managed(Policy::Dac(40), held));
    case.inventory.devices[0].configured = Some(Configured::FullRange);
    case.events = vec![What::FellBack { addr: 0x80_7fff_f000, size: 4096 }];
    let report = case.report();
    assert_eq!(ids(&report.findings), [""; 0]);
    let low = &report.devices[0].low_space;
    assert_eq!((low.held_bytes, low.live_bytes), (Some(held), Some(100 * 4096)));
    assert!(low.pressure < Some(0.01) && low.peak_used_bytes < Some(1 << 30), "{low:?}");
    assert_eq!(report.devices[0].policy.set.as_deref(), Some("dac:40"));
}

#[test]
fn what_somebody_wanted_is_no_fallback() {
    let mut case = Case::on(SacControl::DeviceFlag);
    case.inventory.devices[0].configured = Some(Configured::FullRange);
    case.inventory.devices[0].managed = Some(managed(Policy::Dac(40), 0));
    assert_eq!(ids(&case.findings()), [""; 0]);
    let mut capped = Case::healthy();
    capped.inventory.devices[0].configured = Some(Configured::Low);
    capped.inventory.devices[0].managed = Some(managed(Policy::STRICT32, 0));
    let finding = capped.finding("confined-32-bit");
    assert!(finding.text.contains("its policy is cap:32"), "{}", finding.text);
    assert!(finding.action.contains("iova policy revert 0000:00:04.0"), "{}", finding.action);
}

fn managed(policy: Policy, held_bytes: u64) -> DevicePolicy {
    DevicePolicy {
        policy,
        cap: None,
        effective: Effective::FullRange(40),
        state: State::Active,
        origin: Origin::Kernel,
        mechanisms: Mechanisms::default(),
        generation: 1,
        held_bytes,
    }
}

#[test]
fn a_few_failed_attempts_are_a_warning() {
    assert_eq!(Case::healthy().refused(3).finding("low-space-cliff").severity, Severity::Warning);
}

#[test]
fn the_fallback_is_reported_with_its_width() {
    let mut case = Case::on(SacControl::DeviceFlag).refused(1);
    case.counters.alloc.high = 800;
    case.events = vec![What::FellBack { addr: 0xffff_ffff_f000, size: 4096 }];
    let report = case.report();
    assert_eq!(ids(&report.findings), ["fell-back-64-bit"], "and no sac-failures beside it");
    let finding = &report.findings[0];
    assert_eq!(finding.severity, Severity::Warning);
    assert!(
        finding.text.contains("Using 64-bit DMA addresses") && finding.text.contains("79%"),
        "{}",
        finding.text
    );
}

#[test]
fn going_high_for_one_request_is_no_fallback() {
    let mut case = Case::on(SacControl::Global).refused(1);
    case.events = vec![What::FellBack { addr: 0xffff_ffff_f000, size: 4096 }];
    assert_eq!(ids(&case.findings()), ["low-space-cliff"]);
}

#[test]
fn an_earlier_fallback_is_told_from_forcedac() {
    let with = |cmdline: &str| {
        let mut case = Case::on(SacControl::DeviceFlag);
        case.inventory.devices[0].configured = Some(Configured::FullRange);
        case.inventory.host.cmdline = vec![cmdline.into()];
        case.findings()
    };
    let earlier = with("quiet");
    assert_eq!(ids(&earlier), ["fell-back-64-bit"]);
    assert_eq!(earlier[0].severity, Severity::Info);
    assert_eq!(ids(&with("iommu.forcedac=1")), [""; 0]);
}

#[test]
fn a_nearly_full_space_names_its_holder() {
    let live = Case::healthy().used(0.85, 0.0, 0.0).finding("low-space-nearly-full");
    assert_eq!(live.severity, Severity::Warning);
    assert!(live.text.contains("85%") && live.text.contains("mapped by devices"), "{}", live.text);
    let critical = Case::healthy().used(0.97, 0.0, 0.0).refused(5).finding("low-space-nearly-full");
    assert_eq!(critical.severity, Severity::Critical);
    assert!(!ids(&Case::healthy().used(0.79, 0.0, 0.0).findings()).contains(&"low-space-nearly-full"));
}

#[test]
fn fragmentation_is_judged_by_aligned_blocks_of_sizes_in_use() {
    let mut case = Case::healthy();
    case.state.low.aligned_blocks[6] = 1;
    let finding = case.finding("low-space-fragmented");
    assert!(finding.text.contains("only 1 aligned block of 256 KiB"), "{}", finding.text);
    let mut unused = Case::healthy();
    unused.state.low.aligned_blocks[8] = 0;
    assert_eq!(ids(&unused.findings()), [""; 0], "nobody asks for 1 MiB");
    let mut full = Case::healthy().used(0.9995, 0.0, 0.0);
    full.state.low.aligned_blocks[6] = 0;
    assert!(!ids(&full.findings()).contains(&"low-space-fragmented"), "full is not fragmented");
}

#[test]
fn a_space_that_nobody_uses_any_more_is_no_warning() {
    let mut case = Case::on(SacControl::DeviceFlag).used(0.97, 0.0, 0.0);
    case.inventory.devices[0].configured = Some(Configured::FullRange);
    case.state.low.aligned_blocks[6] = 0;
    assert!(case.findings().iter().all(|finding| finding.severity == Severity::Info));
}

#[test]
fn caches_that_hold_scarce_space_are_named() {
    let finding = Case::healthy().used(0.5, 0.4, 0.0).refused(50).finding("cache-holds-space");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.action.contains("/sys/kernel/iommu_groups/4/type"));
    assert!(
        !ids(&Case::healthy().used(0.1, 0.4, 0.0).findings()).contains(&"cache-holds-space"),
        "half is free"
    );
}

#[test]
fn wrong_sizes_in_the_caches_are_found_after_an_mtu_change() {
    let mut case = Case::healthy().requests(&[(0, 5000)], 2000);
    case.state.cached_by_order = [100, 0, 40_000, 0, 0, 0];
    let finding = case.finding("wrong-size-cached");
    assert_eq!(finding.severity, Severity::Warning);
    for word in ["40,000 addresses of 16 KiB", "now ask for 4 KiB", "MTU"] {
        assert!(finding.text.contains(word), "{word:?} in {}", finding.text);
    }
    let mut right = Case::healthy().requests(&[(2, 5000)], 2000);
    right.state.cached_by_order = [100, 0, 40_000, 0, 0, 0];
    assert!(!ids(&right.findings()).contains(&"wrong-size-cached"));
    let mut harmless = Case::healthy().requests(&[(0, 5000)], 10);
    harmless.state.cached_by_order = [100, 0, 40_000, 0, 0, 0];
    assert_eq!(harmless.finding("wrong-size-cached").severity, Severity::Info);
}

#[test]
fn the_slow_path_counts_only_what_the_caches_could_have_answered() {
    let share = |slow| Case::healthy().requests(&[(0, 10_000)], slow);
    assert_eq!(share(2000).finding("slow-path").severity, Severity::Warning);
    assert_eq!(share(9000).finding("slow-path").severity, Severity::Critical);
    assert_eq!(ids(&share(200).findings()), [""; 0]);
    let mut cold = share(9000);
    cold.counters.free.count = 0;
    assert_eq!(ids(&cold.findings()), [""; 0], "fresh mappings have nothing to reuse");
    let mut filling = share(3000);
    filling.start = Some(state());
    filling.state.cached_by_order[0] += 3000;
    assert_eq!(ids(&filling.findings()), [""; 0], "each of these misses filled the caches");
    let large = Case::healthy().requests(&[(0, 10_000), (8, 9000)], 9000);
    assert!(!ids(&large.findings()).contains(&"slow-path"), "no cache could answer those");
}

#[test]
fn requests_that_no_cache_holds_are_reported_with_the_setting() {
    let finding = Case::healthy().requests(&[(0, 1000), (7, 1000)], 1000).finding("uncached-sizes");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.action.contains("max_sectors_kb"));
    assert_eq!(ids(&Case::healthy().requests(&[(0, 100_000), (7, 200)], 200).findings()), [""; 0]);
}

#[test]
fn cache_flushes_and_failures_are_reported() {
    let mut case = Case::healthy();
    case.inventory.devices[0].configured = Some(Configured::Low);
    case.counters.alloc.cache_flushes = 50;
    case.counters.alloc.failed = 50;
    let findings = case.findings();
    assert_eq!(ids(&findings), ["alloc-failures", "cache-flushes", "confined-32-bit"]);
    assert!(findings[0].action.contains("cannot leave"), "{}", findings[0].action);
    assert!(findings[1].text.contains("5.0 per second"), "{}", findings[1].text);
}

#[test]
fn a_confined_device_is_information_until_space_runs_short() {
    let confined = |live| {
        let mut case = Case::healthy().used(live, 0.0, 0.0);
        case.inventory.devices[0].configured = Some(Configured::Low);
        case.inventory.devices[0].dma_mask_bits = Some(32);
        case.finding("confined-32-bit")
    };
    assert_eq!(confined(0.1).severity, Severity::Info);
    assert_eq!(confined(0.6).severity, Severity::Warning);
    assert!(confined(0.1).text.contains("DMA mask of 32 bits"));
}

#[test]
fn flush_queues_that_hold_the_space_are_named() {
    let pending = |share| Case::healthy().used(0.1, 0.0, share);
    assert_eq!(pending(0.2).finding("flush-queue-holds-space").severity, Severity::Warning);
    assert_eq!(pending(0.5).finding("flush-queue-holds-space").severity, Severity::Critical);
    assert_eq!(ids(&pending(0.05).findings()), [""; 0]);
    let mut old = pending(0.2);
    old.control = SacControl::IntelGlobal;
    assert!(old.finding("flush-queue-holds-space").action.contains("intel_iommu=strict"));
}

#[test]
fn long_timers_and_lock_waits_are_reported() {
    let mut case = Case::healthy();
    case.domain.fq_timer = Some(histogram(&[(20_000, 100), (150_000_000, 1)]));
    case.domain.lock_wait = Some(histogram(&[(500_000, 10_000)]));
    let findings = case.findings();
    assert_eq!(ids(&findings), ["lock-contention", "long-flush-timer"]);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Critical));
    assert!(findings[0].text.contains("50% of one CPU"), "{}", findings[0].text);
}

#[test]
fn one_slow_timer_run_is_no_finding() {
    let with = |runs: &[(u64, u64)]| {
        let mut case = Case::healthy();
        case.domain.fq_timer = Some(histogram(runs));
        case.findings()
    };
    assert_eq!(ids(&with(&[(20_000, 1000), (4_000_000, 1)])), [""; 0]);
    assert_eq!(with(&[(20_000, 90), (4_000_000, 10)])[0].severity, Severity::Info);
    assert_eq!(with(&[(20_000, 1000), (14_000_000, 1)])[0].severity, Severity::Warning);
}

#[test]
fn faults_name_the_access_and_suspect_truncation() {
    let fault = |addr| What::Fault { addr, bdf: None, reason: Some(6), read: Some(true) };
    let mut plain = Case::healthy();
    plain.events = vec![fault(0xdead_8000)];
    let finding = plain.finding("dma-faults");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.text.contains("a read at 0xdead8000 (no read permission"), "{}", finding.text);
    let mut cut = Case::healthy();
    cut.counters.alloc.high = 1000;
    cut.events = vec![fault(0xffff_f000)];
    assert!(cut.finding("dma-faults").action.contains("drops high address bits"));
}

#[test]
fn passthrough_no_iommu_and_idle_are_three_things() {
    let empty = |inventory: Inventory| {
        let model = Model::new(inventory.clone(), None, sample(0, Vec::new(), Vec::new()));
        let report = Report::new(
            HostFigures::new(&inventory, SacControl::Global),
            "light".into(),
            model.figures(None),
        );
        (ids(&report.findings).join(" "), report.findings[0].text.clone())
    };
    let mut none = testdata::inventory();
    none.devices.clear();
    none.host.iommu.clear();
    assert!(empty(none).1.contains("no IOMMU is active"));
    let mut passthrough = testdata::inventory();
    passthrough.devices[0].domain_type = DomainType::Identity;
    let (id, text) = empty(passthrough);
    assert_eq!(id, "no-iova-allocation");
    assert!(text.contains("passthrough"), "{text}");
    assert_eq!(empty(testdata::inventory()).0, "idle");
}

#[test]
fn the_worst_comes_first_and_evidence_names_metrics() {
    let mut case = Case::healthy().used(0.5, 0.4, 0.0).refused(900);
    case.inventory.devices[0].configured = Some(Configured::Low);
    let findings = case.findings();
    assert!(findings.len() >= 3);
    assert!(findings.windows(2).all(|pair| pair[0].severity >= pair[1].severity));
    for finding in &findings {
        assert!(!finding.action.is_empty() && finding.text.ends_with('.'), "{finding:?}");
        for fact in &finding.evidence.0 {
            assert!(metric::find(fact.scope, fact.metric).is_some(), "{}", fact.metric);
        }
    }
}

#[test]
fn every_metric_named_as_evidence_exists() {
    // Facts with unknown names are dropped silently, so the sources are searched for them.
    let sources = [
        include_str!("sac.rs"),
        include_str!("space.rs"),
        include_str!("cache.rs"),
        include_str!("queue.rs"),
        include_str!("range.rs"),
        include_str!("fault.rs"),
    ];
    let known = |name: &str| metric::all().any(|metric| metric.name == name);
    for source in sources {
        for word in source.split('"').skip(1).step_by(2) {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '_';
            let looks_like_one = word.len() > 2 && word.contains('.') && word.chars().all(allowed);
            assert!(!looks_like_one || known(word), "{word}");
        }
    }
}

#[test]
fn an_empty_report_is_judged_without_panic() {
    let report = Report::new(HostFigures::default(), "light".into(), Figures::default());
    assert_eq!(check(&report).len(), 1);
}
