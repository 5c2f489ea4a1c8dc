//! What systemd says.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// As they are installed.
pub(crate) const UNITS: [&str; 2] = ["iova-policy.service", "iova-policy-boot-ok.service"];

/// Those of a boot trial; the first runs the command that was given, with all rights.
const TRIAL_UNITS: [&str; 2] = ["iova-boot-trial.service", "iova-boot-trial-apply.service"];

/// Exposure at most, by `systemd-analyze security`.
const EXPOSED: f32 = 4.0;

/// Runs a program; gives its exit code and all that it said.
pub(crate) fn ask(program: &str, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("starting {program}"))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// Runs a program that must succeed; gives what it said.
pub(crate) fn tell(program: &str, arguments: &[&str]) -> Result<String> {
    let (code, said) = ask(program, arguments)?;
    ensure!(code == Some(0), "{program} {} ended with {code:?}: {said}", arguments.join(" "));
    Ok(said)
}

/// This boot's journal.
pub(crate) fn journal(arguments: &[&str]) -> Result<String> {
    tell("journalctl", &[&["--boot", "--no-pager", "--output=short-monotonic"], arguments].concat())
}

/// One property of a unit.
pub(crate) fn property(unit: &str, name: &str) -> Result<String> {
    Ok(tell("systemctl", &["show", "--value", "--property", name, unit])?.trim().to_owned())
}

pub(crate) fn units_are_skipped() -> Result<String> {
    for unit in UNITS {
        let of = |name| property(unit, name);
        let (condition, state) = (of("ConditionResult")?, of("ActiveState")?);
        ensure!(condition == "no" && state == "inactive", "{unit}: condition {condition}, {state}");
        // Not for want of trying.
        ensure!(of("ConditionTimestampMonotonic")? != "0", "{unit} was never asked for");
    }
    Ok(String::new())
}

pub(crate) fn is_up() -> Result<String> {
    let failed = tell("systemctl", &["list-units", "--failed", "--plain", "--no-legend"])?;
    ensure!(failed.trim().is_empty(), "failed units: {failed}");
    let target = tell("systemctl", &["is-active", "multi-user.target"])?;
    ensure!(target.trim() == "active", "multi-user.target is {target}");
    let journal = journal(&[])?;
    let cycles: Vec<_> = journal.lines().filter(|line| line.contains("ordering cycle")).collect();
    ensure!(cycles.is_empty(), "{}", cycles.join("\n"));
    Ok(String::new())
}

pub(crate) fn units_are_sound() -> Result<String> {
    let said = tell("systemd-analyze", &[&["verify"], &UNITS[..], &TRIAL_UNITS[..]].concat())?;
    ensure!(said.trim().is_empty(), "{said}");
    let shut_in = UNITS.into_iter().chain([TRIAL_UNITS[1]]);
    shut_in.map(|unit| exposure_is(unit, EXPOSED)).collect()
}

/// The exposure of a unit, as this systemd counts it, is no more than that; a remark that has it.
pub(crate) fn exposure_is(unit: &str, most: f32) -> Result<String> {
    let said = tell("systemd-analyze", &["security", "--no-pager", unit])?;
    let line = said.lines().find(|line| line.contains("Overall exposure level")).context("no score")?;
    let score = line.split_whitespace().find_map(|word| word.parse::<f32>().ok()).context("no score")?;
    ensure!(score <= most, "{line}");
    Ok(format!("# {}\n", line.trim_start_matches(|c: char| !c.is_ascii()).trim()))
}
