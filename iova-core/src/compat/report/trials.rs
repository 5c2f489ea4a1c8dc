//! What the history of policies tells about a device: how trials ended, and the faults that ended them.

use super::{Faults, MAX_TRIALS, Passes, Trial};
use crate::policy::history::{Action, Entry, Identity, What};
use crate::policy::{Bdf, Cause, Evidence, Policy, Relation};

/// What is at or above it is a high address.
const HIGH: u64 = 1 << 32;

/// Of the device that is at `bdf` now. The history notes the place on the bus and what was there, not the bridges.
pub(super) fn trials(history: &[Entry], bdf: &str, identity: Identity) -> Vec<Trial> {
    let Ok(place) = bdf.parse::<Bdf>() else { return Vec::new() };
    let mut policies: Vec<(Policy, Trial, Vec<Evidence>)> = Vec::new();
    for entry in history.iter().filter(|entry| entry.device() == Some(place)) {
        let Some(told) = told(&entry.what, identity) else { continue };
        let at = policies.iter().position(|(policy, ..)| *policy == told.policy);
        let at = at.unwrap_or_else(|| {
            policies.push((told.policy, Trial::new(told.policy), Vec::new()));
            policies.len() - 1
        });
        let Some((_, trial, seen)) = policies.get_mut(at) else { continue };
        match told.action {
            Some(Action::Confirm) => trial.kept += 1,
            Some(Action::Revert) => trial.reverted += 1,
            Some(Action::Quarantine) => trial.quarantined += 1,
            _ => {}
        }
        // The module and the tool may both tell of one fault.
        if let Some(evidence) = told.evidence.filter(|evidence| !seen.contains(evidence)) {
            seen.push(evidence);
            trial.faults.add(evidence);
        }
    }
    policies.sort_by_key(|(policy, ..)| *policy);
    let trials = policies.into_iter().map(|(_, trial, _)| trial);
    trials.filter(|trial| *trial != Trial::new(trial.policy)).take(MAX_TRIALS).collect()
}

struct Told {
    policy: Policy,
    action: Option<Action>,
    evidence: Option<Evidence>,
}

fn told(what: &What, identity: Identity) -> Option<Told> {
    match what {
        What::Tool(tool) if tool.identity == identity && tool.policy != Policy::Stock => {
            Some(Told { policy: tool.policy, action: Some(tool.action), evidence: tool.evidence })
        }
        What::Kernel(kernel) if kernel.cause == Cause::Fault && kernel.id == identity.id_text() => {
            let policy = kernel.old.filter(|&policy| policy != Policy::Stock)?;
            Some(Told { policy, action: None, evidence: kernel.evidence })
        }
        _ => None,
    }
}

impl Trial {
    fn new(policy: Policy) -> Self {
        Self { policy, kept: 0, reverted: 0, quarantined: 0, faults: Faults::default() }
    }
}

impl Faults {
    fn add(&mut self, evidence: Evidence) {
        self.count += 1;
        match evidence.relation {
            Relation::Truncated { width, live } if live >= HIGH => {
                self.truncated += 1;
                let most = width.min(64);
                let least = (u64::BITS - evidence.address.leading_zeros()) as u8;
                let (before_least, before_most) =
                    self.passes.map_or((0, most), |passes| (passes.at_least, passes.at_most));
                let at_most = most.min(before_most);
                self.passes = Some(Passes { at_least: least.max(before_least).min(at_most), at_most });
            }
            Relation::Mangled { live, .. } if live >= HIGH => self.mangled += 1,
            Relation::Unknown => {}
            _ => self.unrelated += 1,
        }
        self.low_32_alias = self.truncated > 0 || self.mangled > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::history::ToolEntry;
    use crate::policy::testdir::{DEVICE, TestDir, device};

    fn entry(dir: &TestDir, action: Action, policy: Policy, evidence: Option<Evidence>) -> Entry {
        let identity = Identity::read(&dir.root(), DEVICE).unwrap();
        let entry = ToolEntry::new(&dir.root(), action, device(), identity, policy);
        Entry::now(&dir.root(), ToolEntry { evidence, ..entry })
    }

    #[test]
    fn trials_by_policy_and_faults_by_class() {
        let dir = TestDir::new("report-trials");
        let identity = Identity::read(&dir.root(), DEVICE).unwrap();
        let live = 0xb_7fff_f000;
        let truncated = |address, width| Evidence { address, relation: Relation::Truncated { width, live } };
        let history = [
            entry(&dir, Action::Try, Policy::Dac(36), None),
            entry(&dir, Action::Confirm, Policy::Dac(36), None),
            entry(&dir, Action::Quarantine, Policy::Dac(48), Some(truncated(0x3_7fff_f000, 35))),
            entry(&dir, Action::Quarantine, Policy::Dac(48), Some(truncated(0x3_7fff_f000, 35))),
            entry(&dir, Action::Set, Policy::Cap(40), None),
        ];
        let all = trials(&history, DEVICE, identity);
        let brief: Vec<_> = all.iter().map(|it| (it.policy, it.kept, it.quarantined)).collect();
        assert_eq!(brief, [(Policy::Dac(36), 1, 0), (Policy::Dac(48), 0, 2)]);
        let faults = all[1].faults;
        assert_eq!(
            (faults.count, faults.truncated, faults.low_32_alias),
            (1, 1, true),
            "one fault, told twice"
        );
        assert_eq!(faults.passes, Some(Passes { at_least: 34, at_most: 35 }));
        let other = Identity { id: (1, 2), ..identity };
        assert!(trials(&history, DEVICE, other).is_empty(), "another device is there now");
        assert!(trials(&history, "0000:00:05.0", identity).is_empty());
    }
}
