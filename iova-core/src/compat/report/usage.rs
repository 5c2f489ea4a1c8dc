//! What was measured of a device in use, without its addresses.

use super::{Faults, Passes, Usage};
use crate::kernel::root::parse_number;
use crate::model::{Device, Domain, Report};
use crate::policy::Relation;
use crate::policy::classify::{Classified, LiveSet, classify};
use crate::snapshot::{Range, RangeKind};

/// What is at or above it is a high address.
const HIGH: u64 = 1 << 32;

pub(super) fn usage(device: &Device, report: &Report) -> Usage {
    let domain = report.domain_of(device);
    Usage {
        observed_ms: (report.duration_s.max(0.0) * 1000.0) as u64,
        allocations: device.alloc.count,
        bytes: device.alloc.bytes,
        high: device.alloc.high.min(device.alloc.count),
        width: domain.and_then(widest),
        low_attempts: device.alloc.sac_attempts,
        low_failed: device
            .alloc
            .sac_failed
            .zip(device.alloc.sac_attempts)
            .map(|(failed, all)| failed.min(all)),
        alloc_p99_ns: device.alloc.latency_ns.p99,
        faults: device.faults.count.map(|count| faults(device, domain, count)),
    }
}

/// Bits of the highest address that is mapped, or was until a moment ago.
fn widest(domain: &Domain) -> Option<u8> {
    let space = &domain.space;
    let used = space.ranges.iter().filter(|range| range.kind != RangeKind::Reserved && !held(domain, range));
    let last = used.map(|range| last_byte(range, space.granule)).max()?;
    u8::try_from(u64::BITS - last.leading_zeros()).ok()
}

/// The module holds what is free below 4 GiB; in the tree that looks like mappings.
fn held(domain: &Domain, range: &Range) -> bool {
    domain.low_space.held_bytes > Some(0) && last_byte(range, domain.space.granule) < HIGH
}

fn last_byte(range: &Range, granule: u64) -> u64 {
    range.pfn_hi.saturating_add(1).saturating_mul(granule).saturating_sub(1)
}

fn faults(device: &Device, domain: Option<&Domain>, count: u64) -> Faults {
    let mut faults = Faults { count, ..Faults::default() };
    let Some(domain) = domain else { return faults };
    let held = domain.low_space.held_bytes > Some(0);
    let live = LiveSet::of_ranges(&domain.space.ranges, domain.space.granule, held);
    let addresses = device.faults.first.iter().filter_map(|fault| parse_number(&fault.address));
    let mut truncated: Option<Classified> = None;
    // More may have been told one by one than counted, where the kernel's log is the source.
    for address in addresses.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let seen = classify(address, &live);
        match seen.evidence.relation {
            Relation::Truncated { live, .. } if live >= HIGH => {
                faults.truncated += 1;
                truncated = Some(truncated.map_or(seen, |before| before.and(seen)));
            }
            Relation::Mangled { live, .. } if live >= HIGH => faults.mangled += 1,
            _ => faults.unrelated += 1,
        }
    }
    faults.low_32_alias = faults.truncated > 0 || faults.mangled > 0;
    faults.passes = truncated.and_then(passes);
    faults
}

fn passes(seen: Classified) -> Option<Passes> {
    let Relation::Truncated { width, .. } = seen.evidence.relation else { return None };
    Some(Passes { at_least: seen.at_least.unwrap_or(0).min(width), at_most: width.min(64) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, Space};

    fn report(ranges: &[(u64, u64, RangeKind)], faults: &[u64]) -> Usage {
        let ranges = ranges.iter().map(|&(pfn_lo, pfn_hi, kind)| Range { pfn_lo, pfn_hi, kind }).collect();
        let domain =
            Domain { iovad: 1, space: Space { granule: 4096, ranges, seen_ns: 0 }, ..Domain::default() };
        let mut device = Device { iovad: Some(1), ..Device::default() };
        device.faults.count = Some(faults.len() as u64);
        let fault = |address: &u64| Fault { address: format!("{address:#x}"), access: None, reason: None };
        device.faults.first = faults.iter().map(fault).collect();
        let report = Report::new(
            crate::model::HostFigures::default(),
            String::new(),
            crate::model::Figures { duration_s: 2.5, domains: vec![domain], ..Default::default() },
        );
        usage(&device, &report)
    }

    #[test]
    fn widths_in_use() {
        assert_eq!(report(&[], &[]).width, None);
        let reserved = (0xffff_ffff, 0xffff_ffff, RangeKind::Reserved);
        assert_eq!(report(&[(0xfffff, 0xfffff, RangeKind::Live), reserved], &[]).width, Some(32));
        assert_eq!(report(&[(0x8_0000, 0x8_0001, RangeKind::Cached)], &[]).width, Some(32));
        let high = report(&[(0xf_ffff_ffff, 0xf_ffff_ffff, RangeKind::Pending)], &[]);
        assert_eq!((high.width, high.observed_ms), (Some(48), 2500));
    }

    #[test]
    fn faults_without_addresses() {
        let live = (0xb_7ffff, 0xb_7ffff, RangeKind::Live);
        let usage = report(&[live], &[0x1_7fff_f000, 0x1_7fff_f000, 0x1234_5000]);
        let faults = usage.faults.unwrap();
        assert_eq!((faults.count, faults.truncated, faults.unrelated), (3, 2, 1));
        assert!(faults.low_32_alias);
        assert_eq!(faults.passes, Some(Passes { at_least: 33, at_most: 33 }));
        // Below 4 GiB nothing is an alias: that is where any stray access goes.
        let low = report(&[(0x7_ffff, 0x7_ffff, RangeKind::Live)], &[0x3fff_f000]).faults.unwrap();
        assert_eq!((low.low_32_alias, low.unrelated), (false, 1));
    }
}
