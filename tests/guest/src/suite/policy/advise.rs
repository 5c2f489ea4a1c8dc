//! What `iova advise` promises for the cliff, kept.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cliff::fragmented;
use super::device::{self, EDU};
use super::{host, tool};
use crate::Outcome;
use crate::load::Load;
use crate::robust::run::{ask, remark};

/// As in [`super::cliff`], in short commands: whoever records starts them.
const TRAFFIC: &str = "for i in 1 2 3 4 5 6 7 8; do echo 'loop sizes=2M,256K count=40 burst=2 pause_us=20000 dev=0000:00:05.0' > /dev/iova_load; \
                       done";
const BEFORE: &str = "/tmp/before.iova";
const METRIC: &str = "alloc.latency_ns.mean";

pub(super) fn kept() -> Result<Outcome> {
    let load = match fragmented()? {
        Ok(load) => load,
        Err(skipped) => return Ok(skipped),
    };
    let before = advice(BEFORE)?;
    let of = |id: &str| before.iter().find(|advice| advice["id"] == id);
    if let Some(boot) = of("dac-boot") {
        let option = drop_in();
        load.clean()?;
        EDU.unbind()?;
        return boot_option(boot, &option?);
    }
    let wanted = of("dac-device").with_context(|| format!("no such advice, but {before:?}"))?;
    ensure!(wanted["setting"]["policy"] == "dac:40", "the setting is {}", wanted["setting"]);
    let gain = promise(wanted)?;

    let mut words = vec!["set", EDU.0, "dac:40", "--yes", "--flush", "--reason", "advised"];
    if !host::low_space_has_holes() {
        words.push("--whole");
    }
    let set = tool::policy(&words)?.code(0);
    let after = set.and_then(|_| mean("/tmp/after.iova"));
    tool::policy(&["revert", EDU.0])?.code(0)?;
    load.clean()?;
    EDU.unbind()?;

    gain.holds(after?)
}

/// What is promised of the mean allocation, ns.
struct Promise {
    best: f64,
    worst: f64,
}

fn promise(advice: &Value) -> Result<Promise> {
    let gain = &advice["gain"];
    ensure!(gain["metric"] == METRIC, "the gain is {gain}");
    let number = |name: &str| gain[name].as_f64().context("no number");
    remark(&format!("mean allocation: {:.0} ns", number("now")?));
    Ok(Promise { best: number("best")?, worst: number("worst")? })
}

impl Promise {
    fn holds(&self, after: f64) -> Result<Outcome> {
        let Self { best, worst } = self;
        remark(&format!("mean allocation: promised {best:.0} to {worst:.0} ns, now {after:.0}"));
        ensure!(after >= *best && after <= *worst, "{after} ns is not within {best} to {worst}");
        Ok(Outcome::Passed)
    }
}

/// How the host is asked for one more boot; it reads option and promise here, and gives the promise back in [`PROMISE`].
const ONCE_MORE: &str = "boot once more with";
const PROMISE: &str = "IOVA_LAB_PROMISE";

/// The kernel takes it only at boot.
fn boot_option(advice: &Value, option: &str) -> Result<Outcome> {
    ensure!(advice["setting"]["option"] == option, "{option} in the file, but {}", advice["setting"]);
    let Promise { best, worst } = promise(advice)?;
    remark(&format!("{ONCE_MORE} {option} {best}..{worst}"));
    Ok(Outcome::Passed)
}

/// What the shell that makes GRUB's menu gets out of the file that `--out` writes on a Debian.
fn drop_in() -> Result<String> {
    std::fs::create_dir_all("/etc/default/grub.d")?;
    std::fs::write("/etc/os-release", "ID=debian\n")?;
    ask(&["advise", BEFORE, "--out", "/tmp/advice"])?.code(0)?;
    let script = "GRUB_CMDLINE_LINUX_DEFAULT=quiet; . /tmp/advice/etc/default/grub.d/50-iova.cfg; echo $GRUB_CMDLINE_LINUX_DEFAULT";
    let output = std::process::Command::new("/bin/busybox").args(["sh", "-c", script]).output()?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let option = line.strip_prefix("quiet ").with_context(|| format!("GRUB would boot with '{line}'"))?;
    Ok(option.to_owned())
}

/// In a boot with the option: the same load, and no search below 4 GiB that could be in vain.
pub(super) fn boot_option_kept() -> Result<Outcome> {
    let text = std::env::var(PROMISE).context("nothing is promised for this boot")?;
    let (best, worst) = text.split_once("..").context("no interval")?;
    let promise = Promise { best: best.parse()?, worst: worst.parse()? };
    let load = Load::new(EDU.0)?;
    device::module()?;
    EDU.bind("iova_load")?;
    let after = mean("/tmp/after.iova");
    load.clean()?;
    EDU.unbind()?;
    promise.holds(after?)
}

fn record(file: &str) -> Result<()> {
    ask(&["record", "-o", file, "--", "/bin/busybox", "sh", "-c", TRAFFIC])?.code(0).map(drop)
}

fn advice(file: &str) -> Result<Vec<Value>> {
    record(file)?;
    let said = ask(&["advise", file, "--format", "json"])?.code(0)?.json()?;
    said["hosts"][0]["advice"].as_array().cloned().with_context(|| said.to_string())
}

fn mean(file: &str) -> Result<f64> {
    record(file)?;
    let report = ask(&["replay", file, "report", "--format", "json"])?.code(0)?.json()?;
    std::fs::remove_file(file)?;
    let devices = report["devices"].as_array().context("no devices")?;
    let device = devices.iter().find(|device| device["bdf"] == EDU.0).context("no such device")?;
    device["alloc"]["latency_ns"]["mean"].as_f64().context("no mean")
}
