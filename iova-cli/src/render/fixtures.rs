//! Synthetic reports for the tests of the faces: what a lab or a customer would send, checked in as code; and [`lab`], what it did send.

mod lab;

pub(crate) use lab::{lab, lab_report, recording};

use iova_core::inventory::{Configured, Device, DomainType, Host, Inventory};
use iova_core::model::{Command, HostFigures, Incident, Model, Report, SacControl};
use iova_core::sample::{
    AllocCounters, DeviceCounters, DomainCounters, Event, FreeCounters, Histogram, Quality, Sample, What,
};
use iova_core::snapshot::{Consistency, DomainState, LowSpace, Range, RangeKind, Snapshot};

const ORDERS: usize = 24;
const SECOND: u64 = 1_000_000_000;
/// Pages of the 32-bit space, and those that bridge windows and MSI take from it in the lab.
const LOW_PAGES: u64 = 1 << 20;
const RESERVED: u64 = 716_064;

fn device(bdf: &str, number: u64, name: &str, driver: Option<&str>, functions: &[&str]) -> Device {
    Device {
        dev: Some(number),
        bdf: bdf.into(),
        bus: "pci".into(),
        id: Some((0x8086, number as u16)),
        name: name.into(),
        driver: driver.map(Into::into),
        functions: functions.iter().map(|&function| function.into()).collect(),
        group: number as u32,
        domain_type: DomainType::DmaFq,
        iovad: Some(number << 8),
        dma_mask_bits: Some(64),
        coherent_mask_bits: Some(64),
        bus_dma_limit: Some(0),
        configured: Some(Configured::SacFirst),
        managed: None,
    }
}

pub(crate) fn inventory() -> Inventory {
    let host = Host {
        name: "db7".into(),
        kernel: "6.1.0-56-amd64".into(),
        arch: "x86_64".into(),
        iommu: vec!["Intel VT-d".into()],
        cpus: 16,
        memory_bytes: 64 << 30,
        cmdline: vec!["intel_iommu=on".into()],
    };
    let mut ehci = device("0000:00:1d.0", 5, "Intel EHCI Controller", Some("ehci-pci"), &[]);
    (ehci.dma_mask_bits, ehci.configured) = (Some(32), Some(Configured::Low));
    let mut bridge = device("0000:00:00.0", 1, "Intel Host Bridge", None, &[]);
    (bridge.dma_mask_bits, bridge.configured, bridge.dev, bridge.iovad) = (None, None, None, None);
    let devices = vec![
        bridge,
        device("0000:00:03.0", 2, "Intel 82574L Gigabit Network Connection", Some("e1000e"), &["eth0"]),
        device("0000:01:00.0", 3, "Samsung NVMe SSD PM9A3", Some("nvme"), &["nvme0n1"]),
        ehci,
    ];
    Inventory { host, devices, missing: Vec::new() }
}

pub(crate) fn histogram(values: &[(u64, u64)]) -> Histogram {
    let mut histogram = Histogram::default();
    for &(ns, count) in values {
        // The layout of iova_common::hist: eight buckets per power of two.
        let exponent = ns.max(8).ilog2() - 3;
        let index = if ns < 8 { ns } else { u64::from(exponent << 3) + (ns >> exponent) };
        histogram.buckets[index as usize] += count;
        histogram.sum += ns * count;
        histogram.max = histogram.max.max(ns);
    }
    histogram
}

fn counters(number: u64, orders: &[(usize, u64)], latency: &[(u64, u64)]) -> DeviceCounters {
    let mut by_order = [0; ORDERS];
    let mut bytes = 0;
    for &(order, count) in orders {
        by_order[order] = count;
        bytes += (4096 << order) * count;
    }
    let count = by_order.iter().sum();
    DeviceCounters {
        dev: number,
        iovad: number << 8,
        group: Some(number as u32),
        generation: 0,
        gone: false,
        alloc: AllocCounters {
            by_order,
            bytes,
            sac_attempts: Some(count),
            sac_failed: Some(0),
            latency: histogram(latency),
            ..AllocCounters::default()
        },
        free: FreeCounters { count, bytes, latency: Some(histogram(&[(310, count)])) },
        map: Some(histogram(&[(1100, count)])),
    }
}

fn domain(number: u64, lock: &[(u64, u64)]) -> DomainCounters {
    DomainCounters {
        iovad: number << 8,
        low_pages_delta: 300,
        nodes_delta: 300,
        lock_wait: Some(histogram(lock)),
        fq_timer: Some(histogram(&[(21_000, 900), (180_000, 3)])),
        ..DomainCounters::default()
    }
}

