use super::*;
use crate::snapshot::Range;

/// A small generator (xorshift64*): the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const PAGE: u64 = 4096;

fn set(mapped: &[(u64, u64)]) -> LiveSet {
    let mut live = LiveSet::default();
    for &(first, last) in mapped {
        live.add(first, last);
    }
    live
}

fn relation(address: u64, mapped: &[(u64, u64)]) -> Relation {
    classify(address, &set(mapped)).evidence.relation
}

#[test]
fn the_edu_device_with_32_bits() {
    let live = 0x80_7fff_f000;
    let found = classify(0x7fff_f010, &set(&[(live, live + 0xfff)]));
    let width = 39;
    assert_eq!(found.evidence.relation, Relation::Truncated { width, live: live + 0x10 });
    assert_eq!(found.at_least, Some(31), "bit 30 is the highest that came through for sure");
}

#[test]
fn more_faults_narrow_the_width_down() {
    // 36 bits: bit 35 is the last that comes through, bit 36 the first that does not.
    let live = [0x18_7fff_f000_u64, 0x88_0000_0000, 0xf0_1234_5000];
    let mapped: Vec<_> = live.iter().map(|&first| (first, first + 0xfff)).collect();
    let faults = live.iter().map(|&address| classify(address & ((1 << 36) - 1), &set(&mapped)));
    let together = faults.reduce(Classified::and).unwrap();
    assert!(matches!(together.evidence.relation, Relation::Truncated { width: 36, .. }), "{together:?}");
    assert_eq!(together.at_least, Some(36));
}

#[test]
fn the_xhci_that_lost_bits_48_to_55() {
    let live = 0xffff_ffff_ffef_e000;
    let found = relation(0xff00_ffff_ffef_e000, &[(live, live + 0xfff)]);
    assert_eq!(found, Relation::Mangled { xor: 0x00ff_0000_0000_0000, live });
}

#[test]
fn what_is_mapped_itself_is_no_truncation() {
    let mapped = [(0x80_1000_0000, 0x80_1000_0fff), (0x1000_0000, 0x1000_0fff)];
    assert_eq!(relation(0x1000_0800, &mapped), Relation::Unrelated);
    assert_eq!(relation(0x2000_0000, &mapped), Relation::Unrelated);
    assert_eq!(relation(0x10, &[]), Relation::Unrelated);
}

#[test]
fn any_address_fits_a_few_bits_and_that_proves_nothing() {
    assert_eq!(relation(0x800, &[(0x9_0012_3000, 0x9_0012_3fff)]), Relation::Unrelated);
    // From 24 bits on it counts.
    let live = 0x9_0000_0800;
    assert_eq!(relation(0x800, &[(live, live)]), Relation::Truncated { width: 32, live });
}

#[test]
fn tree_nodes_of_a_domain() {
    let range = |pfn_lo, pfn_hi, kind| Range { pfn_lo, pfn_hi, kind };
    let domain = DomainState {
        ranges: vec![
            range(0xfee00, 0xfeeff, RangeKind::Reserved),
            range(0x8_0007_0000, 0x8_0007_ffff, RangeKind::Live),
            range(0x8_0008_0000, 0x8_0008_0000, RangeKind::Cached),
        ]
        .into(),
        ..crate::model::testdata::state()
    };
    let live = LiveSet::of_domain(&domain, false);
    let width = |address| match classify(address, &live).evidence.relation {
        Relation::Truncated { width, .. } => Some(width),
        _ => None,
    };
    assert_eq!((width(0x7000_0000), width(0x7fff_ffff)), (Some(47), Some(47)));
    assert_eq!(width(0x8000_0fff), Some(47), "unmapped a moment ago");
    assert_eq!(width(0x8000_1000), None);
    assert!(!live.is_mapped(0x8000_8000_0000), "cached is not mapped");
}

/// On 6.1 and 5.10 the module fills the low space: what it holds is in the tree, but a fault there is a fault.
#[test]
fn held_space_is_not_mapped() {
    let range = |pfn_lo, pfn_hi, kind| Range { pfn_lo, pfn_hi, kind };
    let domain = DomainState {
        ranges: vec![range(0x1, 0xf_ffff, RangeKind::Live), range(0x807_ffff, 0x807_ffff, RangeKind::Live)]
            .into(),
        ..crate::model::testdata::state()
    };
    let relation = |held| classify(0x7fff_f000, &LiveSet::of_domain(&domain, held)).evidence.relation;
    assert_eq!(relation(true), Relation::Truncated { width: 39, live: 0x80_7fff_f000 });
    assert_eq!(relation(false), Relation::Unrelated);
}

