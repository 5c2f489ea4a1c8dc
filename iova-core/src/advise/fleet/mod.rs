//! What to set on many hosts: which kinds of devices suffer, where, and the one change that would help most, for each group of
//! hosts that are alike.

mod files;

pub use files::files;

use super::evidence::{Evidence, What};
use super::{Advice, Setting, Sureness, advise};
use crate::model::Report;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The document of `iova advise --for fleet`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// Files that count: recordings and reports.
    pub files: Vec<String>,
    /// Files of another kind, which say nothing about what to set.
    pub passed_over: Vec<String>,
    /// Hosts by what makes the same setting do the same.
    pub groups: Vec<Group>,
}

/// Hosts that are alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Short, fit for a directory: "6.1-intel-vt-d".
    pub name: String,
    /// "6.1": the line of the kernel.
    pub kernel: String,
    /// What stands between devices and memory; `None` without an IOMMU.
    pub iommu: Option<String>,
    /// Names of its hosts.
    pub hosts: Vec<String>,
    /// What helps, first what helps most.
    pub changes: Vec<Change>,
}

/// One change, for one kind of device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Name of the advice.
    pub id: &'static str,
    /// Vendor and device, "8086:1533"; `None` where hosts as a whole are meant, or what is no PCI device.
    pub kind: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What is set: "dac:40", "iommu.forcedac=1", "max_sectors_kb = 128", "DMA-FQ".
    pub sets: String,
    /// One of the settings, for files.
    #[serde(skip)]
    pub setting: Setting,
    /// Hosts that it is advised for.
    pub hosts: Vec<String>,
    /// Hosts of the group that have such a device.
    pub among: usize,
    /// What it saves there; `None` where no host can tell.
    pub gain: Option<Spread>,
    /// As sure as on the host where it is least sure.
    pub sure: Sureness,
    /// What it may break.
    pub risk: Option<String>,
    /// How it is taken back on a host.
    pub revert: String,
    /// Files it rests on.
    pub from: Vec<String>,
}

/// A gain on several hosts, as shares of what each has now: 0.9 is nine tenths saved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Name of the metric.
    pub metric: &'static str,
    /// Where it helps least, at worst.
    pub low: f64,
    /// The host in the middle.
    pub median: f64,
    /// Where it helps most, at best.
    pub high: f64,
    /// Hosts with a gain.
    pub hosts: usize,
}

/// One piece of advice of one host.
struct Told<'a> {
    host: &'a str,
    file: &'a str,
    advice: Advice,
}

/// What makes hosts alike: the kernel's line and the IOMMU.
type Alike = (String, Option<String>);
/// A report, and the file that it is in.
type Measured<'a> = (&'a Report, &'a str);

/// What a fleet should set.
pub fn fleet(evidence: &[Evidence]) -> Fleet {
    let mut passed_over = Vec::new();
    let mut groups: BTreeMap<Alike, Vec<Measured<'_>>> = BTreeMap::new();
    for one in evidence {
        let What::Report(report) = &one.what else {
            passed_over.push(one.source.clone());
            continue;
        };
        let key = (line(&report.host.kernel), report.host.iommu.clone());
        groups.entry(key).or_default().push((report, &one.source));
    }
    let counts = |one: &&Evidence| matches!(one.what, What::Report(_));
    Fleet {
        files: evidence.iter().filter(counts).map(|one| one.source.clone()).collect(),
        passed_over,
        groups: groups.into_iter().map(|(key, reports)| group(key, &reports)).collect(),
    }
}

/// "6.1" of "6.1.0-56-amd64".
fn line(release: &str) -> String {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if !major.is_empty() && !minor.is_empty() => format!("{major}.{minor}"),
        _ => "unknown".to_owned(),
    }
}

