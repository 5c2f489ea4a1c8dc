use super::testdata::{self, counters, domain_counters, inventory, sample, snapshot};
use super::{Device, Figures, Model, Presence};
use crate::inventory::{Configured, Inventory};
use crate::sample::{DeviceCounters, Event, Histogram, Quality, Sample, Watched, What};
use crate::snapshot::Consistency;

const SECOND: u64 = 1_000_000_000;

fn start() -> Sample {
    sample(0, Vec::new(), Vec::new())
}

/// Ten seconds with `counters` at the end.
fn run(counters: DeviceCounters) -> Figures {
    let mut model = Model::new(inventory(), Some(snapshot()), start());
    model.feed(sample(10 * SECOND, vec![counters], vec![domain_counters()]));
    model.figures(Some(&snapshot()))
}

fn only(figures: &Figures) -> &Device {
    assert_eq!(figures.devices.len(), 1);
    &figures.devices[0]
}

#[test]
fn rates_ratios_and_shares_follow_their_definitions() {
    let mut counters = counters();
    counters.alloc.sac_failed = Some(30);
    counters.alloc.high = 30;
    counters.alloc.failed = 10;
    counters.alloc.slow = 52;
    let figures = run(counters);
    let device = only(&figures);
    assert_eq!(figures.duration_s, 10.0);
    assert_eq!((device.alloc.count, device.alloc.per_second), (1010, Some(101.0)));
    // 1010 allocations and 30 failed attempts are 1040 calls.
    assert_eq!(device.alloc.slow_ratio, Some(0.05));
    assert_eq!(device.cache.hit_ratio, Some(0.95));
    assert_eq!(device.policy.effective_high_ratio, Some(0.03));
    assert_eq!(device.map.count, Some(1010));
    let share = device.map.allocator_share.unwrap();
    assert!((share - 0.44).abs() < 0.01, "{share}");
}

#[test]
fn what_happened_before_the_first_sample_does_not_count() {
    let mut model = Model::new(inventory(), None, sample(SECOND, vec![counters()], vec![domain_counters()]));
    let mut later = counters();
    later.alloc.by_order[0] += 7;
    model.feed(sample(2 * SECOND, vec![later], Vec::new()));
    assert_eq!(only(&model.figures(None)).alloc.count, 7);
}

#[test]
fn a_device_that_was_added_again_is_counted_from_zero() {
    let mut model = Model::new(inventory(), None, start());
    model.feed(sample(SECOND, vec![counters()], Vec::new()));
    let mut again = DeviceCounters { dev: testdata::NVME.0, ..DeviceCounters::default() };
    again.alloc.by_order[0] = 5;
    model.feed(sample(2 * SECOND, vec![again], Vec::new()));
    assert_eq!(only(&model.figures(None)).alloc.count, 1015);
}

#[test]
fn without_snapshot_the_space_is_unknown_not_zero() {
    let mut model = Model::new(inventory(), None, start());
    model.feed(sample(SECOND, vec![counters()], vec![domain_counters()]));
    let figures = model.figures(None);
    let device = only(&figures);
    assert_eq!((device.low_space.free_bytes, device.low_space.pressure), (None, None));
    assert_eq!(device.lock.waits, Some(3), "the domain's counters do not need a snapshot");
}

#[test]
fn an_idle_device_has_true_zeros_and_no_ratios() {
    let mut model = Model::new(inventory(), None, start());
    model.feed(sample(SECOND, Vec::new(), Vec::new()));
    let figures = model.figures(None);
    let device = only(&figures);
    assert_eq!((device.alloc.count, device.free.count), (0, Some(0)));
    assert_eq!((device.cache.hit_ratio, device.policy.effective_high_ratio), (None, None));
    assert_eq!(device.alloc.sac_failed, None);
}

#[test]
fn the_space_adds_up_and_the_peak_is_not_below_the_end() {
    let figures = run(counters());
    let low = &only(&figures).low_space;
    assert_eq!(low.capacity_bytes.unwrap() + low.reserved_bytes.unwrap(), 1 << 32);
    assert_eq!(low.used_bytes(), Some(600 * 4096));
    assert_eq!(low.peak_used_bytes, Some(1100 * 4096), "600 pages at the start, 500 added");
    let domain = &figures.domains[0];
    assert_eq!(domain.devices, ["0000:00:04.0"]);
    assert_eq!(domain.max32_alloc_bytes, None, "no search has failed");
    assert_eq!((domain.aligned_blocks.len(), domain.blocks(20)), (21, Some(1000)));
}