/// Random live sets, widths and faults: the true width lies within the stated bounds, whatever else is mapped.
#[test]
fn the_bounds_always_hold() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for round in 0..20_000 {
        let width = 32 + random.below(24);
        let mut mapped = Vec::new();
        for _ in 0..=random.below(20) {
            let top = width + 1 + random.below(63 - width);
            let first = (random.below(1 << top) | 1 << random.below(top)) & !(PAGE - 1);
            mapped.push((first, first + PAGE * (1 + random.below(512)) - 1));
        }
        let (first, last) = mapped[random.below(mapped.len() as u64) as usize];
        let address = first + random.below(last - first + 1);
        let seen = address & ((1 << width) - 1);
        if seen == address || set(&mapped).is_mapped(seen) {
            continue;
        }
        let found = classify(seen, &set(&mapped));
        match found.evidence.relation {
            Relation::Truncated { width: at_most, live } => {
                assert!(u64::from(at_most) >= width, "round {round}: {seen:#x} from {address:#x}, {found:?}");
                assert!(u64::from(found.at_least.unwrap()) <= width, "round {round}: {found:?}");
                assert_eq!(live & ((1 << at_most) - 1), seen, "round {round}");
                assert!(mapped.iter().any(|&(first, last)| (first..=last).contains(&live)), "round {round}");
            }
            // Where fewer than 24 bits are left, nothing is stated.
            other => panic!("round {round}: {other:?} for {seen:#x} from {address:#x} with {width} bits"),
        }
    }
}

/// A live set such as `dac:N` makes it, and a device that drops bits: enough faults give the width exactly.
#[test]
fn enough_faults_give_the_width_exactly() {
    let mut random = Random(42);
    for round in 0..200 {
        let width = 33 + random.below(20);
        let live: Vec<u64> = (0..64)
            .map(|_| (1 << width | random.below(1 << width) | 1 << (width - 1)) & !(PAGE - 1))
            .collect();
        let mapped: Vec<_> = live.iter().map(|&first| (first, first + PAGE - 1)).collect();
        let faults = live.iter().map(|&address| classify(address & ((1 << width) - 1), &set(&mapped)));
        let together = faults.reduce(Classified::and).unwrap();
        let expected = width as u8;
        assert!(
            matches!(together.evidence.relation, Relation::Truncated { width, .. } if width == expected),
            "round {round}: {together:?}, width {width}"
        );
        assert_eq!(together.at_least, Some(expected), "round {round}");
    }
}

/// `dac:N` hands out addresses from a base down in which every bit tells but the second highest
/// (`iovp_base`, `iova-kmod/policy.c`): one fault names the width.
#[test]
fn one_fault_in_the_modules_window_names_the_width() {
    for bits in 35..=57_u32 {
        let base = 1_u64 << (bits - 1) | ((1 << (bits - 2)) - (1 << 32));
        let live = base + 0x3fff_f000;
        for width in 32..bits {
            let found = classify(live & ((1 << width) - 1), &set(&[(live, live + 0xfff)]));
            let Relation::Truncated { width: at_most, .. } = found.evidence.relation else {
                panic!("dac:{bits}, {width} bits: {found:?}");
            };
            let silent = width == bits - 2;
            assert_eq!(u32::from(at_most), width + u32::from(silent), "dac:{bits}, {width} bits: {found:?}");
            let at_least = u32::from(found.at_least.unwrap());
            let expected = [width, width - 1][usize::from(width == bits - 1)];
            assert!(width == 32 || at_least == expected, "dac:{bits}, {width} bits: {found:?}");
        }
    }
}

#[test]
fn extreme_ranges_do_no_harm() {
    let all = [(0, u64::MAX)];
    assert_eq!(relation(5, &all), Relation::Unrelated);
    let top = [(u64::MAX - 0xfff, u64::MAX)];
    assert!(matches!(relation(0xffff_f800, &top), Relation::Truncated { .. }));
    assert_eq!(relation(u64::MAX - 0x1000, &top), Relation::Unrelated);
}
