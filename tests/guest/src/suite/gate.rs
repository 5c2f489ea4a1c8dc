//! `iova gate run` around a slowdown that the load module plants, where time is counted in instructions.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::load::{EDU, Load, MODULE};
use crate::measure::{Report, known};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("gate.the_same_passes", the_same_passes),
    ("gate.five_percent_more_fail", five_percent_more_fail),
    ("gate.one_percent_more_fails", one_percent_more_fails),
    ("gate.one_run_cannot_be_judged", one_run_cannot_be_judged),
    ("gate.a_baseline_is_saved_and_compared", a_baseline_is_saved_and_compared),
];

/// Rounds for the calibration: enough for the mean, which is whole, to tell.
const MANY: u64 = 1000;

/// A load in which each allocation takes so many rounds longer.
fn load(rounds: u64) -> String {
    format!("echo delay rounds={rounds} > {MODULE} && echo bench dev={EDU} size=4K count=4000 > {MODULE}")
}

fn gate(args: &[&str], rule: &str, candidate: &str) -> Result<(i32, Value)> {
    let check = format!("alloc.latency_ns.mean <= {rule}");
    let output = Command::new("iova")
        .args(["gate", "run", "--device", EDU, "--format", "json", "--check", &check])
        .args(args)
        .args(["--", "/bin/busybox", "sh", "-c", candidate])
        .output()
        .context("starting iova")?;
    let code = output.status.code().context("a signal ended iova")?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&stdout);
    Ok((code, json.with_context(|| format!("{code}: {stdout}{}", String::from_utf8_lossy(&output.stderr)))?))
}

/// Compares two loads in turns; returns the exit code, and the check in words.
fn compare(runs: &str, rule: &str, before: u64, now: u64) -> Result<(i32, String)> {
    let (code, json) = gate(&["-n", runs, "--base", &load(before)], rule, &load(now))?;
    let check = &json["checks"][0];
    let told = format!(
        "{} by {}: {} to {}, p {}, {}",
        json["verdict"],
        check["how"],
        check["baseline"],
        check["candidate"],
        check["p_adjusted"],
        check["reason"]
    );
    println!("# {runs} runs, {before} and {now} rounds, {rule}: {told}");
    Ok((code, told))
}

/// Mean time of an allocation with so many rounds, ns, which are instructions here.
fn mean(rounds: u64) -> Result<u64> {
    let report = Report::take(&["--device", EDU, "--", "/bin/busybox", "sh", "-c", &load(rounds)])?;
    known(report.device(EDU)?, "alloc.latency_ns.mean")
}

/// Rounds that make an allocation this many percent slower.
fn rounds(percent: u64) -> Result<u64> {
    Load::new(EDU)?;
    let (without, with) = (mean(0)?, mean(MANY)?);
    ensure!(with > without + MANY, "{MANY} rounds took {without} to {with} ns");
    let rounds = (without * percent * MANY).div_ceil(100 * (with - without));
    println!(
        "# an allocation takes {without} ns, with {MANY} rounds {with}: {percent} % are {rounds} rounds"
    );
    Ok(rounds)
}

fn the_same_passes() -> Result<Outcome> {
    Load::new(EDU)?;
    let (code, told) = compare("10", "1.02 x baseline", 0, 0)?;
    ensure!(code == 0, "{code}: {told}");
    Ok(Outcome::Passed)
}

fn five_percent_more_fail() -> Result<Outcome> {
    let (code, told) = compare("10", "1.02 x baseline", 0, rounds(5)?)?;
    ensure!(code == 1, "{code}: {told}");
    Ok(Outcome::Passed)
}

fn one_percent_more_fails() -> Result<Outcome> {
    let (code, told) = compare("10", "1.005 x baseline", 0, rounds(1)?)?;
    ensure!(code == 1, "{code}: {told}");
    Ok(Outcome::Passed)
}

fn one_run_cannot_be_judged() -> Result<Outcome> {
    let (code, told) = compare("1", "1.02 x baseline", 0, rounds(5)?)?;
    ensure!(code == 4 && told.contains("too few runs: 1 and 1"), "{code}: {told}");
    Ok(Outcome::Passed)
}

fn a_baseline_is_saved_and_compared() -> Result<Outcome> {
    Load::new(EDU)?;
    let file = "/tmp/gate-base.json";
    let _ = fs::remove_file(file);
    let status = Command::new("iova")
        .args([
            "gate",
            "run",
            "-n",
            "5",
            "--device",
            EDU,
            "--save",
            file,
            "--",
            "/bin/busybox",
            "sh",
            "-c",
            &load(0),
        ])
        .status()?;
    ensure!(status.success(), "saving: {status}");
    for (rounds, expected) in [(0, 0), (MANY, 1)] {
        let (code, json) = gate(&["-n", "5", "--baseline", file], "1.05 x baseline", &load(rounds))?;
        if code != expected {
            bail!("{rounds} rounds: {code}: {json}");
        }
    }
    Ok(Outcome::Passed)
}