fn state(number: u64, live: u64, cached: u64, pending: u64) -> DomainState {
    let range = |pfn_lo, pages, kind| Range { pfn_lo, pfn_hi: pfn_lo + pages - 1, kind };
    let free = LOW_PAGES - RESERVED - live - cached - pending;
    let ranges = vec![
        range(1, live.min(0x3_0000), RangeKind::Live),
        range(0x3_4000, cached.max(1), RangeKind::Cached),
        range(0x4_0000, RESERVED - 256, RangeKind::Reserved),
        range(0xf_ee00, 256, RangeKind::Reserved),
        range(LOW_PAGES - 1000, pending.clamp(1, 1000), RangeKind::Pending),
    ];
    DomainState {
        iovad: number << 8,
        group: Some(number as u32),
        granule: 4096,
        ranges: ranges.into(),
        nodes: live / 2,
        low: LowSpace {
            reserved: RESERVED,
            live,
            cached,
            pending,
            free,
            largest_gap: free / 2,
            aligned_blocks: blocks(free),
        },
        high_pages: 0,
        cached_by_order: [cached, 0, 0, 0, 0, 0],
        depot_by_order: [cached / 127, 0, 0, 0, 0, 0],
        fq_entries: pending,
        lazy: true,
        max32_alloc_pages: LOW_PAGES,
        consistency: Consistency::Stable,
    }
}

/// The same, in pieces: holes of up to 120 pages everywhere.
fn in_pieces(pages: std::ops::Range<u64>) -> Vec<Range> {
    let (used, holes) = ([40, 200, 64, 16, 128, 90], [3, 17, 1, 60, 8, 120, 5]);
    let mut ranges = Vec::new();
    let mut next = pages.start;
    for turn in 0.. {
        let end = next + used[turn % used.len()];
        if end > pages.end {
            break;
        }
        let kind = match turn % 9 {
            4 => RangeKind::Cached,
            7 => RangeKind::Pending,
            _ => RangeKind::Live,
        };
        ranges.push(Range { pfn_lo: next, pfn_hi: end - 1, kind });
        // The higher, the fuller: the allocator begins at the top.
        let sparse = 1 + (pages.end - next) / 0x1_8000;
        next = end + holes[turn % holes.len()] * sparse.min(2);
    }
    ranges
}

fn blocks(free: u64) -> [u64; ORDERS] {
    let mut blocks = [0; ORDERS];
    for (order, count) in blocks.iter_mut().enumerate() {
        *count = free >> order;
    }
    blocks
}

fn run(inventory: &Inventory, control: SacControl, last: Sample, end: &Snapshot, profile: &str) -> Report {
    let first = Sample::default();
    let mut model = Model::new(inventory.clone(), Some(end.clone()), first);
    model.feed(last);
    if profile != "full" {
        model.unknown("map", "measured from --profile full on");
        model.unknown("lock", "measured from --profile full on");
    }
    Report::new(HostFigures::new(inventory, control), profile.into(), model.figures(Some(end)))
}

/// 6.1, and the NVMe disk's 32-bit space is in pieces: the cliff.
pub(crate) fn cliff() -> Report {
    let mut nvme = counters(
        3,
        &[(0, 212_400), (7, 100_100)],
        &[
            (410, 150_000),
            (520, 50_000),
            (700, 12_400),
            (21_000, 20_000),
            (46_000, 70_000),
            (250_000, 10_090),
            (2_100_000, 10),
        ],
    );
    // The map calls contain the allocations.
    nvme.map = Some(histogram(&[(1100, 212_400), (24_000, 20_000), (51_000, 70_000), (262_000, 10_100)]));
    nvme.alloc.slow = 201_300;
    nvme.alloc.sac_failed = Some(100_100);
    nvme.alloc.tree_failed = 100_100;
    nvme.alloc.high = 100_100;
    let mut eth = counters(2, &[(0, 1_204_411), (1, 330)], &[(390, 1_150_000), (640, 54_000), (2_600, 741)]);
    eth.alloc.slow = 700;
    let quicker = What::SlowCall {
        duration_ns: 251_000,
        size: 131_072,
        stack: ["alloc_iova+0x1f1", "iommu_dma_alloc+0x6c", "dma_alloc_attrs+0x4a"].map(Into::into).to_vec(),
    };
    let slow = What::SlowCall {
        duration_ns: 2_100_000,
        size: 524_288,
        stack: [
            "alloc_iova+0x1f1",
            "alloc_iova_fast+0x55",
            "iommu_dma_alloc_iova+0x11d",
            "nvme_map_data+0x93",
        ]
        .map(Into::into)
        .to_vec(),
    };
    let last = Sample {
        ns: 10 * SECOND,
        devices: vec![eth, nvme],
        domains: vec![domain(2, &[(800, 40)]), domain(3, &[(90_000, 30_000), (1_400_000, 20)])],
        quality: Quality { alloc_sampling: 1, free_sampling: 1, inner_unowned: 12, ..Quality::default() },
        events: [slow, quicker].map(|what| Event { ns: 1, cpu: 0, dev: 3, iovad: 0x300, what }).to_vec(),
        ..Sample::default()
    };
    let mut nvme_state = state(3, 201_000, 9_000, 30_000);
    nvme_state.low.aligned_blocks = [0; ORDERS];
    nvme_state.low.aligned_blocks[..8].copy_from_slice(&[92_000, 30_000, 9_000, 1_400, 300, 61, 7, 0]);
    nvme_state.low.largest_gap = 120;
    let mut ranges = nvme_state.ranges.to_vec();
    ranges.retain(|range| range.kind == RangeKind::Reserved);
    ranges.extend(in_pieces(1..0x4_0000));
    ranges.extend(in_pieces(0xf_ef00..LOW_PAGES));
    ranges.sort_by_key(|range| range.pfn_lo);
    let above = Range { pfn_lo: LOW_PAGES, pfn_hi: LOW_PAGES + 28_999, kind: RangeKind::Pending };
    ranges.push(above);
    nvme_state.ranges = ranges.into();
    nvme_state.max32_alloc_pages = 128;
    let end = Snapshot {
        ns: 0,
        domains: vec![state(2, 600, 1200, 90), nvme_state, state(5, 3, 0, 0)],
        missing: vec![],
    };
    let mut report = run(&inventory(), SacControl::Global, last, &end, "full");
    let argv = ["fio", "randread.fio", "--runtime=10"].map(Into::into).to_vec();
    report.command = Some(Command { argv, exit_code: Some(0), signal: None });
    report
}

