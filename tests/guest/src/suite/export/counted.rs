//! Counters against the load module's own counts.

use anyhow::{Result, bail, ensure};

use super::scrape::{Scrape, get, label};
use super::{Exporter, TCP, device};
use crate::Outcome;
use crate::load::{Answer, EDU, Load};

const PAIRS: &str = "loop mask=64 sizes=4K,12K,64K,260K count=5000";

/// How often a test may try until the kernel skips nothing; see the suite `counts`.
const ATTEMPTS: u32 = 3;

/// Families, and what the module calls them.
const FIGURES: [(&str, &str); 5] = [
    ("iova_alloc_total", "maps"),
    ("iova_alloc_failed_total", "failed"),
    ("iova_alloc_high_total", "high"),
    ("iova_free_total", "unmaps"),
    ("iova_free_bytes_total", "bytes"),
];

pub(super) fn exact(address: &'static str) -> Result<Outcome> {
    let load = Load::new(EDU)?;
    let exporter = Exporter::start(address, &[])?;
    let outcome = compared(&exporter, &load, PAIRS)?;
    formats(address)?;
    exporter.end()?;
    Ok(outcome)
}

/// A device confined to 32 bits whose space is full: large maps fail, small ones still fit.
pub(super) fn failures() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    load.run("fill32 mask=32 size=1M")?;
    let exporter = Exporter::start(TCP, &[])?;
    let outcome = compared(&exporter, &load, "loop mask=32 sizes=1M,4K,2M,8K count=100")?;
    let failed = exporter.scrape()?.value("iova_alloc_failed_total", &device(EDU))?;
    exporter.end()?;
    load.clean()?;
    ensure!(failed >= 50.0, "half of the maps are large and should have failed, but {failed} did");
    Ok(outcome)
}

fn compared(exporter: &Exporter, load: &Load, text: &str) -> Result<Outcome> {
    let misses = |scrape: &Scrape| scrape.value("iova_quality_recursion_misses_total", "");
    let mut skipped = 0.0;
    for _ in 0..ATTEMPTS {
        let before = exporter.fresh()?;
        let truth = load.run(text)?;
        let after = exporter.fresh()?;
        after.follows(&before)?;
        skipped = misses(&after)? - misses(&before)?;
        let wrong = differences(&before, &after, &truth)?;
        if wrong.is_empty() {
            return Ok(Outcome::Passed);
        }
        if skipped == 0.0 {
            bail!("{}", wrong.join("; "));
        }
    }
    Ok(Outcome::Skipped(format!("the kernel skipped programs, which the exporter counts ({skipped})")))
}

/// Where the growth of a counter is not what the module did.
fn differences(before: &Scrape, after: &Scrape, truth: &Answer) -> Result<Vec<String>> {
    let edu = device(EDU);
    let grown = |name: &str, label: &str| -> Result<u64> {
        // What was never counted has no series yet.
        Ok((after.value(name, label)? - before.one(name, label)?.unwrap_or(0.0)) as u64)
    };
    let mut wrong = Vec::new();
    for (name, key) in FIGURES {
        let (ours, theirs) = (grown(name, &edu)?, truth.get(key)?);
        wrong.extend((ours != theirs).then(|| format!("{name} grew by {ours}, module {theirs}")));
    }
    for (order, theirs) in truth.by_order("") {
        let ours = of_order(after, order)? - of_order(before, order)?;
        wrong.extend(
            (ours != theirs as f64).then(|| format!("order {order} grew by {ours}, module {theirs}")),
        );
    }
    let lost = grown("iova_quality_frames_lost_total", "")?;
    let (timed, maps) = (grown("iova_alloc_latency_seconds_count", &edu)?, truth.get("maps")?);
    wrong.extend((timed > maps || timed + lost < maps).then(|| format!("{timed} of {maps} were timed")));
    Ok(wrong)
}

fn of_order(scrape: &Scrape, order: u64) -> Result<f64> {
    let mut sum = 0.0;
    for (series, value) in scrape.all("iova_alloc_by_order_total", &device(EDU)) {
        sum += if label(series, "order")? == order.to_string() { value } else { 0.0 };
    }
    Ok(sum)
}

/// Whoever asks gets the same figures in the form that was asked for.
fn formats(address: &str) -> Result<()> {
    let edu = device(EDU);
    let of = |scrape: &Scrape| scrape.value("iova_alloc_total", &edu);
    let (text, openmetrics) = (of(&Scrape::text(address)?)?, of(&Scrape::openmetrics(address)?)?);
    ensure!(text == openmetrics, "{text} allocations in one text, {openmetrics} in the other");
    let proto = "application/vnd.google.protobuf";
    let accept = format!("{proto};proto=io.prometheus.client.MetricFamily;encoding=delimited");
    let answer = get(address, "/metrics", &accept)?;
    ensure!(answer.head.contains(proto) && !answer.body.is_empty(), "{}", answer.head);
    let health = get(address, "/healthz", "*/*")?;
    ensure!(health.status == "200" && health.body.starts_with(b"ok: last reading"), "{}", health.head);
    Ok(())
}
