//! Recordings: what they say later is what was said live, and nothing that happens to their writer makes them useless.

mod calls;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::robust::run::{Running, ask, iova};
use crate::top::Pty;
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("record.replay_is_the_live_report", replay_is_live),
    ("record.killed_it_is_good_to_its_last_block", killed),
    ("record.a_ring_is_written_when_asked", ring),
    ("record.is_played_on_the_screen", played),
    ("record.every_single_call", calls::every_one),
    ("record.lost_calls_are_counted", calls::lost),
    ("record.one_call_in_16", calls::one_in_16),
    ("record.says_why_it_cannot", refused),
];

const PATIENCE: Duration = Duration::from_secs(120);
/// Reads, writes and traffic for some seconds.
const LOAD: &str = "for i in 1 2 3 4 5 6; do \
    dd if=/dev/nvme0n1 of=/dev/null bs=128k count=200 iflag=direct 2>/dev/null; ping -c 3 -i 0.2 10.0.2.2 >/dev/null; done";

/// A place for a file of this name, where none is.
fn place(name: &str) -> Result<String> {
    let path = format!("/tmp/{name}");
    if Path::new(&path).exists() {
        fs::remove_file(&path)?;
    }
    Ok(path)
}

/// Beside a recorder, whose programs are in the kernel and stay there.
fn info(path: &str) -> Result<Value> {
    Running::start(iova(&["record", "info", path, "--format", "json"]))?.end_beside()?.code(0)?.json()
}

fn replay_is_live() -> Result<Outcome> {
    for format in ["json", "text", "html"] {
        let file = place("live.iova")?;
        let report =
            ["report", "--profile", "full", "--format", format, "--record", &file, "--", "sh", "-c", LOAD];
        let live = ask(&report)?.code(0)?;
        let replay = ask(&["replay", &file, "report", "--format", format])?.code(0)?.quiet()?;
        ensure!(live.stdout == replay.stdout, "live: {}\n\nreplay: {}", live.stdout, replay.stdout);
        if format == "json" {
            let count = live.json()?["devices"][0]["alloc"]["count"].as_u64().unwrap_or(0);
            ensure!(count >= 1200, "{count} allocations are no load");
        }
        let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "others may read it: {mode:o}");
    }
    Ok(Outcome::Passed)
}

fn killed() -> Result<Outcome> {
    let file = place("killed.iova")?;
    let running = Running::start(iova(&["record", "-o", &file, "--block", "2", "--interval", "200ms"]))?;
    while_written(&file, 2)?;
    running.signal(libc::SIGKILL);
    running.end()?;
    let info = info(&file)?;
    let samples = info["samples"].as_u64().unwrap_or(0);
    ensure!(samples >= 2, "{samples} samples are left: {info}");
    ensure!(info["flaw"].as_str().is_some_and(|flaw| flaw.contains("without its end")), "no flaw: {info}");
    ask(&["replay", &file, "report"])?.code(0)?.sentence(&["killed.iova", "without its end"])?;
    Ok(Outcome::Passed)
}

/// Waits until a file that is being written holds so many samples.
fn while_written(file: &str, samples: u64) -> Result<()> {
    let start = Instant::now();
    while info(file).map_or(0, |info| info["samples"].as_u64().unwrap_or(0)) < samples {
        ensure!(start.elapsed() < PATIENCE, "{file} does not get {samples} samples");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn ring() -> Result<Outcome> {
    let file = place("ring.iova")?;
    let mut running = Running::start(iova(&["record", "-o", &file, "--ring", "10s"]))?;
    running.hear_part("keeping the last 10s")?;
    // Something to keep.
    std::thread::sleep(Duration::from_secs(3));
    running.signal(libc::SIGUSR1);
    running.hear_part("is written: asked for by SIGUSR1")?;
    running.signal(libc::SIGTERM);
    let answer = running.end()?.code(0)?;
    ensure!(!Path::new(&file).exists(), "the ring itself was written");
    let line = answer.stderr.lines().find(|line| line.contains("is written")).context("no file is named")?;
    let written = line.split_whitespace().nth(1).context("no file is named")?;
    let info = info(written)?;
    ensure!(info["flaw"].is_null() && info["end"] == "asked for by SIGUSR1", "{info}");
    ensure!(info["samples"].as_u64() >= Some(2), "{info}");
    Ok(Outcome::Passed)
}

fn played() -> Result<Outcome> {
    let file = place("played.iova")?;
    ask(&["record", "-o", &file, "--", "sh", "-c", LOAD])?.code(0)?;
    let mut terminal = Pty::open()?;
    let mut child = terminal.start(&["replay", &file, "top", "--speed", "0"])?;
    terminal.shows("END")?;
    terminal.shows("nvme0n1")?;
    terminal.press("q")?;
    let status = child.wait()?;
    ensure!(status.success(), "{status}");
    Ok(Outcome::Passed)
}

fn refused() -> Result<Outcome> {
    fs::write("/tmp/there.iova", "x")?;
    for (args, words) in [
        (&["record", "-o", "/tmp/there.iova"][..], &["there.iova", "is there already"][..]),
        (&["record", "-o", "/nowhere/x.iova"], &["/nowhere/x.iova", "can't be written"]),
        (&["report", "--record", "/tmp/there.iova"], &["there.iova", "is there already"]),
        (&["replay", "/tmp/there.iova", "report"], &["there.iova", "no recording"]),
        (&["replay", "/nowhere", "report"], &["/nowhere"]),
    ] {
        ask(args)?.code(2)?.sentence(words)?;
    }
    Ok(Outcome::Passed)
}
