//! Whatever is merged: the order does not matter, and the rules hold.

use super::rules::{limit, merge};
use crate::compat::list::List;
use crate::compat::report::tests::{device, report, verified};
use crate::compat::report::{CompatReport, DeviceReport, HexByte};
use crate::compat::words::Verdict;
use crate::policy::verify::Basis;

/// A small generator: the same reports for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn device(&mut self) -> DeviceReport {
        let bits = 33 + self.below(20) as u8;
        let proofs = match self.below(12) {
            0..=8 => vec![verified(bits)],
            9 => vec![limit(bits, [Basis::Fault, Basis::Mangled, Basis::Data][self.below(3) as usize])],
            10 => vec![verified(bits), verified(60 - self.below(20) as u8)],
            _ => Vec::new(),
        };
        let mut device = device(proofs);
        device.device.1 = self.below(4) as u16;
        device.revision = [None, Some(HexByte(1)), Some(HexByte(2))][self.below(3) as usize];
        device.path.truncate(self.below(2) as usize);
        device
    }

    fn reports(&mut self) -> Vec<CompatReport> {
        let count = 1 + self.below(24);
        (0..count)
            .map(|_| {
                let devices = (0..self.below(4)).map(|_| self.device()).collect();
                report(self.below(16) as u8, devices)
            })
            .collect()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

#[test]
fn any_order_and_every_rule() {
    let (mut caps, mut oks) = (0, 0);
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut reports = dice.reports();
        let merged = merge(&reports, &List::default());
        for report in &mut reports {
            dice.shuffle(&mut report.devices);
        }
        dice.shuffle(&mut reports);
        assert_eq!(merge(&reports, &List::default()), merged, "seed {seed}");
        for row in &merged.devices {
            let Some(proposal) = (match &row.outcome {
                crate::compat::merge::Outcome::Proposed(it) => Some(it),
                crate::compat::merge::Outcome::None { .. } => None,
            }) else {
                continue;
            };
            match proposal.verdict {
                Verdict::Cap => {
                    caps += 1;
                    assert!(proposal.width >= 32);
                }
                Verdict::Ok => {
                    oks += 1;
                    assert!(row.limits.is_empty(), "seed {seed}");
                    let hosts: std::collections::BTreeSet<_> = row
                        .verified
                        .iter()
                        .filter(|one| one.bits >= proposal.width)
                        .map(|one| one.id)
                        .collect();
                    assert!(hosts.len() >= 3, "seed {seed}: {row:?}");
                }
            }
        }
    }
    assert!(caps > 50 && oks > 50, "the dice try both: {caps} {oks}");
}