#[test]
fn unknown_devices_are_kept_and_marked() {
    let mut stranger = counters();
    stranger.dev = 0xbad;
    let figures = run(stranger);
    assert_eq!(figures.devices.len(), 2);
    assert_eq!(figures.devices[0].presence, Presence::Unknown);
    assert_eq!(figures.devices[0].bdf, "group 4?");
    assert_eq!(figures.devices[1].alloc.count, 0);
}

#[test]
fn the_second_inventory_marks_what_came_and_went() {
    let mut model = Model::new(inventory(), None, start());
    let mut other = testdata::nvme();
    other.bdf = "0000:00:05.0".into();
    other.dev = Some(0xd2);
    model.learn(Inventory { devices: vec![other], ..Inventory::default() });
    let mut seen = counters();
    seen.dev = 0xd2;
    model.feed(sample(SECOND, vec![seen], Vec::new()));
    let figures = model.figures(None);
    let presence: Vec<_> = figures.devices.iter().map(|device| (&*device.bdf, device.presence)).collect();
    assert_eq!(presence, [("0000:00:05.0", Presence::Added), ("0000:00:04.0", Presence::Removed)]);
}

#[test]
fn facts_that_changed_are_those_of_the_end() {
    let mut model = Model::new(inventory(), None, start());
    let mut end = inventory();
    end.devices[0].configured = Some(Configured::FullRange);
    end.devices[0].dma_mask_bits = Some(48);
    end.devices[0].dev = None;
    model.learn(end);
    model.feed(sample(SECOND, vec![counters()], Vec::new()));
    let figures = model.figures(None);
    let device = only(&figures);
    assert_eq!((device.dma_mask_bits, device.policy.configured), (Some(48), Some("full-range")));
    assert!(device.fell_back, "it was sac-first at the start");
    assert_eq!((device.alloc.count, device.presence), (1010, Presence::Present));
}

#[test]
fn a_device_removed_and_added_again_is_two_devices() {
    let mut model = Model::new(inventory(), None, start());
    let mut end = inventory();
    end.devices[0].dev = Some(0xd2);
    model.learn(end);
    let mut again = counters();
    again.dev = 0xd2;
    again.alloc.by_order[0] = 5000;
    model.feed(sample(SECOND, vec![counters(), again], Vec::new()));
    let figures = model.figures(None);
    let counts: Vec<_> = figures.devices.iter().map(|device| (device.alloc.count, device.presence)).collect();
    assert_eq!(counts, [(5010, Presence::Added), (1010, Presence::Removed)]);
}

#[test]
fn faults_are_joined_by_pointer_and_by_bus_address() {
    let fault = |dev, bdf: Option<&str>| Event {
        ns: 1,
        cpu: 0,
        dev,
        iovad: 0,
        what: What::Fault { addr: 0x1000, bdf: bdf.map(Into::into), reason: None, read: None },
    };
    let mut model = Model::new(inventory(), None, start());
    let mut last = sample(SECOND, Vec::new(), Vec::new());
    last.events = vec![
        fault(testdata::NVME.0, None),
        fault(0, Some("0000:00:04.0")),
        fault(0, Some("00:04.0")),
        fault(0, Some("0000:00:1f.0")),
    ];
    model.feed(last);
    let figures = model.figures(None);
    let counts: Vec<_> =
        figures.devices.iter().map(|device| (&*device.bdf, device.faults.count.unwrap())).collect();
    assert_eq!(counts, [("0000:00:04.0", 3), ("0000:00:1f.0", 1)]);
}

#[test]
fn what_could_not_be_hooked_is_unknown_not_zero() {
    let mut model = Model::new(inventory(), None, start());
    model.feed(sample(SECOND, vec![counters()], Vec::new()));
    for metric in ["alloc.slow", "cache.flushes", "free.count", "faults.count"] {
        model.unknown(metric, "no such function");
    }
    let figures = model.figures(None);
    let device = only(&figures);
    assert_eq!((device.alloc.slow, device.alloc.slow_ratio, device.cache.hit_ratio), (None, None, None));
    assert_eq!((device.cache.flushes, device.free.count, device.faults.count), (None, None, None));
    assert_eq!(figures.quality.unknown.len(), 4);
    assert!(device.active());
}

