//! The load module: it does exactly what it is told.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

const MODULE: &str = "/dev/iova_load";

/// Pairs of map and unmap on a device: each is one allocation and one free.
pub(super) fn pairs(device: &str, count: u64) -> Result<()> {
    if !Path::new(MODULE).exists() {
        Command::new("/bin/busybox").args(["modprobe", "iova_load"]).status()?;
    }
    let result = fs::write(MODULE, format!("loop dev={device} sizes=4K count={count}"));
    let answer = fs::read_to_string(MODULE).context("the load module is not there")?;
    result.with_context(|| answer.replace('\n', " "))?;
    let maps = answer.lines().any(|line| line == "status=0");
    ensure!(maps, "the load module: {}", answer.replace('\n', " "));
    Ok(())
}

/// Runs a busybox applet.
pub(super) fn busybox(args: &[&str]) -> Result<()> {
    let output = Command::new("/bin/busybox").args(args).output()?;
    ensure!(
        output.status.success(),
        "{}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Gives the guest's network interface its address and routes again, as the guest's init does.
pub(super) fn network_up() -> Result<()> {
    // What is still there is no error.
    let _ = busybox(&["ip", "addr", "add", "10.0.2.15/24", "dev", "eth0"]);
    busybox(&["ip", "link", "set", "eth0", "up"])?;
    let _ = busybox(&["ip", "route", "add", "default", "via", "10.0.2.2"]);
    Ok(())
}
