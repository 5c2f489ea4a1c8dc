//! Names from outside that try to command the terminal.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::load::{busybox, network_up};
use super::run::{answer, ask, iova};
use super::sandbox::View;
use crate::Outcome;

/// Clears the screen, if it gets there.
const HOSTILE: &str = "e\x1b[2J\x1b[31m";

pub(super) fn hostile_names() -> Result<Outcome> {
    rename("eth0", HOSTILE)?;
    let result = hostile_interface();
    rename(HOSTILE, "eth0")?;
    network_up()?;
    result?;
    hostile_command()?;
    Ok(Outcome::Passed)
}

/// An interface changes its name only while it is down.
fn rename(from: &str, to: &str) -> Result<()> {
    busybox(&["ip", "link", "set", from, "down"])?;
    // Not through busybox, which has its own ideas of a good name.
    let renamed = Command::new("/bin/busybox").args(["nameif", to, &address(from)?]).output()?;
    let path = Path::new("/sys/class/net").join(to);
    let complaint = String::from_utf8_lossy(&renamed.stderr).into_owned();
    ensure!(path.exists(), "the interface could not be renamed: {complaint}");
    Ok(())
}

fn address(interface: &str) -> Result<String> {
    let path = Path::new("/sys/class/net").join(interface).join("address");
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

fn hostile_interface() -> Result<()> {
    harmless(&["devices"])?;
    harmless(&["devices", "--format", "json"])?;
    ask(&["devices", HOSTILE])?.code(0)?;
    Ok(())
}

/// The name of a command, and the host's name.
fn hostile_command() -> Result<()> {
    std::fs::write("/tmp/hostname", "h\x1b]0;owned\x07\n")?;
    let view = View::default().with("/tmp/hostname", "/proc/sys/kernel/hostname")?;
    let args = ["report", "--profile", "light", "--", "sh", "-c", "true # \x1b[2J\u{202e}"];
    let shown = answer(view.of(iova(&args)))?.code(0)?.says(&["command: sh -c true # ?[2J?"])?;
    check(&shown.stdout)
}

fn harmless(args: &[&str]) -> Result<()> {
    let answer = ask(args)?.code(0)?;
    check(&answer.stdout)?;
    check(&answer.stderr)?;
    answer.says(&["e?[2J?[31m"]).context("the name is not shown")?;
    Ok(())
}

fn check(shown: &str) -> Result<()> {
    let bad = shown.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    ensure!(bad.is_none(), "{bad:?} in {shown:?}");
    Ok(())
}
