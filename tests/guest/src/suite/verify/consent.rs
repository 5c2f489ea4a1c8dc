//! The question of `iova report --compat --output`: only a yes writes a file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Outcome;
use crate::top::Pty;

const STATE: &str = "/tmp/consent-state";
const FILE: &str = "/tmp/consent.json";
const QUESTION: &str = "Nothing is sent. [y/N]";

pub(super) fn a_yes_writes() -> Result<Outcome> {
    let _ = fs::remove_file(FILE);
    for no in ["\n", "n\n", "maybe\n", "\u{4}"] {
        answered(no, "nothing was written")?;
        ensure!(!Path::new(FILE).exists(), "{no:?} has written {FILE}");
    }
    answered("y\n", "written to")?;
    let report: Value = serde_json::from_str(&fs::read_to_string(FILE)?).context("what was written")?;
    ensure!(report["devices"].as_array().is_some_and(|devices| !devices.is_empty()), "{report}");
    // Whoever has written a report is told before the next measurement that the name is taken.
    let mut pty = Pty::open()?;
    let mut child = pty.start(&["report", "--compat", "--output", FILE])?;
    pty.shows("there is something of that name")?;
    let code = pty.wait(&mut child)?;
    ensure!(code == 2, "the exit code is {code}");
    Ok(Outcome::Passed)
}

fn answered(keys: &str, told: &str) -> Result<()> {
    let mut pty = Pty::open()?;
    let args = ["report", "--compat", "--duration", "10ms", "--output", FILE];
    let mut child = pty.start_with(&args, |command| {
        command.env("IOVA_STATE_DIR", STATE);
    })?;
    pty.shows(QUESTION)?;
    pty.press(keys)?;
    pty.shows(told)?;
    let code = pty.wait(&mut child)?;
    ensure!(code == 0, "after {keys:?} the exit code is {code}");
    Ok(())
}
