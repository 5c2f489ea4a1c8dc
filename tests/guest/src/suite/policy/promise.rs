//! What a lease promises: it ends on time, whatever is being done to its device.

use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use iova_common::policy::{cause, lease_state};

use super::device::{self, Device, EDU, NVME, PATIENCE};
use super::lease::{Control, records_of};
use super::pressure::{Console, Pressure};
use crate::Outcome;
use crate::load::Load;

/// Lengths of leases, ms. A timer wheel would be 32 ms late for the first and 16 s for the last.
const LENGTHS: [u32; 3] = [300, 5_000, 600_000];
/// So much later a policy may still be in force, where time is counted in instructions.
const PROMISE: Duration = Duration::from_millis(10);

/// Leases under pressure.
const MANY: usize = 100;

/// A lease in the middle of which space is still being held.
const SHORT_MS: u32 = 300;
/// Much longer than any device is locked, much shorter than it takes to hold a fragmented space.
const SOON: Duration = Duration::from_millis(250);
/// More holes than can be held within the lease.
const HOLES: &str = "fragment mask=64 size=16K hole=16K high=256K slots=32 keep=holes";

/// Waits until a lease of the file has ended.
fn wait(control: &Control, patience: Duration) -> Result<()> {
    let mut fd = libc::pollfd { fd: control.0.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
    let ms = patience.as_millis().try_into()?;
    // SAFETY: one descriptor, which outlives the call.
    let ready = unsafe { libc::poll(&raw mut fd, 1, ms) };
    ensure!(ready == 1, "no lease ended within {patience:?}");
    Ok(())
}

/// How much later than asked for the policy was gone, by the times in the module's own records.
fn late(device: Device, ms: u32) -> Result<Duration> {
    let control = Control::open()?;
    let stage = control.stage_dac(device, ms)?;
    wait(&control, Duration::from_millis(ms.into()) + PATIENCE)?;
    let status = control.status(stage.cookie)?;
    ensure!((status.state, status.cause) == (lease_state::ENDED, cause::EXPIRED), "{status:?}");
    let records = records_of(device)?;
    let newest = |cause: u32| records.iter().rev().find(|record| record.cause == cause);
    let (Some(began), Some(ended)) = (newest(cause::STAGE), newest(cause::EXPIRED)) else {
        return Err(anyhow!("the lease is not on record"));
    };
    Ok(Duration::from_nanos(ended.time_ns - began.time_ns).saturating_sub(Duration::from_millis(ms.into())))
}

/// For a guest whose clock counts instructions.
pub(super) fn on_time() -> Result<Outcome> {
    device::module()?;
    for ms in LENGTHS {
        let late = late(NVME, ms)?;
        println!("# a lease of {ms} ms ended {late:?} late");
        ensure!(late <= PROMISE, "a lease of {ms} ms ended {late:?} late");
    }
    Ok(Outcome::Passed)
}

/// The same with an audit log that takes nothing and 250 processes that want to write to it, a udev that was stopped, and a
/// disk that answers nothing: the device of the leases.
pub(super) fn on_time_under_pressure() -> Result<Outcome> {
    device::module()?;
    let pressure = Pressure::start()?;
    let answered = pressure.answered();
    let all = many()?;
    ensure!(pressure.answered() <= answered + 1, "the disk went on answering");
    pressure.end()?;
    judge(all)
}

/// The same with a serial console without a reader.
pub(super) fn on_time_with_a_full_console() -> Result<Outcome> {
    device::module()?;
    let console = Console::fill()?;
    let all = many()?;
    drop(console);
    judge(all)
}

/// Lateness of each of many leases.
fn many() -> Result<Vec<Duration>> {
    (0..MANY).map(|_| late(NVME, LENGTHS[0])).collect()
}

fn judge(mut all: Vec<Duration>) -> Result<Outcome> {
    all.sort_unstable();
    let (median, worst) = (all[all.len() / 2], all[all.len() - 1]);
    println!("# {MANY} leases of {} ms ended {median:?} late (median), at most {worst:?}", LENGTHS[0]);
    ensure!(worst <= PROMISE, "a lease of {} ms ended {worst:?} late", LENGTHS[0]);
    Ok(Outcome::Passed)
}

/// How long the longest look at the state took, and when the lease had ended.
fn look() -> Result<(Duration, Duration)> {
    let (start, mut longest, mut leased) = (Instant::now(), Duration::ZERO, None);
    loop {
        let before = Instant::now();
        let state = EDU.get("state")?;
        longest = longest.max(before.elapsed());
        match (state.starts_with("leased"), leased) {
            (true, None) => leased = Some(before),
            (false, Some(since)) => return Ok((longest, before.duration_since(since))),
            _ => ensure!(start.elapsed() < PATIENCE, "the state is {state}"),
        }
    }
}

/// Looks at the device while another thread stages a lease that ends before all space is held.
fn staged_and_looked_at() -> Result<(Duration, Duration, Duration)> {
    let stager = thread::spawn(|| -> Result<Duration> {
        let (control, start) = (Control::open()?, Instant::now());
        let stage = control.stage_dac(EDU, SHORT_MS)?;
        let took = start.elapsed();
        wait(&control, PATIENCE)?;
        let status = control.status(stage.cookie)?;
        ensure!((status.state, status.cause) == (lease_state::ENDED, cause::EXPIRED), "{status:?}");
        Ok(took)
    });
    let looked = look();
    let took = stager.join().map_err(|_| anyhow!("the stager panicked"))??;
    let (longest, ended) = looked?;
    Ok((took, longest, ended))
}

pub(super) fn while_space_is_held() -> Result<Outcome> {
    device::module()?;
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    if EDU.get("mechanisms")?.contains("flag") {
        EDU.unbind()?;
        return Ok(Outcome::Skipped("this kernel has a flag and need not hold space".into()));
    }
    load.run("release keep=*; drain timeout_ms=60000; flush")?;
    load.run(HOLES)?;
    let stock = EDU.get("effective")?;
    let (took, longest, ended) = staged_and_looked_at()?;
    let after = EDU.get("effective")?;
    EDU.until("held", |held| held == "0", PATIENCE)?;
    load.clean()?;
    EDU.unbind()?;
    println!(
        "# STAGE took {took:?}, the longest look at the state {longest:?}, the lease ended after {ended:?}"
    );
    ensure!(longest < SOON, "a look at the state took {longest:?}");
    let lease = Duration::from_millis(SHORT_MS.into());
    ensure!(ended < lease + SOON, "a lease of {lease:?} was in force for {ended:?}");
    ensure!(after == stock, "{stock}; after the lease {after}");
    Ok(Outcome::Passed)
}
