//! What `iova`, its files and the device say.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::system::{UNITS, ask, journal, property, tell};

pub(crate) const DEVICE: &str = "0000:00:04.0";
const POLICY: &str = "dac:40";
const FILE: &str = "/var/lib/iova/policies/0000:00:04.0.toml";
/// The file as it was before boot-complete.target.
const EARLY: &str = "/run/iova-test-early.toml";
/// Of a policy that is skipped for its marks.
const WHY: &str = "2 boots that did not come up";
/// With the kernel's own buffers out of the way.
const READ: [&str; 5] = ["dd", "if=/dev/nvme0n1", "of=/dev/null", "bs=128k", "iflag=direct"];

fn attribute(name: &str) -> Result<String> {
    let path = format!("/sys/bus/pci/devices/{DEVICE}/iova_policy/{name}");
    Ok(fs::read_to_string(&path).with_context(|| format!("reading {path}"))?.trim().to_owned())
}

/// The count in a file of a persisted policy.
fn mark(path: &str) -> Result<u32> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let tried = text.lines().find_map(|line| line.strip_prefix("tried = "));
    tried.context("it has no mark")?.parse().context("its mark is no number")
}

pub(crate) fn remember_mark() -> Result<()> {
    if Path::new(FILE).exists() {
        fs::copy(FILE, EARLY).context("copying the mark")?;
    }
    Ok(())
}

pub(crate) fn is_stock() -> Result<String> {
    // Without anything persisted, nobody has loaded the module.
    tell("modprobe", &["iova_policy"])?;
    let (policy, effective) = (attribute("policy")?, attribute("effective")?);
    ensure!(policy == "stock" && effective.starts_with("sac-first"), "{policy}, {effective}");
    Ok(String::new())
}

pub(crate) fn is_in_force() -> Result<String> {
    let of = attribute;
    let (policy, effective, state) = (of("policy")?, of("effective")?, of("state")?);
    let wanted = policy == POLICY && effective == "full-range:40" && state == "active";
    ensure!(wanted, "{policy}, {effective}, {state}; {}", said(0)?);
    let (restore, driver) = (property(UNITS[0], "ExecMainExitTimestampMonotonic")?, driver_time()?);
    Ok(format!("# iova-policy.service was done at {restore} us, the driver began at {driver} s\n"))
}

/// When the driver took the device, as the kernel's log has it.
fn driver_time() -> Result<String> {
    let log = journal(&["--dmesg"])?;
    let line = log.lines().find(|line| line.contains(&format!("pci function {DEVICE}")));
    let time = line.and_then(|line| line.trim_start_matches(['[', ' ']).split(']').next());
    Ok(time.context("the kernel's log has no driver for the device")?.to_owned())
}

pub(crate) fn stock_is_not_persisted() -> Result<String> {
    let (code, said) = ask("iova", &["policy", "persist", DEVICE])?;
    ensure!(code == Some(1) && said.contains("stock is what every boot begins with"), "{code:?}: {said}");
    Ok(String::new())
}

pub(crate) fn trial_is_kept() -> Result<String> {
    let options = ["--before", "1s", "--flush", "--keep-if-ok", "--", "sh", "-c"];
    // Trial and command share their devices with nobody, so a short one will do.
    let load = format!("{} count=200", READ.join(" "));
    tell("iova", &[&["policy", "try", DEVICE, POLICY][..], &options, &[&load]].concat())?;
    is_in_force_now()
}

fn is_in_force_now() -> Result<String> {
    let policy = attribute("policy")?;
    ensure!(policy == POLICY, "the policy is {policy}");
    Ok(String::new())
}

pub(crate) fn is_persisted() -> Result<String> {
    tell("iova", &["policy", "persist", DEVICE, "--reason", "acceptance"])?;
    has_mark(0)
}

pub(crate) fn has_mark(expected: u32) -> Result<String> {
    let found = mark(FILE)?;
    ensure!(found == expected, "marked {found} times instead of {expected}; {}", said(1)?);
    Ok(String::new())
}

pub(crate) fn has_no_mark() -> Result<String> {
    has_mark(0)
}

pub(crate) fn was_marked() -> Result<String> {
    let found = mark(EARLY)?;
    ensure!(found == 1, "before boot-complete.target it was marked {found} times");
    Ok(String::new())
}

/// What one of the units has in the journal.
fn said(unit: usize) -> Result<String> {
    journal(&["--unit", UNITS[unit]])
}

pub(crate) fn log_has_restore() -> Result<String> {
    let log = tell("iova", &["policy", "log", DEVICE])?;
    // Not "to be applied at boot", which is what `persist` left.
    ensure!(log.contains(&format!("{POLICY}: applied at boot")), "{log}");
    Ok(String::new())
}

pub(crate) fn disk_can_be_read() -> Result<String> {
    let arguments = [&READ[1..], &["count=50"]].concat();
    tell(READ[0], &arguments).map(|_| String::new())
}

pub(crate) fn journal_says_why() -> Result<String> {
    let said = said(0)?;
    ensure!(said.contains(WHY), "{said}");
    Ok(String::new())
}

pub(crate) fn log_says_why() -> Result<String> {
    let log = tell("iova", &["policy", "log", DEVICE])?;
    ensure!(log.contains(WHY), "{log}");
    Ok(String::new())
}

pub(crate) fn is_forgotten() -> Result<String> {
    tell("iova", &["policy", "forget", DEVICE])?;
    ensure!(!Path::new(FILE).exists(), "{FILE} is still there");
    Ok(String::new())
}
