//! What a step came to.

use super::alias::Alias;
use super::record::{Addresses, Outcome, Work};
use super::{FIRST, least};
use crate::policy::Relation;
use crate::policy::classify::Classified;

/// Everything seen in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Address bits of the step.
    pub width: u8,
    /// Why the policy was not to be had.
    pub refused: Option<String>,
    /// Why there was no work at all: the driver did not bind, the disk did not appear.
    pub obstacle: Option<String>,
    /// Where the addresses were.
    pub addresses: Addresses,
    /// What was done.
    pub work: Work,
    /// Faults of the device.
    pub faults: Vec<Classified>,
    /// PCIe errors of the device.
    pub pcie_errors: Option<String>,
    /// A silent place for a truncated address.
    pub alias: Option<Alias>,
}

/// The outcome. What proves something about the width goes before what only says that something is wrong.
pub fn judge(seen: &Seen) -> Outcome {
    if let Some(outcome) = faults(seen) {
        return outcome;
    }
    let failed = |why: String| Outcome::Failed { why };
    if let Some(errors) = &seen.pcie_errors {
        return failed(format!("the device made PCIe errors: {errors}"));
    }
    if let Some(why) = &seen.refused {
        return Outcome::Unreached { why: why.clone() };
    }
    if let Some(why) = &seen.obstacle {
        return failed(why.clone());
    }
    if let Some(why) = &seen.work.failure {
        return failed(why.clone());
    }
    match short(seen) {
        Some(why) => Outcome::Unreached { why },
        None => Outcome::Passed,
    }
}

fn faults(seen: &Seen) -> Option<Outcome> {
    let all = seen.faults.iter().copied().reduce(Classified::and)?;
    Some(match all.evidence.relation {
        // Of 32 bits some may be lost too, but then a device has never worked here.
        Relation::Truncated { width, .. } => {
            Outcome::Truncated { at_least: all.at_least.unwrap_or(0).max(FIRST).min(width), at_most: width }
        }
        Relation::Mangled { .. } => Outcome::Mangled,
        Relation::Unrelated | Relation::Unknown => Outcome::Failed {
            why: format!(
                "the IOMMU refused the device an access to {:#x}, which is {}",
                all.evidence.address, all.evidence.relation
            ),
        },
    })
}

/// Why the work proves nothing about the width, though it went well.
fn short(seen: &Seen) -> Option<String> {
    let Addresses { count, below, lowest, narrow, .. } = seen.addresses;
    if seen.width <= FIRST {
        return None;
    }
    if count == 0 && narrow > 0 {
        return Some(format!(
            "the driver allows no address of {} bits for any of its {narrow} buffers (its coherent mask is narrower)",
            seen.width
        ));
    }
    if count == 0 {
        return Some("the device asked for no address while it worked".to_owned());
    }
    if below > 0 {
        return Some(format!(
            "{below} of {count} addresses, down to {:#x}, lay below {:#x}: the device had more mapped at once than the \
             2 GiB of a step hold",
            lowest.unwrap_or(0),
            least(seen.width)
        ));
    }
    let Alias { address, bits, hits } = seen.alias?;
    Some(format!(
        "{address:#x} cut to {bits} bits is {hits:#x}, which was mapped too: a device that loses those bits would not \
         have been noticed"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::classify::{LiveSet, classify};

    fn step(width: u8) -> Seen {
        let addresses = Addresses {
            count: 7,
            lowest: Some(least(width) | 0x7fff_0000),
            highest: Some(least(width) | 0x7fff_ffff),
            ..Addresses::default()
        };
        Seen { width, addresses, ..Seen::default() }
    }

    fn fault(address: u64, live: u64) -> Classified {
        let mut set = LiveSet::default();
        set.add(live, live | 0xfff);
        classify(address, &set)
    }

    fn why(seen: &Seen) -> String {
        match judge(seen) {
            Outcome::Failed { why } | Outcome::Unreached { why } => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn work_with_the_right_addresses_passes() {
        assert_eq!(judge(&step(40)), Outcome::Passed);
        assert_eq!(judge(&Seen { addresses: Addresses::default(), ..step(32) }), Outcome::Passed);
    }

    #[test]
    fn a_fault_says_more_than_the_work() {
        let work = Work { failure: Some("the command failed".into()), ..Work::default() };
        // 33 bits of 0xb_7ffff000 are 0x1_7ffff000.
        let seen = Seen { work, faults: vec![fault(0x1_7fff_f000, 0xb_7fff_f000)], ..step(36) };
        assert_eq!(judge(&seen), Outcome::Truncated { at_least: 33, at_most: 33 });
        // 34 bits are not to be told from 35 with this pattern.
        let seen = Seen { faults: vec![fault(0x3_7fff_f000, 0xb_7fff_f000)], ..step(36) };
        assert_eq!(judge(&seen), Outcome::Truncated { at_least: 34, at_most: 35 });
        let seen = Seen { faults: vec![fault(0x7fff_f000, 0xb_7fff_f000)], ..step(36) };
        assert_eq!(judge(&seen), Outcome::Truncated { at_least: 32, at_most: 32 });
    }

    #[test]
    fn what_says_nothing_about_the_width() {
        let stray = Seen { faults: vec![fault(0x1234_5000, 0xb_7fff_f000)], ..step(36) };
        assert!(why(&stray).contains("0x12345000"), "{}", why(&stray));
        let errors = Seen { pcie_errors: Some("1 fatal".into()), ..step(36) };
        assert!(why(&errors).contains("1 fatal"));
        let mut idle = step(36);
        idle.addresses = Addresses::default();
        assert!(why(&idle).contains("no address"));
        idle.addresses.narrow = 3;
        assert!(why(&idle).contains("coherent mask"));
        let mut full = step(36);
        full.addresses.below = 2;
        assert!(why(&full).contains("2 GiB"));
        let alias = Some(Alias { address: 0xb_7fff_f000, bits: 32, hits: 0x7fff_f000 });
        assert!(why(&Seen { alias, ..step(36) }).contains("not have been noticed"));
    }
}
