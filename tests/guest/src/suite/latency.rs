//! Percentiles against the load module's own timing of the same calls.
//!
//! The module reads the clock right before and after each call, the tracer inside of that: what the tracer times is a
//! part of what the module times, call by call. So a percentile of the report is at most the module's, but for the
//! histogram's error (6.25 %, `iova_common::hist`). That holds in each run, whatever else the machine does.
//!
//! It is lower by what lies between, `outside`, which is measured here:
//!
//! ```text
//! module x share x (1 - 6.25 %) <= report <= module x (1 + 6.25 %)         share = 1 - outside / call
//! ```
//!
//! The share is the same for each percentile, because what makes a call slow (another guest, an interrupt, cold caches)
//! does so to all of it. An interruption may also hit only what is outside, so the lower bound has to hold in one of
//! [`RUNS`] runs.

use anyhow::{Context as _, Result, bail, ensure};

use crate::load::{Answer, EDU, Load, falls_back};
use crate::measure::{Report, known, number};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("latency.map_and_unmap", map_and_unmap),
    ("latency.slow_allocation", slow_allocation),
    ("latency.left_out_with_a_reason", left_out),
];

const RUNS: usize = 10;
/// Half a bucket of the histogram.
const BUCKET_ERROR: f64 = 0.0625;
const QUANTILES: [&str; 2] = ["p50", "p99"];

/// One latency of the report, and what the module calls its time for the same calls.
struct Pair {
    metric: &'static str,
    module: &'static str,
    /// Quantiles that are close to each other.
    close: &'static [&'static str],
}

/// What profile full adds to a map: around the tracer's clock readings are its probes of the map functions, which
/// profile default does not have. What it adds to an unmap can't be told apart from the kernel's own work around
/// `__iommu_dma_unmap`, so of unmaps only the upper bound is known.
fn map_and_unmap() -> Result<Outcome> {
    const PAIRS: &str = "loop mask=64 sizes=4K count=20000 pin time";
    let load = Load::new(EDU)?;
    let map = Pair { metric: "map.latency_ns", module: "map", close: &QUANTILES };
    let unmap = Pair { metric: "free.latency_ns", module: "unmap", close: &QUANTILES };
    compare(&load, "full", PAIRS, &map, |run| {
        run.at_most(&unmap)?;
        // The fastest calls are those that nothing disturbed, on either side.
        let without = Report::around(&load, "default", PAIRS)?.1.get("map_ns_min")?;
        let with = run.truth.get("map_ns_min")?;
        Ok(share(with.saturating_sub(without) + run.truth.get("clock_ns")?, with))
    })
}

/// Allocations that search all of a fragmented space take milliseconds, to which a map adds little: no more than a whole
/// map takes in empty space, probes included; one of the largest size, or of 4 KiB where maps that fail are timed.
fn slow_allocation() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    // Where the first failure would make the device give up, confine it to 32 bits: then its large maps fail.
    let confine = falls_back(&load)?;
    let mask = if confine { 32 } else { 64 };
    // Three of four calls fail below 4 GiB. Each is smaller than the one before, so none is refused without a search;
    // see `cliff` for the fourth.
    let traffic = format!("loop mask={mask} sizes=4M,2M,1M,256K count=240 burst=4 pause_us=20000 pin time");
    let small = format!("loop mask={mask} sizes=4K count=1000 pin time");
    let (text, timed) = if confine { (&small, "map") } else { (&traffic, "map_4194304") };
    let outside = median(&Report::around(&load, "default", text)?.1, timed)?;
    load.run(&format!("fragment mask={mask} size=64K hole=64K high=256K slots=32"))?;
    let search = |profile, metric, close| {
        let pair = Pair { metric, module: "map", close };
        compare(&load, profile, &traffic, &pair, |run| Ok(share(outside, median(&run.truth, "map")?)))
    };
    // Each of these allocations searches the tree: what profile light times of it is nearly all of it, but for the slowest, which
    // flush caches between two searches.
    let outcome = search("default", "alloc.latency_ns", &QUANTILES)
        .and_then(|_| search("light", "alloc.search_ns", &["p50"]));
    load.clean()?;
    outcome
}

