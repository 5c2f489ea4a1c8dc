//! Measures what tracing adds to one map+unmap pair, in a guest that counts instructions (one guest nanosecond each).
//!
//! Prints one JSON line: `{"kernel": …, "none": N, "stock": N, "floor": {PROFILE: N, …}, "iova": {PROFILE: N, …},
//! "events": {SHARE: N, …}, "strict": {"none": N, "default": N},
//! "start": {…}}`, all in instructions, and per pair but for the start; "stock" is with the module iova_policy loaded, "events" with `iova record --events` in profile
//! default, "strict" in a domain whose unmaps wait for the IOMMU, on one kernel. `guest-bench pair [RUNS]` is the measured load itself.

mod floor;
mod pair;
mod start;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// The profiles of `iova report`, least first.
const PROFILES: [&str; 3] = ["light", "default", "full"];

/// Shares of all calls that are kept one by one.
const SHARES: [&str; 2] = ["1/64", "1/1"];
/// With all of them kept, so many runs fit into the ring: what is lost costs less.
const KEPT_RUNS: usize = 3;

/// The kernel on which a strict domain is measured, too.
const STRICT: &str = "6.12.";

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("began") => start::began(),
        Some("pair") => pair::instructions(runs()).map(|n| println!("{n}")),
        _ => run().map(|table| println!("{table}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How many runs the command line asks for.
fn runs() -> usize {
    std::env::args().nth(2).and_then(|runs| runs.parse().ok()).unwrap_or(pair::RUNS)
}

fn run() -> Result<Value> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    pair::module("modprobe", "iova_load")?;
    let none = pair::instructions(pair::RUNS)?;
    pair::module("modprobe", "iova_policy")?;
    let stock = pair::instructions(pair::RUNS)?;
    pair::module("rmmod", "iova_policy")?;
    let (mut floors, mut traced) = (BTreeMap::new(), BTreeMap::new());
    for profile in PROFILES {
        let held = floor::attach(profile)?;
        floors.insert(profile, pair::instructions(pair::RUNS)?);
        drop(held);
        traced.insert(profile, under_iova(profile)?);
    }
    let events = SHARES.iter().map(|share| Ok((*share, recorded(share)?)));
    let events = events.collect::<Result<BTreeMap<_, _>>>()?;
    let kernel = kernel.trim();
    let start = start::measure()?;
    let strict = if kernel.starts_with(STRICT) { Some(strict()?) } else { None };
    Ok(json!({
        "kernel": kernel, "none": none, "stock": stock, "floor": floors, "iova": traced, "events": events,
        "start": start,
        "strict": strict
    }))
}

/// The pair in a strict domain, without a tracer and with profile default.
fn strict() -> Result<Value> {
    pair::make_strict()?;
    Ok(json!({"none": pair::instructions(pair::RUNS)?, "default": under_iova("default")?}))
}

/// The pair while single calls are recorded.
fn recorded(share: &str) -> Result<u64> {
    let own = std::env::current_exe()?;
    let script = format!("exec {} pair {KEPT_RUNS} > /tmp/pair", own.display());
    let (place, events) = ("/tmp/bench.iova", format!("--events={share}"));
    let record = ["record", &events, "-o", place, "--", "sh", "-c", &script];
    let output =
        Command::new("iova").args(record).stdin(Stdio::null()).output().context("cannot start iova")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "iova record --events={share}: {}: {errors}", output.status);
    let info = Command::new("iova").args(["record", "info", place, "--format", "json"]).output()?;
    std::fs::remove_file(place)?;
    let info: Value = serde_json::from_slice(&info.stdout).context("iova record info printed no JSON")?;
    let calls = &info["calls"];
    ensure!(
        calls["lost"] == 0 && calls["kept"].as_u64() > Some(0),
        "iova kept {calls} with --events={share}"
    );
    result()
}

/// What the measured command printed.
fn result() -> Result<u64> {
    let text = std::fs::read_to_string("/tmp/pair").context("the measured command left no result")?;
    text.trim().parse().with_context(|| format!("the measured command printed '{}'", text.trim()))
}

/// The pair while the shipped binary traces, with its readings every second and all.
fn under_iova(profile: &str) -> Result<u64> {
    let own = std::env::current_exe()?;
    let script = format!("exec {} pair > /tmp/pair", own.display());
    let report = Command::new("iova")
        .args(["report", "--profile", profile, "--format", "json", "--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .output()
        .context("cannot start iova")?;
    let errors = String::from_utf8_lossy(&report.stderr);
    ensure!(report.status.success(), "iova report --profile {profile}: {}: {errors}", report.status);
    let report: Value = serde_json::from_slice(&report.stdout).context("iova report printed no JSON")?;
    let devices = report["devices"].as_array().context("the report has no devices")?;
    let seen: u64 = devices.iter().filter_map(|device| device["alloc"]["count"].as_u64()).sum();
    ensure!(
        seen >= pair::COUNT,
        "iova saw {seen} allocations of at least {}: it wasn't tracing",
        pair::COUNT
    );
    result()
}