fn group((kernel, iommu): Alike, reports: &[Measured<'_>]) -> Group {
    let hosts: BTreeSet<&str> = reports.iter().map(|(report, _)| report.host.name.as_str()).collect();
    let mut told: BTreeMap<(&'static str, Option<String>, String), Vec<Told<'_>>> = BTreeMap::new();
    for &(report, file) in reports {
        for advice in advise(report) {
            let Some(sets) = sets(&advice.setting) else { continue };
            // A boot option is for all of a host, whichever device showed that.
            let kind =
                if matches!(advice.setting, Setting::BootOption { .. }) { None } else { advice.kind.clone() };
            let key = (advice.id, kind, sets);
            told.entry(key).or_default().push(Told { host: &report.host.name, file, advice });
        }
    }
    let mut changes: Vec<Change> =
        told.into_iter().filter_map(|(key, told)| change(key, &told, reports)).collect();
    changes.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    Group {
        name: name(&kernel, iommu.as_deref()),
        kernel,
        iommu,
        hosts: hosts.into_iter().map(str::to_owned).collect(),
        changes,
    }
}

fn name(kernel: &str, iommu: Option<&str>) -> String {
    let text = format!("{kernel}-{}", iommu.unwrap_or("no-iommu")).to_lowercase();
    let mut name = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' | '.' => name.push(c),
            _ if !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.trim_matches(['-', '.']).to_owned()
}

/// What is set, without what differs from host to host; `None` for what is nothing to set on many.
fn sets(setting: &Setting) -> Option<String> {
    match setting {
        Setting::Nothing | Setting::FreshDomain { .. } => None,
        Setting::Policy { policy, .. } => Some(policy.clone()),
        Setting::MaxSectors { kib, .. } => Some(format!("max_sectors_kb = {kib}")),
        Setting::DomainType { to, .. } => Some((*to).to_owned()),
        Setting::BootOption { option } => Some((*option).to_owned()),
    }
}

fn change(
    (id, kind, sets): (&'static str, Option<String>, String),
    told: &[Told<'_>],
    reports: &[Measured<'_>],
) -> Option<Change> {
    let first = &told.first()?.advice;
    let has = |report: &Report| kind.is_none() || report.devices.iter().any(|device| device.id == kind);
    let among: BTreeSet<&str> = reports
        .iter()
        .filter(|(report, _)| has(report))
        .map(|(report, _)| report.host.name.as_str())
        .collect();
    let unique =
        |get: fn(&Told<'_>) -> String| told.iter().map(get).collect::<BTreeSet<_>>().into_iter().collect();
    Some(Change {
        id,
        name: if kind.is_some() { first.name.clone() } else { None },
        kind,
        sets,
        setting: first.setting.clone(),
        hosts: unique(|told| told.host.to_owned()),
        among: among.len(),
        gain: spread(told),
        sure: told.iter().map(|told| told.advice.sure).min()?,
        risk: first.risk.clone(),
        revert: first.revert.clone(),
        from: unique(|told| told.file.to_owned()),
    })
}

/// From the host where it helps least, at worst, to that where it helps most, at best. Each host counts once, with the widest of
/// what its files say.
fn spread(told: &[Told<'_>]) -> Option<Spread> {
    let mut hosts: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let mut metric = None;
    for one in told {
        let Some(gain) = one.advice.gain.as_ref().filter(|gain| gain.now > 0.0) else { continue };
        metric = metric.or(Some(gain.metric));
        let (low, high) = (1.0 - gain.worst / gain.now, 1.0 - gain.best / gain.now);
        let ends = hosts.entry(one.host).or_insert((low, high));
        *ends = (ends.0.min(low), ends.1.max(high));
    }
    let mut middles: Vec<f64> = hosts.values().map(|ends| f64::midpoint(ends.0, ends.1)).collect();
    Some(Spread {
        metric: metric?,
        low: hosts.values().map(|ends| ends.0).reduce(f64::min)?,
        median: crate::gate::stats::median(&mut middles)?,
        high: hosts.values().map(|ends| ends.1).reduce(f64::max)?,
        hosts: hosts.len(),
    })
}

impl Change {
    /// Hosts that it helps, each with what it saves there; surer changes before others.
    fn weight(&self) -> f64 {
        let saved = self.gain.as_ref().map_or(0.0, |gain| gain.median.max(0.0));
        let sure = match self.sure {
            Sureness::High => 2.0,
            Sureness::Medium => 1.0,
            Sureness::Low => 0.0,
        };
        self.hosts.len() as f64 * (saved + sure)
    }
}

#[cfg(test)]
mod tests;
