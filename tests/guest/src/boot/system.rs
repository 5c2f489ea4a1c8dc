//! What systemd says.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// As they are installed.
pub(crate) const UNITS: [&str; 2] = ["iova-policy.service", "iova-policy-boot-ok.service"];

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
    let said = tell("systemd-analyze", &["verify", UNITS[0], UNITS[1]])?;
    ensure!(said.trim().is_empty(), "{said}");
    let mut remarks = String::new();
    for unit in UNITS {
        let said = tell("systemd-analyze", &["security", "--no-pager", unit])?;
        let score = said.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
        remarks.push_str(&format!("# {}\n", score.trim_start_matches(|c: char| !c.is_ascii()).trim()));
    }
    Ok(remarks)
}
