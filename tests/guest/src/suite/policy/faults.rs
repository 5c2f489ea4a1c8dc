//! Faults that come faster than anybody can look at them, from several threads at once, while leases begin and end.
//!
//! The module iova_load reports them as the driver of an AMD-Vi or SMMU does, from threads: the guard in iova_policy sees each,
//! with preemption off. On a kernel with PREEMPT_RT it must not take a lock there for which it would have to sleep.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use iova_common::policy::{cause, lease_state};

use super::device::{self, Device, EDU, PATIENCE, SATA};
use super::lease::Control;
use crate::Outcome;
use crate::load::Load;
use crate::measure::{Report, known, marked};

/// Long enough that two threads meet at the guard's lock: a sleeping lock there showed itself within these seconds.
const REPORT: &str = "faults threads=4 ms=5000";
const TRACED: &str = "faults threads=4 ms=1000";
const LEASE_MS: u32 = 60_000;
/// Between two rounds: the log that the module writes of each stays short enough to be read.
const PAUSE: Duration = Duration::from_millis(10);
/// The kernel's words for a sleep where it must not sleep.
const SPLATS: [&str; 3] =
    ["scheduling while atomic", "sleeping function called from invalid context", "Invalid wait context"];

pub(super) fn from_four_threads() -> Result<Outcome> {
    device::module()?;
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    let undisturbed = while_reported(SATA, undisturbed)?;
    let ended = while_reported(EDU, ended)?;
    println!("# {undisturbed} leases beside faults of another device, {ended} ended by faults");
    ensure!(undisturbed > 0 && ended > 0, "no lease in all that time");
    counted()?;
    EDU.must("state", "idle")?;
    EDU.unbind()?;
    quiet()?;
    Ok(Outcome::Passed)
}

/// Does it again and again while threads report faults of `device`; how often. It is told how to ask whether they still do.
fn while_reported(device: Device, what: impl Fn(&dyn Fn() -> bool) -> Result<()>) -> Result<u32> {
    std::thread::scope(|scope| {
        let reports = scope.spawn(|| Load::of(device.0).run(REPORT)?.get("reported"));
        let mut rounds = 0;
        while !reports.is_finished() {
            what(&|| !reports.is_finished())?;
            rounds += 1;
            std::thread::sleep(PAUSE);
        }
        let reported = reports.join().map_err(|_| anyhow!("the thread that reports panicked"))??;
        println!("# {reported} faults of {} reported", device.0);
        ensure!(reported > 0, "no fault was reported");
        Ok(rounds)
    })
}

/// Faults of another device are nothing to a lease: it ends when its holder says so.
fn undisturbed(_: &dyn Fn() -> bool) -> Result<()> {
    let control = Control::open()?;
    let stage = control.stage_dac(EDU, LEASE_MS)?;
    let state = control.status(stage.cookie)?.state;
    ensure!(state == lease_state::OPEN, "a fault of {} left the lease in state {state}", SATA.0);
    control.abort(stage.cookie).context("ABORT")?;
    Ok(())
}

/// The first fault of the device ends its lease, whenever in its life it comes.
fn ended(reported: &dyn Fn() -> bool) -> Result<()> {
    let control = Control::open()?;
    let Ok(stage) = control.stage_dac(EDU, LEASE_MS) else {
        // Quarantined while it was staged.
        return EDU.must("state", "idle");
    };
    let start = Instant::now();
    let open = || Ok::<_, anyhow::Error>(control.status(stage.cookie)?.state == lease_state::OPEN);
    while open()? {
        // The last fault may have been before the lease.
        if !reported() {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "no fault ended the lease");
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = control.status(stage.cookie)?;
    ensure!(status.cause == cause::FAULT, "the lease ended with cause {}: {status:?}", status.cause);
    ensure!(EDU.get("state")?.starts_with("quarantined"), "the state is {}", EDU.get("state")?);
    EDU.must("state", "idle")
}

/// The tracer counts them too: exactly, or less and marked.
fn counted() -> Result<()> {
    let (report, truth) = Report::around(&Load::of(EDU.0), "light", TRACED)?;
    let (device, reported) = (report.device(EDU.0)?, truth.get("reported")?);
    let count = known(device, "faults.count")?;
    println!("# {count} of {reported} faults counted, {}", report.quality());
    ensure!(count > 0 && count <= reported, "{count} faults counted, {reported} reported");
    ensure!(count == reported || marked(device, "faults.count"), "{count} of {reported} faults, not marked");
    Ok(())
}

/// The kernel's log has no complaint; what else would be one, xtask looks for.
fn quiet() -> Result<()> {
    let log = std::process::Command::new("/bin/busybox").arg("dmesg").output()?;
    let log = String::from_utf8_lossy(&log.stdout);
    let splat = log.lines().find(|line| SPLATS.iter().any(|splat| line.contains(splat)));
    ensure!(splat.is_none(), "the kernel says: {}", splat.unwrap_or_default());
    Ok(())
}
