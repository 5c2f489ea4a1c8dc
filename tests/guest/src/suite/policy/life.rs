//! A policy follows its device: through drivers that come and go, removal, sleep, and the end of the module.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};
use iova_common::policy::{cause, lease_state};

use super::device::{self, EDU, NVME, PATIENCE};
use super::host;
use super::lease::{Control, records_of};
use super::tool::Landed;
use super::{disk, uevent};
use crate::Outcome;
use crate::load::Load;

/// What the tests write, and how `effective` begins under it.
const POLICY: &str = "dac:40";
const EFFECTIVE: &str = "full-range";

/// The disk's driver back, and ready.
fn bound() -> Result<()> {
    fs::write("/sys/bus/pci/drivers_probe", NVME.0)?;
    wait_for_disk()
}

fn wait_for_disk() -> Result<()> {
    let start = Instant::now();
    while !Path::new("/dev/nvme0n1").exists() {
        ensure!(start.elapsed() < PATIENCE, "the disk did not come back");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(())
}

pub(super) fn rebind() -> Result<Outcome> {
    device::module()?;
    let stock = NVME.get("effective")?;
    NVME.must("policy", POLICY)?;
    ensure!(NVME.get("effective")?.starts_with(EFFECTIVE), "in effect is {}", NVME.get("effective")?);
    let generation = NVME.generation()?;

    NVME.unbind()?;
    ensure!(NVME.get("policy")? == POLICY, "without a driver the policy is {}", NVME.get("policy")?);
    ensure!(NVME.get("state")? == "pending", "without a driver the state is {}", NVME.get("state")?);
    ensure!(NVME.get("effective")? == stock, "unbind left {}", NVME.get("effective")?);
    ensure!(NVME.get("held")? == "0", "unbind left {} bytes held", NVME.get("held")?);

    bound()?;
    ensure!(NVME.get("state")? == "active", "with its driver back the state is {}", NVME.get("state")?);
    ensure!(
        NVME.get("effective")?.starts_with(EFFECTIVE),
        "rebound, in effect is {}",
        NVME.get("effective")?
    );
    ensure!(NVME.generation()? > generation, "the generation did not grow");
    let last = records_of(NVME)?.last().map(|record| record.cause);
    ensure!(last == Some(cause::BIND), "the newest record has cause {last:?}");
    all_high()?;
    NVME.must("policy", "stock")?;
    NVME.unbind()?;
    bound()?;
    ensure!(NVME.get("effective")? == stock, "stock again, in effect is {}", NVME.get("effective")?);
    leased()
}

/// The disk works, and with high addresses only.
fn all_high() -> Result<()> {
    // The domain is the old one, and so is what its caches hold.
    Control::open()?.flush(NVME).context("draining the caches")?;
    let io = disk::Load::start(2);
    let landed = Landed::now(NVME, "1s")?;
    io.stop()?.is_clean()?;
    ensure!(landed.all_high(), "applied before the driver, but {landed}");
    Ok(())
}

/// A lease does not outlive the driver.
fn leased() -> Result<Outcome> {
    let control = Control::open()?;
    let stage = control.stage_dac(NVME, 60_000)?;
    NVME.refuses("policy", "stock", libc::EBUSY)?;
    let second = Control::open()?.stage_dac(NVME, 60_000);
    ensure!(second.is_err(), "two leases of one device");
    NVME.unbind()?;
    let status = control.status(stage.cookie)?;
    ensure!(status.state == lease_state::ENDED, "the lease is in state {}", status.state);
    ensure!(status.cause == cause::UNBIND, "the lease ended with cause {}", status.cause);
    bound()?;
    ensure!(NVME.get("policy")? == "stock", "the policy is {}", NVME.get("policy")?);
    Ok(Outcome::Passed)
}

/// The directory is there when user space hears of the device: udev rules write to it.
pub(super) fn replugged() -> Result<Outcome> {
    device::module()?;
    let _load = Load::new(EDU.0)?;
    for _ in 0..5 {
        EDU.bind("iova_load")?;
        let control = Control::open()?;
        Load::new(EDU.0)?.run("loop sizes=4K count=1 mask=64")?;
        let stage = control.stage_dac(EDU, 60_000)?;
        let events = uevent::Listener::new()?;
        EDU.replug()?;
        ensure!(events.wait_for_add(EDU.0)?, "{} has no iova_policy when it is announced", EDU.0);
        let status = control.status(stage.cookie)?;
        ensure!(status.state == lease_state::ENDED, "the lease of a removed device is {status:?}");
        ensure!(
            EDU.get("policy")? == "stock" && EDU.get("state")? == "idle",
            "it came back as {}",
            EDU.shows()?
        );
    }
    Ok(Outcome::Passed)
}

/// Writing the policy that is set already sends no uevent: udev's rules may write it again at each uevent of the device.
pub(super) fn same_again() -> Result<Outcome> {
    device::module()?;
    let events = uevent::Listener::new()?;
    let announced = || -> Result<String> {
        let lines = events.wait(|head| head.starts_with("change@") && head.ends_with(EDU.0))?;
        let policy = lines.iter().find_map(|line| line.strip_prefix("IOVA_POLICY="));
        Ok(policy.unwrap_or("nothing").to_owned())
    };
    EDU.must("policy", "cap:40")?;
    let first = announced()?;
    EDU.must("policy", "cap:40")?;
    EDU.must("policy", "cap:41")?;
    let second = announced()?;
    EDU.must("policy", "stock")?;
    ensure!((first.as_str(), second.as_str()) == ("cap:40", "cap:41"), "announced: {first}, then {second}");
    Ok(Outcome::Passed)
}

/// With a lease open the module stays; without one it restores everything and goes.
pub(super) fn unload() -> Result<Outcome> {
    device::module()?;
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    let stock = EDU.get("effective")?;
    let control = Control::open()?;
    control.stage_dac(EDU, 60_000)?;
    ensure!(device::rmmod("iova_policy").is_err(), "the module went with a lease open");
    ensure!(EDU.get("state")?.starts_with("leased"), "refused to go, but the lease is gone");
    drop(control);
    EDU.must("policy", POLICY)?;
    device::rmmod("iova_policy")?;
    ensure!(!EDU.has_group(), "the module is gone, its files are not");
    let after = load.run("loop sizes=4K,64K,2M count=300")?;
    ensure!(after.get("high")? == 0, "{} addresses are high after the module went", after.get("high")?);
    ensure!(after.text("sac_exact")? == "1", "the kernel's flag is not what it was");

    device::module()?;
    ensure!(EDU.get("effective")? == stock, "{stock}; the module left {}", EDU.get("effective")?);
    ensure!(EDU.get("policy")? == "stock", "loaded again, the policy is {}", EDU.get("policy")?);
    load.clean()?;
    EDU.unbind()?;
    Ok(Outcome::Passed)
}

/// Seconds of sleep, and sleeps until the stager was quick enough.
const SLEEP_S: u64 = 2;
const SLEEPS: usize = 5;

/// Asks for another lease without a pause: the first one ends before tasks are frozen. Returns whether a lease began; nothing, if
/// this task was frozen before it could ask.
fn stage_again() -> Result<Option<bool>> {
    let control = Control::open()?;
    let first = control.stage_dac(EDU, 60_000)?.cookie;
    let second = Control::open()?;
    let start = Instant::now();
    let began = loop {
        let began = second.stage_dac(EDU, 60_000).is_ok();
        if began || control.status(first)?.state != lease_state::OPEN {
            break began;
        }
        ensure!(start.elapsed() < PATIENCE, "the sleep did not end the lease");
    };
    let records = records_of(EDU)?;
    let slept = records.iter().rev().find(|record| record.cause == cause::SUSPEND);
    let since = Duration::from_nanos(slept.context("no lease ended by the sleep")?.time_ns);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok((now.saturating_sub(since) < Duration::from_secs(SLEEP_S) / 2).then_some(began))
}

fn sleep_while_staging(test: &Path) -> Result<Option<bool>> {
    let stager = std::thread::spawn(stage_again);
    EDU.until("state", |state| state.starts_with("leased"), PATIENCE)?;
    let _ = fs::write("/sys/module/suspend/parameters/pm_test_delay", SLEEP_S.to_string());
    fs::write(test, "freezer")?;
    let start = Instant::now();
    let slept = fs::write("/sys/power/state", "freeze").context("suspending");
    // The kernel counts turns of a loop, and some boots in an emulator have it count far too few.
    let lasted = start.elapsed() >= Duration::from_secs(SLEEP_S);
    fs::write(test, "none")?;
    let began = stager.join().map_err(|_| anyhow!("the stager panicked"))??;
    slept.map(|()| began.filter(|_| lasted))
}

/// A lease that begins between the notification of a sleep and the sleep would live through it.
pub(super) fn no_lease_before_sleep() -> Result<Outcome> {
    let test = Path::new("/sys/power/pm_test");
    if !test.exists() {
        return Ok(Outcome::Skipped("this kernel has no /sys/power/pm_test".into()));
    }
    device::module()?;
    let load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    load.run("loop sizes=4K count=1 mask=64")?;
    let mut began = None;
    for _ in 0..SLEEPS {
        began = sleep_while_staging(test)?;
        if began.is_some() {
            break;
        }
    }
    Control::open()?.stage_dac(EDU, 60_000).context("awake again")?;
    EDU.unbind()?;
    match began {
        Some(false) => Ok(Outcome::Passed),
        Some(true) => bail!("a lease began while the system went to sleep"),
        None => Ok(Outcome::Skipped(format!(
            "in {SLEEPS} sleeps the stager was frozen before it could ask, or the sleep was too short"
        ))),
    }
}

/// Devices go to sleep and wake up (not the machine): a lease ends, a policy stays.
pub(super) fn suspend() -> Result<Outcome> {
    let test = Path::new("/sys/power/pm_test");
    if !test.exists() {
        return Ok(Outcome::Skipped("this kernel has no /sys/power/pm_test".into()));
    }
    device::module()?;
    NVME.must("policy", POLICY)?;
    let _load = Load::new(EDU.0)?;
    EDU.bind("iova_load")?;
    Load::new(EDU.0)?.run("loop sizes=4K count=1 mask=64")?;
    let control = Control::open()?;
    let stage = control.stage_dac(EDU, 60_000)?;
    // Five seconds of sleep are its default.
    let _ = fs::write("/sys/module/suspend/parameters/pm_test_delay", "1");
    fs::write(test, "devices")?;
    fs::write("/sys/power/state", "freeze").context("suspending")?;
    fs::write(test, "none")?;
    let status = control.status(stage.cookie)?;
    ensure!(status.state == lease_state::ENDED, "the lease outlived the sleep: {status:?}");
    ensure!(status.cause == cause::SUSPEND, "the lease ended with cause {}", status.cause);
    ensure!(NVME.get("effective")?.starts_with(EFFECTIVE), "awake, in effect is {}", NVME.get("effective")?);
    if host::disk_wakes_up() {
        let io = disk::Load::start(2);
        let landed = Landed::now(NVME, "1s")?;
        io.stop()?.is_clean()?;
        ensure!(landed.count > 0, "no I/O after the sleep");
    }
    NVME.must("policy", "stock")?;
    EDU.unbind()?;
    Ok(Outcome::Passed)
}
