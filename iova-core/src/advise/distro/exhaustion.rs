//! How often is the space below 4 GiB used up?

use super::{Evidence, LEVEL, Missing, Question, Statement, What, count, percent, time};
use crate::compat::report::{CompatReport, Domain};
use crate::gate::stats::proportion;
use crate::inventory::DomainType;
use crate::model::Report;
use std::collections::{BTreeMap, BTreeSet};

const COMMAND: &str =
    "iova record -o HOST.iova --duration 24h, or iova report --compat, on each host under its usual load";

/// What was seen of one host.
#[derive(Default)]
struct Host<'a> {
    seconds: f64,
    /// Kinds of devices of which some attempt below 4 GiB failed, and the files that show it.
    exhausted: BTreeMap<String, BTreeSet<&'a str>>,
    files: BTreeSet<&'a str>,
}

/// One look at a host: for how long attempts below 4 GiB were counted, and whose failed. `None`: they were not counted.
type Look = Option<(f64, Vec<String>)>;

pub(super) fn question(evidence: &[Evidence]) -> Question {
    let mut hosts: BTreeMap<String, Host<'_>> = BTreeMap::new();
    let mut uncounted: BTreeSet<&str> = BTreeSet::new();
    for one in evidence {
        let look = match &one.what {
            What::Report(report) => report_look(report),
            What::Compat(report) => compat_look(report),
            What::Verification(_) => continue,
        };
        let Some((seconds, exhausted)) = look else {
            uncounted.insert(&one.source);
            continue;
        };
        let host = hosts.entry(one.host()).or_default();
        host.seconds += seconds;
        for kind in exhausted {
            host.exhausted.entry(kind).or_default().insert(&one.source);
        }
        host.files.insert(&one.source);
    }
    let mut missing = Vec::new();
    if hosts.is_empty() {
        missing.push(Missing::new("No file counts attempts below 4 GiB of translated devices.", COMMAND));
    }
    if !uncounted.is_empty() {
        missing.push(Missing::new(
            format!(
                "Not counted in, since nothing is translated there or no attempt was counted: {}.",
                join(&uncounted)
            ),
            "iova record --profile default",
        ));
    }
    Question {
        id: "exhaustion",
        asks: "On how many hosts is the space below 4 GiB used up?",
        statements: rate(&hosts).into_iter().chain(who(&hosts)).collect(),
        missing,
    }
}

fn join(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Who asked for addresses above 4 GiB makes no attempt below.
fn report_look(report: &Report) -> Look {
    let translated = |device: &&crate::model::Device| {
        matches!(device.domain_type, Some(DomainType::Dma | DomainType::DmaFq)) && !device.policy.is_dac()
    };
    let counted: Vec<_> = report
        .devices
        .iter()
        .filter(translated)
        .filter_map(|device| Some((device, device.alloc.sac_failed?)))
        .collect();
    let failed = counted.iter().filter(|(_, failed)| *failed > 0);
    let names = failed.map(|(device, _)| device.id.clone().unwrap_or_else(|| device.bdf.clone()));
    (!counted.is_empty()).then(|| (report.duration_s, names.collect()))
}

fn compat_look(report: &CompatReport) -> Look {
    let translated =
        report.devices.iter().filter(|device| matches!(device.domain, Domain::Strict | Domain::Lazy));
    let counted: Vec<_> =
        translated.filter_map(|device| Some((device, device.usage?, device.usage?.low_failed?))).collect();
    let seconds = counted.iter().map(|(_, usage, _)| usage.observed_ms).max()? as f64 / 1000.0;
    let failed = counted.iter().filter(|(_, _, failed)| *failed > 0);
    Some((seconds, failed.map(|(device, ..)| device.device.to_string()).collect()))
}

fn rate(hosts: &BTreeMap<String, Host<'_>>) -> Option<Statement> {
    let (n, k) = (hosts.len(), hosts.values().filter(|host| !host.exhausted.is_empty()).count());
    let interval = proportion(k as u64, n as u64, LEVEL)?;
    let seconds: f64 = hosts.values().map(|host| host.seconds).sum();
    let text = format!(
        "It was used up on {k} of {}: between {} and {} of such hosts (Clopper-Pearson, 95 %), in {} observed in all. Hosts that were \
         observed for longer are not weighted, and nothing is said about longer times.",
        count(n, "host"),
        percent(interval.low),
        percent(interval.high),
        time(seconds),
    );
    let files = hosts.values().flat_map(|host| host.files.iter().copied()).collect();
    let ends = Some((interval.low, interval.high));
    Some(Statement::new(text, (n, "hosts"), &files).figure(k as f64 / n as f64, ends))
}

/// By kind of device.
fn who(hosts: &BTreeMap<String, Host<'_>>) -> Vec<Statement> {
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for host in hosts.values() {
        for (kind, files) in &host.exhausted {
            kinds.entry(kind).or_default().extend(files);
            *sums.entry(kind).or_default() += 1;
        }
    }
    let statement = |(kind, files): (&str, BTreeSet<&str>)| {
        let n = sums.get(kind).copied().unwrap_or(0);
        Statement::new(format!("{kind} asked in vain on {}.", count(n, "host")), (n, "hosts"), &files)
    };
    kinds.into_iter().map(statement).collect()
}
