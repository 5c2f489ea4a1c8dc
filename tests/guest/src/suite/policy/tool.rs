//! `iova policy`, and `iova report` beside it as the independent witness.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::device::{Device, PATIENCE};
use crate::measure::{Report, known};
use crate::robust::run::{Answer, Running, ask, iova};

/// A command that says when it has begun, and lasts until its standard input is closed.
const UNTIL_CLOSED: [&str; 4] = ["--", "sh", "-c", "echo up; exec cat"];

/// Runs `iova policy` to its end.
pub(super) fn policy(args: &[&str]) -> Result<Answer> {
    ask(&[&["policy"], args].concat())
}

/// An `iova policy try` that has changed the policy and goes on until its end is asked for.
pub(super) struct Trial(Running);

impl Trial {
    pub(super) fn start(device: &str, policy: &str, options: &[&str]) -> Result<Self> {
        let args = [
            &["policy", "try", device, policy, "--format", "json", "--before", "1s"],
            options,
            &UNTIL_CLOSED,
        ];
        let mut command = iova(&args.concat());
        command.stdin(std::process::Stdio::piped());
        let mut running = Running::start(command)?;
        running.hear("up")?;
        Ok(Self(running))
    }

    pub(super) fn pid(&self) -> libc::pid_t {
        self.0.pid()
    }

    pub(super) fn signal(&self, signal: i32) {
        self.0.signal(signal);
    }

    /// Ends the command, and with it the trial if nothing else has.
    pub(super) fn end(self) -> Result<Answer> {
        self.0.end()
    }
}

/// Where a device's addresses came from in some seconds.
pub(super) struct Landed {
    pub(super) count: u64,
    pub(super) failed: u64,
    pub(super) high: u64,
}

impl Landed {
    /// Asks `iova report`, again if there was nothing: a load may not have begun yet.
    pub(super) fn now(device: Device, seconds: &str) -> Result<Self> {
        let start = Instant::now();
        loop {
            let landed = Self::once(device, seconds)?;
            if landed.count > 0 || start.elapsed() > PATIENCE {
                return Ok(landed);
            }
        }
    }

    fn once(device: Device, seconds: &str) -> Result<Self> {
        let report = Report::take(&["--duration", seconds, "--profile", "light", "--device", device.0])?;
        let device = report.device(device.0)?;
        let get = |name| known(device, name);
        Ok(Self { count: get("alloc.count")?, failed: get("alloc.failed")?, high: get("alloc.high")? })
    }

    /// There were some, and all of them above 4 GiB.
    pub(super) fn all_high(&self) -> bool {
        self.count > 0 && self.high == self.count - self.failed
    }

    /// There were some, and none of them above 4 GiB.
    pub(super) fn all_low(&self) -> bool {
        self.count > 0 && self.high == 0
    }
}

impl std::fmt::Display for Landed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} of {} allocations are above 4 GiB, {} failed", self.high, self.count, self.failed)
    }
}

/// An answer without its histograms.
pub(super) fn brief(value: &Value) -> String {
    let of = |when: &str| format!("{when} {}", value[when]["policy"]);
    [of("before"), of("after"), of("last"), value["why"].to_string()].join(", ")
}

/// A number somewhere in the tool's answer, by its path.
pub(super) fn number(value: &Value, path: &str) -> Result<f64> {
    let found = value.pointer(path).with_context(|| format!("the answer has no {path}: {}", brief(value)))?;
    found.as_f64().with_context(|| format!("{path} is {found}, not a number"))
}

/// What `iova policy log` has about a device, newest first or last as the tool shows it.
pub(super) fn log(device: Device) -> Result<Value> {
    policy(&["log", device.0, "--format", "json"])?.code(0)?.quiet()?.json()
}

/// The device as `iova policy show` has it.
pub(super) fn show(device: Device) -> Result<Value> {
    let all = policy(&["show", device.0, "--format", "json"])?.code(0)?.quiet()?.json()?;
    let devices = all["devices"].as_array().context("the answer has no devices")?;
    let found = devices.iter().find(|entry| entry["bdf"] == device.0).cloned();
    ensure!(devices.len() == 1, "asked for one device, shown {}", devices.len());
    found.with_context(|| format!("{} is not shown", device.0))
}
