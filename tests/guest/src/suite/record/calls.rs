//! Single allocations and frees (`--events`): none without being counted, and each of them true.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{info, place};
use crate::Outcome;
use crate::load::{Answer, EDU, Load, MODULE};
use crate::robust::run::ask;

/// Six sizes of six orders; all calls fit into the ring.
const FEW: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=6000 threads=2 pin";
/// Twice what the ring holds, at least.
const MANY: &str = "loop mask=64 sizes=4K,12K,32K,64K,128K,260K count=80000 threads=2 pin";

/// How often a test may try until the kernel skips no program, and nobody is in a call when the recording begins.
const ATTEMPTS: u32 = 3;

/// What was recorded of a load.
struct Recorded {
    file: String,
    info: Value,
    report: Value,
    truth: Answer,
}

impl Recorded {
    fn of(share: &str, interval: &str, text: &str) -> Result<Self> {
        let load = Load::new(EDU)?;
        let file = place("calls.iova")?;
        let events = format!("--events={share}");
        let script = format!("echo \"$0\" > {MODULE}");
        let command = load.command(text);
        let args = ["record", &events, "-o", &file, "--interval", interval];
        ask(&[&args[..], &["--", "/bin/busybox", "sh", "-c", &script, &command]].concat())?.code(0)?;
        let truth = Answer::last().with_context(|| command.clone())?;
        let report = ask(&["replay", &file, "report", "--format", "json"])?.code(0)?.json()?;
        Ok(Self { info: info(&file)?, file, report, truth })
    }

    /// A figure about all calls.
    fn calls(&self, name: &str) -> Result<u64> {
        self.info["calls"][name].as_u64().with_context(|| format!("no {name} in {}", self.info))
    }

    /// What was counted of all devices: allocations and frees.
    fn counted(&self) -> Result<u64> {
        let devices = self.report["devices"].as_array().context("the report has no devices")?;
        let count = |device: &Value, what: &str| device[what]["count"].as_u64().unwrap_or(0);
        Ok(devices.iter().map(|device| count(device, "alloc") + count(device, "free")).sum())
    }

    /// Program runs that the kernel skipped.
    fn skipped(&self) -> u64 {
        self.report["quality"]["recursion_misses"].as_u64().unwrap_or(0)
    }

    /// Kept, lost and passed over: all calls, and none twice.
    fn adds_up(&self) -> Result<()> {
        let all = self.calls("kept")? + self.calls("lost")? + self.calls("passed")?;
        let counted = self.counted()?;
        ensure!(all == counted, "{} are {all} of {counted} allocations and frees", self.info["calls"]);
        Ok(())
    }

    /// The calls of the device.
    fn list(&self) -> Result<Vec<Value>> {
        let list =
            ask(&["replay", &self.file, "events", "--device", EDU, "--format", "json"])?.code(0)?.quiet()?;
        let lines = list.stdout.lines().map(|line| serde_json::from_str(line).map_err(Into::into));
        lines.collect()
    }
}

/// Tries again where the host was at fault, not `iova`.
fn repeated(check: impl Fn() -> Result<u64>) -> Result<Outcome> {
    let mut last = Ok(0);
    for _ in 0..ATTEMPTS {
        last = check();
        if matches!(last, Ok(0)) {
            return Ok(Outcome::Passed);
        }
    }
    let skipped = last?;
    Ok(Outcome::Skipped(format!("the kernel skipped programs {skipped} times, which was counted")))
}

/// With 1/1 each call of the load is there, and no address has two owners.
pub(super) fn every_one() -> Result<Outcome> {
    repeated(|| {
        let recorded = Recorded::of("1/1", "1s", FEW)?;
        if recorded.skipped() > 0 {
            return Ok(recorded.skipped());
        }
        ensure!(recorded.calls("lost")? == 0 && recorded.calls("passed")? == 0, "{}", recorded.info);
        recorded.adds_up()?;
        let (mut orders, mut held, mut frees) = (BTreeMap::new(), BTreeMap::new(), 0);
        for call in recorded.list()? {
            let number = |name: &str| call[name].as_u64().with_context(|| format!("no {name}: {call}"));
            let (pfn, pages) = (number("pfn")?, number("pages")?);
            if call["call"] == "free" {
                ensure!(held.remove(&pfn) == Some(pages), "given back, but not held: {call}");
                frees += 1;
                continue;
            }
            ensure!(call["call"] == "alloc" && number("latency_ns")? > 0, "{call}");
            let limit = number("limit_pfn")?;
            ensure!(pfn > 0 && pfn + pages - 1 <= limit && limit >= 1 << 20, "above its limit: {call}");
            let order = number("order")?;
            ensure!(pages <= 1 << order && pages > (1 << order) / 2, "not its order: {call}");
            *orders.entry(order).or_insert(0) += 1;
            let after = held.range(..pfn + pages).next_back().map_or(0, |(first, pages)| first + pages);
            ensure!(after <= pfn, "held already up to {after}: {call}");
            held.insert(pfn, pages);
        }
        ensure!(held.is_empty(), "{} addresses were never given back", held.len());
        let truth = recorded.truth.by_order("");
        ensure!(orders.into_iter().eq(truth.clone()), "the module counted by order {truth:?}");
        ensure!(frees == recorded.truth.get("unmaps")?, "{frees} frees");
        Ok(0)
    })
}

/// What the ring does not hold is lost, and counted.
pub(super) fn lost() -> Result<Outcome> {
    repeated(|| {
        let recorded = Recorded::of("1/1", "1m", MANY)?;
        recorded.adds_up()?;
        let (kept, lost) = (recorded.calls("kept")?, recorded.calls("lost")?);
        ensure!(kept > 70_000 && lost > 0 && recorded.calls("passed")? == 0, "{}", recorded.info);
        Ok(0)
    })
}

/// Allocations and frees are drawn alike.
pub(super) fn one_in_16() -> Result<Outcome> {
    repeated(|| {
        let recorded = Recorded::of("1/16", "1s", MANY)?;
        recorded.adds_up()?;
        ensure!(recorded.calls("lost")? == 0, "{}", recorded.info);
        let list = recorded.list()?;
        for (kind, all) in [("alloc", "maps"), ("free", "unmaps")] {
            let drawn = list.iter().filter(|call| call["call"] == kind).count() as f64;
            let all = recorded.truth.get(all)? as f64;
            // Six times the standard deviation.
            let off = 6.0 * (all / 16.0 * 15.0 / 16.0).sqrt();
            ensure!((drawn - all / 16.0).abs() <= off, "{drawn} of {all} {kind}s are not one in 16");
        }
        Ok(0)
    })
}
