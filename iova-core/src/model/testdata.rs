//! Synthetic input shared by the tests of model, metric and finding.

use super::{Command, HostFigures, Model, Report, SacControl};
use crate::inventory::{Configured, Device, DomainType, Host, Inventory};
use crate::sample::{
    AllocCounters, DeviceCounters, DomainCounters, FreeCounters, Histogram, Quality, Sample,
};
use crate::sample::{Event, What};
use crate::snapshot::{Consistency, DomainState, LowSpace, Range, RangeKind, Snapshot};
use iova_common::hist;

/// `struct device` and `struct iova_domain` of [`nvme`].
pub(crate) const NVME: (u64, u64) = (0xd1, 0x1d1);

pub(crate) fn nvme() -> Device {
    Device {
        dev: Some(NVME.0),
        bdf: "0000:00:04.0".into(),
        bus: "pci".into(),
        id: Some((0x1b36, 0x0010)),
        name: "QEMU NVM Express Controller".into(),
        driver: Some("nvme".into()),
        functions: vec!["nvme0n1".into()],
        group: 4,
        domain_type: DomainType::DmaFq,
        iovad: Some(NVME.1),
        dma_mask_bits: Some(64),
        coherent_mask_bits: Some(64),
        bus_dma_limit: Some(0),
        configured: Some(Configured::SacFirst),
        managed: None,
    }
}

pub(crate) fn inventory() -> Inventory {
    let host = Host {
        name: "lab".into(),
        kernel: "6.1.0-56-amd64".into(),
        arch: "x86_64".into(),
        iommu: vec!["Intel VT-d".into()],
        cpus: 2,
        memory_bytes: 1 << 30,
        cmdline: vec!["intel_iommu=on".into()],
    };
    Inventory { host, devices: vec![nvme()], missing: Vec::new() }
}

pub(crate) fn histogram(values: &[(u64, u64)]) -> Histogram {
    let mut histogram = Histogram::default();
    for &(ns, count) in values {
        histogram.buckets[hist::index(ns)] += count;
        histogram.sum += ns * count;
        histogram.max = histogram.max.max(ns);
    }
    histogram
}

/// A healthy device: 1,000 allocations of 4 KiB and 10 of 256 KiB, all low, 20 slow.
pub(crate) fn counters() -> DeviceCounters {
    let mut by_order = [0; iova_common::agg::ORDERS];
    by_order[0] = 1000;
    by_order[6] = 10;
    DeviceCounters {
        dev: NVME.0,
        iovad: NVME.1,
        group: Some(4),
        generation: 0,
        gone: false,
        alloc: AllocCounters {
            by_order,
            bytes: 1000 * 4096 + 10 * 262_144,
            slow: 20,
            sac_attempts: Some(1010),
            sac_failed: Some(0),
            latency: histogram(&[(400, 990), (2500, 20)]),
            ..AllocCounters::default()
        },
        free: FreeCounters { count: 900, bytes: 900 * 4096, latency: Some(histogram(&[(300, 900)])) },
        map: Some(histogram(&[(1000, 1010)])),
    }
}

pub(crate) fn domain_counters() -> DomainCounters {
    DomainCounters {
        iovad: NVME.1,
        low_pages_delta: 500,
        nodes_delta: 500,
        lock_wait: Some(histogram(&[(900, 3)])),
        fq_timer: Some(histogram(&[(20_000, 100)])),
        ..DomainCounters::default()
    }
}

pub(crate) fn sample(ns: u64, devices: Vec<DeviceCounters>, domains: Vec<DomainCounters>) -> Sample {
    let quality = Quality { alloc_sampling: 1, free_sampling: 1, ..Quality::default() };
    Sample { ns, devices, domains, quality, ..Sample::default() }
}

/// A domain with a third of its pages reserved and 600 in use.
pub(crate) fn state() -> DomainState {
    let reserved = 0x5_5555;
    let low = LowSpace {
        reserved,
        live: 100,
        cached: 400,
        pending: 100,
        free: (1 << 20) - reserved - 600,
        largest_gap: 0x4_0000,
        aligned_blocks: [1000; iova_common::agg::ORDERS],
    };
    let range = |pfn_lo, pfn_hi, kind| Range { pfn_lo, pfn_hi, kind };
    DomainState {
        iovad: NVME.1,
        group: Some(4),
        granule: 4096,
        ranges: vec![
            range(0x0, reserved - 1, RangeKind::Reserved),
            range(0xf_fda8, 0xf_fe0b, RangeKind::Live),
            range(0xf_fe0c, 0xf_ff9b, RangeKind::Cached),
            range(0xf_ff9c, 0xf_ffff, RangeKind::Pending),
        ]
        .into(),
        nodes: 601,
        low,
        high_pages: 0,
        cached_by_order: [400, 0, 0, 0, 0, 0],
        depot_by_order: [1, 0, 0, 0, 0, 0],
        fq_entries: 100,
        lazy: true,
        max32_alloc_pages: 1 << 20,
        consistency: Consistency::Stable,
    }
}

pub(crate) fn snapshot() -> Snapshot {
    Snapshot { ns: 0, domains: vec![state()], missing: Vec::new() }
}

/// A report with a value in every field that can have one.
pub(crate) fn full_report() -> Report {
    let mut counters = counters();
    counters.alloc.sac_failed = Some(10);
    let mut inventory = inventory();
    inventory.devices[0].bus_dma_limit = Some(1 << 40);
    let mut state = state();
    state.max32_alloc_pages = 64;
    let end = Snapshot { ns: 0, domains: vec![state], missing: Vec::new() };

    let mut model = Model::new(inventory.clone(), Some(snapshot()), sample(0, Vec::new(), Vec::new()));
    let mut last = sample(10_000_000_000, vec![counters], vec![domain_counters()]);
    let event = |what| Event { ns: 5, cpu: 0, dev: NVME.0, iovad: NVME.1, what };
    (last.quality.own_run_ns, last.quality.own_run_allocs) = (404_000, 1010);
    last.events = vec![
        event(What::Fault { addr: 0xdead_8000, bdf: None, reason: Some(6), read: Some(true) }),
        event(What::SlowCall { duration_ns: 2500, size: 262_144, stack: vec!["alloc_iova".into()] }),
    ];
    model.feed(last);
    let host = HostFigures::new(&inventory, SacControl::Global);
    let mut report = Report::new(host, "full".into(), model.figures(Some(&end)));
    // No profile times both.
    for device in &mut report.devices {
        device.alloc.search_ns = device.alloc.latency_ns.clone();
    }
    report.command = Some(Command { argv: vec!["dd".into()], exit_code: Some(0), signal: Some(2) });
    report
}
