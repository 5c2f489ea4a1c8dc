//! `iova --bpf-log`, in a build for debugging the eBPF programs: what they log arrives, and they count as ever.

use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::load::{EDU, Load};
use crate::robust::run::{Running, UNTIL_CLOSED, iova};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[("bpf_log.rare_paths_are_printed", rare_paths)];

/// A device gets its slot, then no address.
fn rare_paths() -> Result<Outcome> {
    const FAILING: u64 = 10;
    let load = Load::new(EDU)?;
    load.run("fill32 mask=32 size=1M")?;
    let mut command = iova(&[&["--bpf-log", "report", "--format", "json"][..], &UNTIL_CLOSED].concat());
    command.stdin(Stdio::piped());
    let mut running = Running::start(command)?;
    running.hear("up")?;
    load.run(&format!("loop mask=32 sizes=1M count={FAILING}"))?;
    running.hear_part("got no address for 1048576 bytes below ffffffff")?;
    let answer = running.end()?.code(0)?;
    load.clean()?;
    ensure!(answer.stderr.contains("bpf: INFO iova_ebpf::device: device "), "no slot: {}", answer.stderr);
    let report = answer.json()?;
    let devices = report["devices"].as_array().into_iter().flatten();
    let failed: Vec<_> =
        devices.filter(|device| device["bdf"] == EDU).map(|device| &device["alloc"]["failed"]).collect();
    ensure!(failed == [FAILING], "{failed:?} of {FAILING} failed allocations");
    Ok(Outcome::Passed)
}
