//! `iova policy try` on the disk while it is busy: its addresses move above 4 GiB and back, nothing is lost; and every
//! way to lose the one who tries takes the policy back.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};

use super::device::{self, NVME, SATA};
use super::disk;
use super::lease::{Control, records_of};
use super::tool::{self, Landed, Trial};
use crate::Outcome;

const DISK: &str = "nvme0n1";
const POLICY: &str = "dac:40";
/// Threads of the I/O load; more than CPUs, as a busy disk has.
const THREADS: usize = 3;
/// In-flight requests of before the change free low addresses after it. So many looks may show that before one shows
/// nothing but high ones.
const LOOKS: usize = 5;

/// So long a policy may be in force without a look at faults; a machine that stands still meanwhile gets another chance.
const UNWATCHED: Duration = Duration::from_millis(1200);
const STOPS: usize = 3;

/// The most that a revert may take (the time that the sysfs file shows it included).
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) fn there_and_back() -> Result<Outcome> {
    device::module()?;
    let stock = NVME.shows()?;
    let io = disk::Load::start(THREADS);
    let before = Landed::now(NVME, "1s")?;
    ensure!(before.all_low(), "to begin with, {before}");

    let trial = Trial::start(DISK, POLICY, &["--flush", "--keep-if-ok"])?;
    eventually_high()?;
    let said = trial.end()?.code(0)?.json()?;
    println!("# the trial says: {}, {}", said["outcome"], said["why"]);
    ensure!(
        tool::number(&said, "/last/policy/effective_high_ratio")? == 1.0,
        "the tool says: {}",
        tool::brief(&said)
    );
    ensure!(
        tool::number(&said, "/before/policy/effective_high_ratio")? == 0.0,
        "the tool says: {}",
        tool::brief(&said)
    );
    ensure!(NVME.get("policy")? == POLICY, "kept, but the policy is {}", NVME.get("policy")?);
    ensure!(NVME.get("effective")?.ends_with("40"), "in effect is {}", NVME.get("effective")?);
    let kept = Landed::now(NVME, "1s")?;
    ensure!(kept.all_high(), "kept, but {kept}");

    println!("# shown as {}", tool::show(NVME)?);

    tool::policy(&["revert", DISK])?.code(0)?;
    let after = Landed::now(NVME, "2s")?;
    ensure!(after.all_low(), "after revert, {after}");
    ensure!(NVME.shows()? == stock, "{stock}; after revert {}", NVME.shows()?);
    io.stop()?.is_clean()?;
    Ok(Outcome::Passed)
}

/// The independent witness: seconds in which every single allocation is high.
fn eventually_high() -> Result<()> {
    let mut seen = Vec::new();
    for _ in 0..LOOKS {
        let landed = Landed::now(NVME, "1s")?;
        if landed.all_high() {
            println!("# {} allocations, all high, after {} looks", landed.count, seen.len());
            return Ok(());
        }
        seen.push(landed.to_string());
    }
    anyhow::bail!("never all high, but {}", seen.join(", "))
}

/// What can't be done is refused with a reason, and changes nothing.
pub(super) fn refusals() -> Result<Outcome> {
    device::module()?;
    let stock = NVME.shows()?;
    for bad in ["dac:32", "dac:58", "cap:31", "cap:64", "dac", "high"] {
        tool::policy(&["try", DISK, bad])?.code(2)?;
    }
    tool::policy(&["set", DISK, "cap:36"])?.code(1)?;
    tool::policy(&["try", "nvme9n9", POLICY])?.code(2)?;
    // Nothing is bound to it, so there is nothing to watch.
    tool::policy(&["try", SATA.0, POLICY])?.code(1)?.sentence(&["driver"])?;
    ensure!(NVME.shows()? == stock, "{stock}; after refusals {}", NVME.shows()?);
    Ok(Outcome::Passed)
}

pub(super) fn killed() -> Result<Outcome> {
    device::module()?;
    let stock = NVME.shows()?;
    let io = disk::Load::start(THREADS);
    let trial = Trial::start(DISK, POLICY, &["--flush"])?;
    ensure!(NVME.get("state")?.starts_with("leased"), "the state is {}", NVME.get("state")?);
    trial.signal(libc::SIGKILL);
    let took = NVME.until("state", |state| state == "idle", device::PATIENCE)?;
    println!("# SIGKILL to stock: {} ms", took.as_millis());
    ensure!(took <= AT_ONCE, "it took {took:?}");
    ensure!(NVME.shows()? == stock, "{stock}; after SIGKILL {}", NVME.shows()?);
    drop(trial.end());
    let after = Landed::now(NVME, "1s")?;
    ensure!(after.all_low(), "after all that, {after}");
    io.stop()?.is_clean()?;
    cause_is(iova_common::policy::cause::CLOSED)
}

/// A lease whose holder does nothing any more; and one whose holder is stopped.
pub(super) fn expired() -> Result<Outcome> {
    device::module()?;
    let stock = NVME.shows()?;
    let control = Control::open()?;
    let lease = Duration::from_millis(u64::from(control.info()?.lease_min_ms.max(1500)));
    let start = Instant::now();
    let stage = control.stage_dac(NVME, lease.as_millis() as u32)?;
    NVME.until("state", |state| state == "idle", device::PATIENCE)?;
    let late = start.elapsed().checked_sub(lease);
    println!("# a lease of {lease:?} ended after {:?}", start.elapsed());
    ensure!(
        late.is_some_and(|late| late <= AT_ONCE),
        "a lease of {lease:?} ended after {:?}",
        start.elapsed()
    );
    ensure!(NVME.shows()? == stock, "{stock}; after the lease {}", NVME.shows()?);
    let status = control.status(stage.cookie)?;
    ensure!(
        status.state == iova_common::policy::lease_state::ENDED,
        "the lease is in state {}",
        status.state
    );
    ensure!(control.commit(stage.cookie).is_err(), "a lease that has ended can be kept");
    cause_is(iova_common::policy::cause::EXPIRED)?;

    stopped(&stock)
}

/// A watcher that does not look at faults loses its lease, long before the trial was to end.
fn stopped(stock: &str) -> Result<Outcome> {
    let mut all = Vec::new();
    for _ in 0..STOPS {
        let trial = Trial::start(DISK, POLICY, &["--for", "10m"])?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        trial.signal(libc::SIGSTOP);
        NVME.until("state", |state| state == "idle", device::PATIENCE)?;
        ensure!(NVME.shows()? == stock, "{stock}; after the lease {}", NVME.shows()?);
        trial.signal(libc::SIGCONT);
        trial.end()?.code(1)?;
        cause_is(iova_common::policy::cause::EXPIRED)?;
        let ended = records_of(NVME)?.last().map_or(0, |record| record.time_ns);
        let took = Duration::from_nanos(ended).saturating_sub(since);
        println!("# a stopped watcher lost its lease after {took:?}");
        if took <= UNWATCHED {
            return Ok(Outcome::Passed);
        }
        all.push(took);
    }
    anyhow::bail!("a stopped watcher lost its lease only after {all:?}")
}

/// The newest record about the disk has this cause.
fn cause_is(cause: u32) -> Result<Outcome> {
    let records = records_of(NVME)?;
    let last = records.last().map(|record| record.cause);
    ensure!(last == Some(cause), "the newest record has cause {last:?}, not {cause}");
    Ok(Outcome::Passed)
}