#[test]
fn lost_data_marks_what_it_touches() {
    let with = |quality| {
        let mut model = Model::new(inventory(), None, start());
        let mut last = sample(SECOND, vec![counters()], Vec::new());
        last.quality = quality;
        model.feed(last);
        model.figures(None)
    };
    let clean = with(Quality::default());
    assert!(clean.quality.notes.is_empty() && only(&clean).approximate.is_empty());
    let lost = with(Quality { frames_lost: 3, ..Quality::default() });
    assert!(only(&lost).is_approximate("alloc.latency_ns.p99") && !only(&lost).is_approximate("alloc.count"));
    // What happened inside a call is lost with its entry record.
    assert!(only(&lost).is_approximate("alloc.slow") && only(&lost).is_approximate("alloc.sac_failed"));
    let one = |metric| Quality { recursion_misses: 1, missed: [(metric, 1)].into(), ..Quality::default() };
    let missed = with(one("alloc.count"));
    assert!(only(&missed).is_approximate("alloc.count") && !only(&missed).is_approximate("allocator"));
    assert!(!only(&missed).is_approximate("free.count"));
    assert_eq!(missed.quality.notes.len(), 1);
    let timer = with(one("flush_queue.timer_ns"));
    assert!(!only(&timer).is_approximate("alloc.count"), "a skipped timer run says nothing of allocations");
}

#[test]
fn an_unstable_snapshot_marks_the_space() {
    let mut end = snapshot();
    end.domains[0].consistency = Consistency::Approximate;
    let mut model = Model::new(inventory(), None, start());
    model.feed(sample(SECOND, vec![counters()], Vec::new()));
    let figures = model.figures(Some(&end));
    assert!(only(&figures).is_approximate("low_space.pressure"));
    assert!(!only(&figures).is_approximate("alloc.count"));
}

#[test]
fn a_device_added_again_at_the_same_address_is_two_devices_all_the_same() {
    let mut model = Model::new(inventory(), None, start());
    let again = |pages, generation, gone| {
        let mut device = DeviceCounters { generation, gone, ..counters() };
        device.alloc.by_order[0] = pages;
        device
    };
    model.feed(sample(SECOND, vec![again(7000, 0, false)], Vec::new()));
    let later = vec![again(8000, 0, true), again(90, 1, true), again(3, 2, false)];
    model.feed(sample(2 * SECOND, later.clone(), Vec::new()));
    model.feed(sample(3 * SECOND, later, Vec::new()));
    model.learn(inventory());
    let figures = model.figures(None);
    let counts: Vec<_> = figures.devices.iter().map(|device| (device.alloc.count, device.presence)).collect();
    assert_eq!(counts, [(8010, Presence::Removed), (100, Presence::Unknown), (13, Presence::Added)]);
}

#[test]
fn a_watched_device_has_latencies_per_order() {
    let orders = |small: u64, large: u64| {
        let mut by_order = vec![Histogram::default(); iova_common::agg::ORDERS];
        by_order[0] = testdata::histogram(&[(500, small)]);
        by_order[9] = testdata::histogram(&[(2_000_000, large)]);
        Some(Watched { dev: testdata::NVME.0, by_order })
    };
    let mut model = Model::new(inventory(), None, Sample { watched: orders(7, 0), ..start() });
    model.feed(Sample { watched: orders(17, 3), ..sample(SECOND, Vec::new(), Vec::new()) });
    let figures = model.figures(None);
    let alloc = &only(&figures).alloc;
    let counts: Vec<_> =
        alloc.latency_by_order.iter().map(|entry| (entry.order, entry.latency_ns.samples)).collect();
    assert_eq!(counts, [(0, Some(10)), (9, Some(3))]);
    assert_eq!(alloc.large_latency_ns.samples, Some(3));
    let unwatched = run(counters());
    assert_eq!(only(&unwatched).alloc.large_latency_ns.samples, None);
}