/// Latencies that a profile leaves out are absent, and the report says why; the others are there.
fn left_out() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    let timed: [(&str, &[(&str, bool)]); 2] = [
        ("light", &[("alloc.latency_ns", false), ("alloc.search_ns", true), ("free.latency_ns", false)]),
        ("default", &[("alloc.latency_ns", true), ("alloc.search_ns", false)]),
    ];
    for (profile, metrics) in timed {
        // No cache holds this size: each allocation searches.
        let report = Report::around(&load, profile, "loop mask=64 sizes=260K count=200 pin")?.0;
        for (metric, is_timed) in metrics {
            is_told(&report, metric, *is_timed).with_context(|| format!("profile {profile}"))?;
        }
        if profile == "default" {
            // Where a domain is strict an unmap waits, and is timed.
            let strict = report.devices()?.iter().any(|device| device["domain_type"] == "DMA");
            is_told(&report, "free.latency_ns", strict).context("profile default")?;
        }
    }
    Ok(Outcome::Passed)
}

fn is_told(report: &Report, metric: &str, is_timed: bool) -> Result<()> {
    let value = number(report.device(EDU)?, &format!("{metric}.p99"))?;
    ensure!(value.is_some() == is_timed, "{metric}.p99 is {value:?}");
    let why = report.why_unknown(metric)?;
    ensure!(why.is_some() != is_timed || metric == "alloc.search_ns", "{metric}: the reason is {why:?}");
    Ok(())
}

struct Run {
    report: Report,
    truth: Answer,
}

/// Runs a load until both bounds have held; the upper one has to in each run. `share` says which part of a call
/// the tracer times at least.
fn compare(
    load: &Load,
    profile: &str,
    text: &str,
    pair: &Pair,
    share: impl Fn(&Run) -> Result<f64>,
) -> Result<Outcome> {
    let mut open = pair.close.to_vec();
    let mut low = Vec::new();
    for _ in 0..RUNS {
        let (report, truth) = Report::around(load, profile, text)?;
        let run = Run { report, truth };
        run.at_most(pair)?;
        let missed = run.at_least(pair, share(&run)?)?;
        open.retain(|quantile| missed.iter().any(|(missed, _)| missed == quantile));
        if open.is_empty() {
            return Ok(Outcome::Passed);
        }
        low.extend(missed.into_iter().map(|(_, seen)| seen));
    }
    bail!("{} too low in each of {RUNS} runs: {}", open.join(" and "), low.join("; "))
}

/// What is left of a call of this length.
fn share(outside: u64, call: u64) -> f64 {
    1.0 - outside as f64 / call as f64
}

fn median(truth: &Answer, module: &str) -> Result<u64> {
    truth.get(&format!("{module}_ns_p50"))
}

impl Run {
    /// A percentile by the report and by the module.
    fn both(&self, pair: &Pair, quantile: &str) -> Result<(f64, f64)> {
        let reported = known(self.report.device(EDU)?, &format!("{}.{quantile}", pair.metric))?;
        let truth = self.truth.get(&format!("{}_ns_{quantile}", pair.module))?;
        Ok((reported as f64, truth as f64))
    }

    /// All calls were timed, and none for longer than it took.
    fn at_most(&self, pair: &Pair) -> Result<()> {
        let samples = known(self.report.device(EDU)?, &format!("{}.samples", pair.metric))?;
        let calls = self.truth.get(&format!("{}_samples", pair.module))?;
        ensure!(samples == calls, "{}: {samples} samples of {calls} calls", pair.metric);
        for quantile in QUANTILES {
            let (reported, truth) = self.both(pair, quantile)?;
            let (metric, most) = (pair.metric, truth * (1.0 + BUCKET_ERROR));
            ensure!(reported <= most, "{metric}.{quantile} {reported} ns, the module measured {truth} ns");
        }
        Ok(())
    }

    /// What was timed is no less than the call without what lies outside: where it is, what was seen.
    fn at_least(&self, pair: &Pair, share: f64) -> Result<Vec<(&'static str, String)>> {
        let mut low = Vec::new();
        for quantile in pair.close.iter().copied() {
            let (reported, truth) = self.both(pair, quantile)?;
            let least = truth * share * (1.0 - BUCKET_ERROR);
            let seen = format!("{}.{quantile} {reported} of {truth} ns, at least {least:.0}", pair.metric);
            println!("# {seen}");
            if reported < least {
                low.push((quantile, seen));
            }
        }
        Ok(low)
    }
}
