//! A host with many devices, each in a domain of its own, that never rest.

use iova_core::inventory::{Configured, Device, DomainType, Host, Inventory};
use iova_core::model::{Cursor, HostFigures, SacControl, Step};
use iova_core::probe::bench::{Reader, SUFFERS};
use iova_core::record::{Head, Options, RecordError, Writer};
use iova_core::snapshot::{Consistency, DomainState, LowSpace, Range, RangeKind, Snapshot};
use std::io::Sink;

pub(super) const DEVICES: u64 = 200;
pub(super) const CPUS: usize = 64;
pub(super) const SECOND: u64 = 1_000_000_000;
const PAGES: u64 = 1 << 20;
/// Pieces of each domain's space.
const RANGES: u64 = 400;
/// Of one second.
const SEED_STEP: u64 = 37;

fn pointers(number: u64) -> (u64, u64) {
    (0xffff_8880_0000_0000 + number * 0x1000, 0xffff_8881_0000_0000 + number * 0x1000)
}

fn device(number: u64) -> Device {
    let (dev, iovad) = pointers(number);
    Device {
        dev: Some(dev),
        bdf: format!("0000:{:02x}:{:02x}.0", number / 32, number % 32),
        bus: "pci".into(),
        id: Some((0x144d, 0xa808)),
        name: "Samsung NVMe SSD PM9A3".into(),
        driver: Some("nvme".into()),
        functions: vec![format!("nvme{number}n1")],
        group: number as u32,
        domain_type: DomainType::DmaFq,
        iovad: Some(iovad),
        dma_mask_bits: Some(64),
        coherent_mask_bits: Some(64),
        bus_dma_limit: Some(0),
        configured: Some(Configured::SacFirst),
        managed: None,
    }
}

/// A recording of it, to nowhere.
pub(super) fn writer() -> Result<Writer<Sink>, RecordError> {
    let head = Head {
        written_by: String::new(),
        started_unix_s: 0,
        interval_ms: 1000,
        profile: "default".into(),
        sac_control: SacControl::DeviceFlag,
        inventory: inventory(),
        snapshot: None,
        unknown: Vec::new(),
    };
    Writer::new(std::io::sink(), &head, Options::default())
}

pub(super) fn inventory() -> Inventory {
    let host = Host {
        name: "storage7".into(),
        kernel: "6.12.107+deb13-amd64".into(),
        arch: "x86_64".into(),
        iommu: vec!["AMD-Vi".into()],
        cpus: CPUS as u32,
        memory_bytes: 1 << 40,
        cmdline: Vec::new(),
    };
    Inventory { host, devices: (0..DEVICES).map(device).collect(), missing: Vec::new() }
}

/// Domains of those that suffer are nearly full.
fn domain(number: u64, second: u64) -> DomainState {
    let kinds = [RangeKind::Live, RangeKind::Cached, RangeKind::Pending];
    let width = if (number + 1).is_multiple_of(SUFFERS as u64) { 2400 } else { 300 }
        + (second * SEED_STEP + number) % 100;
    let low = |index: u64| 1 + index * (PAGES / RANGES);
    let range = |(index, kind)| Range { pfn_lo: low(index), pfn_hi: low(index) + width - 1, kind };
    let ranges = (0..RANGES).zip(kinds.into_iter().cycle()).map(range).collect();
    let used = RANGES * width;
    DomainState {
        iovad: pointers(number).1,
        group: Some(number as u32),
        granule: 4096,
        ranges,
        nodes: used / 4,
        low: LowSpace {
            reserved: 0,
            live: used / 3,
            cached: used / 3,
            pending: used / 3,
            free: PAGES - used / 3 * 3,
            largest_gap: PAGES / RANGES - width,
            aligned_blocks: std::array::from_fn(|order| (PAGES - used) >> order),
        },
        high_pages: 0,
        cached_by_order: [used / 3, 0, 0, 0, 0, 0],
        depot_by_order: [used / 400, 0, 0, 0, 0, 0],
        fq_entries: used / 3,
        lazy: true,
        max32_alloc_pages: PAGES,
        consistency: Consistency::Stable,
    }
}

pub(super) fn snapshot(second: u64) -> Snapshot {
    Snapshot {
        ns: second * SECOND,
        domains: (0..DEVICES).map(|number| domain(number, second)).collect(),
        missing: Vec::new(),
    }
}

/// Counters of which only the first `busy` CPUs have any.
pub(super) fn reader(busy: usize, full: bool) -> Reader {
    let devices: Vec<_> = (0..DEVICES).map(pointers).collect();
    Reader::new(&devices, CPUS, busy, full)
}

/// The model, as the source begins with it.
pub(super) fn cursor(reader: &mut Reader) -> std::io::Result<Cursor> {
    let inventory = inventory();
    let host = HostFigures::new(&inventory, SacControl::Global);
    let first = reader.read(0)?;
    Ok(Cursor::new(host, "default".into(), inventory, Some(snapshot(0)), Vec::new(), first))
}

/// The first so many intervals.
pub(super) fn steps(count: u64) -> std::io::Result<Vec<Step>> {
    let mut reader = reader(1, false);
    let mut cursor = cursor(&mut reader)?;
    let step = |second| {
        reader.pass();
        reader.read(second * SECOND).map(|sample| cursor.step(sample))
    };
    (1..=count).map(step).collect()
}
