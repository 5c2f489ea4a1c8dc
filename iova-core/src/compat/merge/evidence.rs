//! Reports sorted by what they are about: a device on its path, and who says what of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::limit::{self, Limit};
use crate::compat::device::PciFacts;
use crate::compat::report::{
    AnswerKind, CompatReport, DeviceReport, DriverName, HexByte, KernelName, PciId, Proof, ReportId,
    StepResult,
};
use crate::policy::verify::Purpose;

/// A device on its path.
pub(super) type Key = (PciId, Vec<PciId>);

/// What one host has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct HostWidth {
    /// Address bits.
    pub bits: u8,
    /// Who.
    pub id: ReportId,
    /// Revision of the device.
    pub revision: Option<HexByte>,
    /// How long the device worked at wide addresses in steps that passed, ms.
    pub worked_ms: u64,
    /// What ran.
    pub kernel: Option<KernelName>,
}

/// What was seen in normal use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Support {
    /// Hosts that watched it.
    pub hosts: usize,
    /// How long, all together, ms.
    pub observed_ms: u64,
    /// Allocations of addresses.
    pub allocations: u64,
    /// At or above 4 GiB.
    pub high: u64,
    /// Bits of the widest address seen in use.
    pub widest: Option<u8>,
    /// Attempts below 4 GiB that failed.
    pub low_failed: u64,
}

/// Everything about one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) hosts: BTreeSet<ReportId>,
    /// The best of each host and revision.
    pub(super) verified: Vec<HostWidth>,
    pub(super) limits: Vec<Limit>,
    pub(super) support: Support,
    /// The forms in which the device was met, for the list.
    pub(super) forms: BTreeSet<PciFacts>,
    pub(super) drivers: BTreeSet<Option<DriverName>>,
}

/// How many reports each host gave.
pub(super) fn hosts(reports: &[CompatReport]) -> BTreeMap<ReportId, usize> {
    let mut counts = BTreeMap::new();
    reports.iter().for_each(|report| *counts.entry(report.id).or_default() += 1);
    counts
}

pub(super) fn gather(reports: &[CompatReport]) -> BTreeMap<Key, Evidence> {
    let mut all: BTreeMap<Key, Evidence> = BTreeMap::new();
    let mut watched: BTreeSet<(Key, ReportId)> = BTreeSet::new();
    for report in unique(reports) {
        for device in &report.devices {
            let key = (device.device, device.path.clone());
            if device.usage.is_some_and(|usage| usage.observed_ms > 0) {
                watched.insert((key.clone(), report.id));
            }
            all.entry(key).or_default().take(report, device);
        }
    }
    for (key, _) in watched {
        if let Some(evidence) = all.get_mut(&key) {
            evidence.support.hosts += 1;
        }
    }
    all.values_mut().for_each(Evidence::settle);
    all
}

/// The same file given twice is one report.
fn unique(reports: &[CompatReport]) -> Vec<&CompatReport> {
    let mut texts: BTreeMap<Option<String>, &CompatReport> = BTreeMap::new();
    for report in reports {
        texts.insert(report.to_text().ok(), report);
    }
    texts.into_values().collect()
}

impl Evidence {
    fn take(&mut self, report: &CompatReport, device: &DeviceReport) {
        self.hosts.insert(report.id);
        self.drivers.insert(device.driver.clone());
        self.forms.insert(form(device));
        self.support.take(device);
        self.limits.extend(limit::in_use(report.id, device));
        for proof in &device.proofs {
            self.limits.extend(limit::of(report.id, proof));
            let verified = verified(proof).map(|bits| HostWidth {
                bits,
                id: report.id,
                revision: device.revision,
                worked_ms: worked(proof),
                kernel: proof.kernel,
            });
            self.verified.extend(verified);
        }
    }

    /// One line per host and revision, the best first.
    fn settle(&mut self) {
        self.verified.sort_unstable_by(|a, b| b.cmp(a));
        let mut seen = BTreeSet::new();
        self.verified.retain(|one| seen.insert((one.id, one.revision)));
        self.limits.sort_unstable();
        self.limits.dedup();
    }
}

/// As the list sees it. No driver is bound as far as it knows: masks say nothing about other hosts.
fn form(device: &DeviceReport) -> PciFacts {
    let pair = |id: PciId| (id.0, id.1);
    PciFacts {
        id: pair(device.device),
        subsystem: device.subsystem.map(pair).unwrap_or_default(),
        revision: device.revision.map(|it| it.0),
        class: device.class.map(|it| it.0),
        bridge: device.path.first().copied().map(pair),
        path: Some(device.path.clone()),
        mask_bits: None,
    }
}

/// Bits that a verification has shown: what its answer says, but no more than a step has walked.
fn verified(proof: &Proof) -> Option<u8> {
    let answer = proof.answer.filter(|answer| answer.verdict != AnswerKind::Limit)?;
    let widest = walked(proof).map(|step| step.width).max()?;
    Some(widest.min(answer.bits))
}

fn worked(proof: &Proof) -> u64 {
    walked(proof).fold(0, |sum, step| sum.saturating_add(step.worked_ms))
}

/// Steps at wide addresses in which the device did work and all of it came out right.
fn walked(proof: &Proof) -> impl Iterator<Item = &crate::compat::report::Step> {
    proof.steps.iter().filter(|step| {
        step.purpose == Purpose::Walk
            && step.result == StepResult::Passed
            && step.width > 32
            && step.runs > 0
            && step.addresses > 0
    })
}

impl Support {
    fn take(&mut self, device: &DeviceReport) {
        let Some(usage) = device.usage else { return };
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.observed_ms, usage.observed_ms);
        add(&mut self.allocations, usage.allocations);
        add(&mut self.high, usage.high);
        add(&mut self.low_failed, usage.low_failed.unwrap_or(0));
        self.widest = self.widest.max(usage.width);
    }
}