/// What the probes told of the disk in the second that ends at `ns`: something new in every third.
pub(crate) fn incidents(ns: u64) -> Vec<Incident> {
    let size = 524_288;
    let seen = |before: u64, count, last, sizes| Incident {
        ns: ns.saturating_sub(before),
        device: "0000:01:00.0".into(),
        count,
        last,
        sizes,
    };
    match ns / SECOND % 3 {
        0 => vec![
            seen(70_000_000, 37, What::SacFailed { size }, Some((131_072, size))),
            seen(10_000_000, 1, What::FellBack { addr: 0xffff_fff8_0000, size }, Some((size, size))),
        ],
        1 => vec![seen(300_000_000, 4, What::CacheFlush, None)],
        _ if ns / SECOND == 17 => {
            let fault = What::Fault { addr: 0xdead_8000, bdf: None, reason: Some(6), read: Some(false) };
            let failed = What::AllocFailed { size, limit: 0xffff_ffff };
            vec![seen(900_000_000, 2, fault, None), seen(5_000_000, 1, failed, Some((size, size)))]
        }
        _ => Vec::new(),
    }
}

/// 6.12, default profile, everything as it should be, a little data lost.
pub(crate) fn healthy() -> Report {
    let mut inventory = inventory();
    inventory.host.kernel = "6.12.107+deb13-amd64".into();
    let mut eth = counters(2, &[(0, 1_204_411)], &[(390, 75_276)]);
    eth.map = None;
    let last = Sample {
        ns: 10 * SECOND,
        devices: vec![eth],
        domains: vec![DomainCounters { lock_wait: None, ..domain(2, &[]) }],
        quality: Quality { alloc_sampling: 16, free_sampling: 16, frames_lost: 3, ..Quality::default() },
        ..Sample::default()
    };
    let end = Snapshot { ns: 0, domains: vec![state(2, 600, 1200, 90), state(3, 40, 0, 0)], missing: vec![] };
    run(&inventory, SacControl::DeviceFlag, last, &end, "default")
}

/// Whatever can come from outside is an attack on the terminal.
pub(crate) fn hostile() -> Report {
    const EVIL: &str = "\x1b]0;owned\x07\u{9b}2J\u{202e}x\r\n";
    let mut inventory = inventory();
    inventory.host.name = EVIL.into();
    for device in &mut inventory.devices {
        device.name = EVIL.into();
        device.driver = Some(EVIL.into());
        device.functions = vec![EVIL.into()];
    }
    let mut report = healthy();
    report.host = HostFigures::new(&inventory, SacControl::Unknown);
    for device in &mut report.devices {
        device.name = EVIL.into();
        device.driver = Some(EVIL.into());
        device.functions = vec![EVIL.into()];
    }
    report.command = Some(Command { argv: vec![EVIL.into()], exit_code: None, signal: Some(15) });
    report.quality.unknown[0].why = EVIL.into();
    report.quality.notes.push(EVIL.into());
    report.findings = cliff().findings;
    report.findings[0].text = EVIL.into();
    report.findings[0].action = EVIL.into();
    report
}

/// No device is translated.
pub(crate) fn passthrough() -> Report {
    let mut inventory = inventory();
    for device in &mut inventory.devices {
        device.domain_type = DomainType::Identity;
    }
    let model = Model::new(inventory.clone(), None, Sample::default());
    Report::new(HostFigures::new(&inventory, SacControl::Global), "default".into(), model.figures(None))
}
