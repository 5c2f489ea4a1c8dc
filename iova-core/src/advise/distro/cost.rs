//! What does an allocation cost under one policy and under another, on the same device of the same host?

use super::{Evidence, LEVEL, Missing, Question, Statement, What, count};
use crate::gate::stats::{interval, ratio};
use crate::inventory::DomainType;
use crate::metric::Unit;
use crate::model::{Device, Report};
use std::collections::{BTreeMap, BTreeSet};

const COMMAND: &str = "iova record -o STOCK.iova -- LOAD, then iova policy try DEVICE dac:40, keep it, and iova record -o DAC.iova -- LOAD; three \
                       times each; the same after a boot with iommu.forcedac=1, and with iommu.strict=1";
/// So many runs on either side before an interval says anything.
const RUNS: usize = 3;
const RESAMPLES: usize = 10_000;
/// With fewer allocations a 99th percentile is a few calls.
const CALLS: u64 = 1000;
/// Rates of allocations further apart than this are not one load.
const SAME_LOAD: f64 = 2.0;

/// What is compared: one device in one kind of domain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    host: String,
    bdf: String,
    lazy: bool,
}

/// One run.
struct Run<'a> {
    p99: f64,
    /// Of one CPU, in allocations.
    cpu: f64,
    per_second: f64,
    file: &'a str,
}

type Arms<'a> = BTreeMap<String, Vec<Run<'a>>>;

pub(super) fn question(evidence: &[Evidence]) -> Question {
    let mut places: BTreeMap<Place, Arms<'_>> = BTreeMap::new();
    for one in evidence {
        let What::Report(report) = &one.what else { continue };
        for device in &report.devices {
            let Some((lazy, arm, run)) = run(report, device, &one.source) else { continue };
            let place = Place { host: report.host.name.clone(), bdf: device.bdf.clone(), lazy };
            places.entry(place).or_default().entry(arm).or_default().push(run);
        }
    }
    let statements: Vec<Statement> = places.iter().flat_map(|(place, arms)| compare(place, arms)).collect();
    let measured = |lazy: bool, arm: &str| {
        let both =
            |arms: &Arms<'_>| arms.contains_key(STOCK) && arms.keys().any(|name| name.starts_with(arm));
        places.iter().any(|(place, arms)| place.lazy == lazy && both(arms))
    };
    let wanted = [(true, "dac:"), (true, FORCED), (false, "dac:"), (false, FORCED)];
    let open = wanted.into_iter().filter(|&(lazy, arm)| !measured(lazy, arm));
    let name = |(lazy, arm): (bool, &str)| {
        format!("{}{} in {} mode", arm, if arm == FORCED { "" } else { "N" }, mode(lazy))
    };
    let open: Vec<String> = open.map(name).collect();
    let missing = (!open.is_empty()).then(|| {
        let text = format!("No device was measured both under stock and under: {}.", open.join(", "));
        Missing::new(text, COMMAND)
    });
    Question {
        id: "cost",
        asks: "What does an allocation cost, stock against high addresses, on the same host?",
        statements,
        missing: missing.into_iter().collect(),
    }
}

const STOCK: &str = "stock";
const FORCED: &str = "forcedac";

fn mode(lazy: bool) -> &'static str {
    if lazy { "lazy" } else { "strict" }
}

fn run<'a>(report: &Report, device: &Device, file: &'a str) -> Option<(bool, String, Run<'a>)> {
    let lazy = match device.domain_type? {
        DomainType::DmaFq => true,
        DomainType::Dma => false,
        DomainType::Identity | DomainType::Other => return None,
    };
    let latency = &device.alloc.latency_ns;
    if device.alloc.count < CALLS {
        return None;
    }
    let forced = |word: &String| {
        word == "iommu.forcedac=1" || word == "iommu.forcedac" || word == "intel_iommu=forcedac"
    };
    let arm = match device.policy.set.as_deref() {
        Some(set) if set != STOCK => set.to_owned(),
        _ if report.host.cmdline.iter().any(forced) => FORCED.to_owned(),
        _ => STOCK.to_owned(),
    };
    let per_second = device.alloc.count as f64 / report.duration_s.max(0.001);
    let run =
        Run { p99: latency.p99? as f64, cpu: per_second * latency.mean? as f64 / 1e9, per_second, file };
    Some((lazy, arm, run))
}

/// Every arm against stock.
fn compare(place: &Place, arms: &Arms<'_>) -> Vec<Statement> {
    let Some(stock) = arms.get(STOCK) else { return Vec::new() };
    let others = arms.iter().filter(|(name, _)| name.as_str() != STOCK);
    others
        .flat_map(|(name, runs)| {
            [
                ("p99 of an allocation", Unit::Nanoseconds, (|run: &Run<'_>| run.p99) as fn(&Run<'_>) -> f64),
                ("CPU share of alloc_iova", Unit::Ratio, |run: &Run<'_>| run.cpu),
            ]
            .into_iter()
            .filter_map(|(what, unit, get)| one(place, (name, runs), stock, (what, unit, get)))
            .collect::<Vec<_>>()
        })
        .collect()
}

fn one<'a>(
    place: &Place,
    (name, runs): (&str, &[Run<'a>]),
    stock: &[Run<'a>],
    (what, unit, get): (&str, Unit, fn(&Run<'_>) -> f64),
) -> Option<Statement> {
    let values = |runs: &[Run<'_>]| runs.iter().map(get).collect::<Vec<f64>>();
    let (high, low) = (values(runs), values(stock));
    let ratio = ratio(&high, &low)?;
    let enough = runs.len().min(stock.len()) >= RUNS;
    let ends = enough.then(|| interval(&high, &low, |a, b| a / b, LEVEL, RESAMPLES)).flatten();
    let doubt = match &ends {
        Some(ends) => format!("between {:.2} and {:.2} (bootstrap, 95 %)", ends.low, ends.high),
        None => format!("without an interval: that takes {RUNS} runs each"),
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let rate = |runs: &[Run<'_>]| mean(&runs.iter().map(|run| run.per_second).collect::<Vec<_>>());
    let apart = rate(runs) / rate(stock).max(0.001);
    let load = if !(1.0 / SAME_LOAD..=SAME_LOAD).contains(&apart) {
        format!(
            " The loads differ ({:.0} and {:.0} allocations per second), so this compares little.",
            rate(runs),
            rate(stock)
        )
    } else {
        String::new()
    };
    let text = format!(
        "{} of {}, {}: {what} under {name} is {ratio:.2} of that under stock, {doubt}; {} against {}, in {} against {}.{load}",
        place.bdf,
        place.host,
        mode(place.lazy),
        unit.render(Some(mean(&high))),
        unit.render(Some(mean(&low))),
        count(runs.len(), "run"),
        count(stock.len(), "run"),
    );
    let files: BTreeSet<&str> = runs.iter().chain(stock).map(|run| run.file).collect();
    let of = (runs.len() + stock.len(), "runs");
    Some(Statement::new(text, of, &files).figure(ratio, ends.map(|ends| (ends.low, ends.high))))
}
