//! The dishonest device under `dac:N`: what it does to memory that it was never told of, and what keeps it from it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use iova_common::policy::{IOC_RENEW, Record, Stage, cause, kind, relation, stage_flag};

use super::device::{self, EDU, PATIENCE};
use super::edu::{BYTES, Edu, Transfer};
use super::host;
use super::lease::{Control, records_of};
use super::syscall_stop::AtIoctl;
use super::tool::{self, Trial};
use crate::Outcome;
use crate::load::Load;

/// A live page near the top of the space below 4 GiB.
const BYSTANDER: u64 = 0xffdf_f000;
/// With a window up to that page, low address bits are those of pages that are in use.
const CARELESS: u32 = 0xffdf_ffff;
/// The window of a stager that does not choose one.
const WINDOW: u64 = 0x7fff_ffff;
/// A live page in that window: the tool has to look, and to choose another one. (Above it the machine has its windows
/// for PCI.)
const IN_WINDOW: u64 = 0x3fff_f000;
const BELOW: u64 = 1 << 32;
/// Between two writes of the device; the guard has to be faster.
const PAUSE_MS: u32 = 2000;
const LEASE_MS: u32 = 60_000;

/// A width whose highest bit the device drops.
fn width() -> u32 {
    // At least 40: below 64 GiB the machine has windows for PCI, whose addresses are nobody's.
    (host::edu_bits() + 1).max(40)
}

/// A device with its bystander.
fn ready(at: u64) -> Result<Edu> {
    device::module()?;
    let edu = Edu::bind()?;
    with_bystander(&edu, at)?;
    Ok(edu)
}

/// The live page, and a device that is honest so far.
fn with_bystander(edu: &Edu, at: u64) -> Result<()> {
    let load = Load::of(EDU.0);
    device::modprobe("iova_load")?;
    if at >= BELOW {
        // As in a domain whose space below 4 GiB was full once.
        load.run("sac off")?;
    }
    let placed = edu.bystander(at);
    if at >= BELOW {
        load.run("sac on")?;
    }
    placed?;
    let honest = edu.write(1, 0)?[0];
    ensure!(
        honest.address < BELOW && honest.arrived == BYTES,
        "below 4 GiB the device is honest: {honest:?}"
    );
    ensure!(edu.changed()? == 0, "the bystander changed before anything was tried");
    Ok(())
}

/// A lease by hand, with this window; or what it would be.
fn stage(control: &Control, window: u32, more: u32) -> Result<Stage> {
    let (bdf, flags) = (EDU.number(), stage_flag::FLUSH | more);
    let (kind, width) = (kind::DAC, width());
    let mut stage = Stage { bdf, flags, kind, width, window, lease_ms: LEASE_MS, ..Stage::default() };
    let refusal = control.stage(&mut stage);
    refusal.with_context(|| format!("staging dac:{width} (refusal {})", stage.refusal))?;
    Ok(stage)
}

/// The danger is real: a stager who does not look where the kept bits point destroys what is there.
pub(super) fn corrupted() -> Result<Outcome> {
    device::module()?;
    let edu = Edu::bind()?;
    let control = Control::open()?;
    let hit = stage(&control, CARELESS, stage_flag::DRY_RUN)?.limit & kept() & !0xfff;
    with_bystander(&edu, hit)?;
    stage(&control, CARELESS, 0)?;
    let wrong = edu.write(1, 0)?[0];
    drop(control);
    let changed = edu.changed()?;
    println!(
        "# told to write to {:#x}: {} bytes arrived, {changed} at {hit:#x}",
        wrong.address, wrong.arrived
    );
    ensure!(wrong.address & kept() == hit, "the address {:#x} does not hit {hit:#x}", wrong.address);
    ensure!(wrong.arrived == 0 && changed == BYTES, "no corruption to guard against: {wrong:?}, {changed}");
    Ok(Outcome::Passed)
}

/// The bits that the device keeps.
fn kept() -> u64 {
    (1 << host::edu_bits()) - 1
}

/// The default window keeps the kept bits away from what is live: a write goes nowhere. This needs no report of a
/// fault, so it is what helps behind an AMD-Vi that has none.
pub(super) fn window() -> Result<Outcome> {
    let edu = ready(BYSTANDER)?;
    let control = Control::open()?;
    let stage = stage(&control, 0, 0)?;
    let wrong = edu.write(1, 0)?[0];
    drop(control);
    ensure!(stage.limit & 0xffff_ffff == WINDOW, "the limit is {:#x}", stage.limit);
    ensure!(wrong.address > BELOW && wrong.address <= stage.limit, "the address is {:#x}", wrong.address);
    ensure!(wrong.address & 0xffff_ffff <= WINDOW, "the address {:#x} is beyond the window", wrong.address);
    ensure!(wrong.arrived == 0, "{} bytes arrived at an address that the device can't reach", wrong.arrived);
    ensure!(edu.changed()? == 0, "the bystander has changed");
    Ok(Outcome::Passed)
}

/// The tool's trial: the first fault ends it, before the device writes again.
pub(super) fn fault() -> Result<Outcome> {
    if !host::reports_faults() {
        return Ok(Outcome::Skipped(
            "this QEMU's AMD-Vi reports no blocked write; the window alone protects".into(),
        ));
    }
    for at in [BYSTANDER, IN_WINDOW] {
        let edu = ready(at)?;
        guarded(&edu).with_context(|| format!("bystander at {at:#x}"))?;
    }
    Ok(Outcome::Passed)
}

fn guarded(edu: &Edu) -> Result<()> {
    let policy = format!("dac:{}", width());
    let trial = Trial::start(EDU.0, &policy, &["--flush"])?;
    let writes = edu.write(2, PAUSE_MS)?;
    EDU.until("state", |state| state.starts_with("quarantined"), PATIENCE)?;
    let changed = edu.changed()?;
    let said = trial.end()?.code(1)?.json()?;
    println!("# the trial says: {}", said["why"]);
    ensure!(changed == 0, "{changed} bytes of the bystander have changed");
    let record = quarantine_of(&writes)?;
    ensure!(EDU.state()? == "quarantined fault", "the state is {}", EDU.state()?);
    let (address, relation) = (EDU.get("fault_address")?, EDU.get("fault_relation")?);
    ensure!(
        address == format!("{:#x}", record.evidence.address) && relation == "truncated",
        "{address} {relation}; the record says {:#x}",
        record.evidence.address
    );
    named(&record)?;

    tool::policy(&["try", EDU.0, &policy, "--", "true"])?.code(1)?;
    EDU.refuses("policy", &policy, libc::EPERM)?;
    tool::policy(&["release", EDU.0])?.code(0)?;
    ensure!(EDU.get("state")? == "idle", "released, but the state is {}", EDU.get("state")?);
    Ok(())
}

/// The evidence doesn't rest on what the caches hold: the address that was truncated is known when it has left them.
pub(super) fn drained() -> Result<Outcome> {
    if !host::reports_faults() {
        return Ok(Outcome::Skipped("this QEMU's AMD-Vi reports no blocked write".into()));
    }
    let edu = ready(BYSTANDER)?;
    let policy = format!("dac:{}", width());
    let trial = Trial::start(EDU.0, &policy, &["--flush"])?;
    // Late, as on a machine that is busy.
    trial.signal(libc::SIGSTOP);
    let write = edu.write(1, 0)?[0];
    Control::open()?.flush(EDU)?;
    trial.signal(libc::SIGCONT);
    EDU.until("state", |state| state.starts_with("quarantined"), PATIENCE)?;
    let said = trial.end()?.code(1)?.json()?;
    println!("# the trial says: {}", said["why"]);
    named(&fault_record(write)?)?;
    tool::policy(&["release", EDU.0])?.code(0)?;
    Ok(Outcome::Passed)
}

/// A watcher that looks only after its lease has run out still finds the fault.
pub(super) fn late() -> Result<Outcome> {
    unwatched(|trial, edu| {
        trial.signal(libc::SIGSTOP);
        let write = edu.write(1, 0)?[0];
        // The kernel's own guard does not wait for the watcher.
        EDU.until("state", |state| !state.starts_with("leased"), PATIENCE)?;
        trial.signal(libc::SIGCONT);
        Ok(write)
    })
}

/// The same if it has just looked, and asks for more time.
pub(super) fn after_last_look() -> Result<Outcome> {
    unwatched(|trial, edu| {
        let stopped = AtIoctl::stop(trial.pid(), IOC_RENEW)?;
        let write = edu.write(1, 0)?[0];
        EDU.until("state", |state| !state.starts_with("leased"), PATIENCE)?;
        stopped.release()?;
        Ok(write)
    })
}

/// A device that writes while its watcher can't look.
fn unwatched(write: impl FnOnce(&Trial, &Edu) -> Result<Transfer>) -> Result<Outcome> {
    if !host::reports_faults() {
        return Ok(Outcome::Skipped("this QEMU's AMD-Vi reports no blocked write".into()));
    }
    let edu = ready(BYSTANDER)?;
    let policy = format!("dac:{}", width());
    let trial = Trial::start(EDU.0, &policy, &["--flush"])?;
    let write = write(&trial, &edu)?;
    let state = EDU.until("state", |state| state.starts_with("quarantined"), PATIENCE);
    let said = trial.end()?;
    let said = said.code(1)?.json()?;
    println!("# the trial says: {}", said["why"]);
    state?;
    ensure!(said["outcome"] == "quarantined", "the outcome is {}", said["outcome"]);
    named(&fault_record(write)?)?;
    tool::policy(&["release", EDU.0])?.code(0)?;
    Ok(Outcome::Passed)
}

/// The record of the fault: made after the first write of the device and before the second.
fn quarantine_of(writes: &[Transfer]) -> Result<Record> {
    let (first, second) = (writes[0], writes[1]);
    ensure!(first.address > BELOW && first.arrived == 0, "the first write: {first:?}");
    ensure!(second.address < BELOW && second.arrived == BYTES, "the second write: {second:?}");
    let record = fault_record(first)?;
    let after = Duration::from_nanos(record.time_ns.saturating_sub(first.end));
    println!("# quarantined {} ms after the write's end", after.as_millis());
    ensure!((first.start..second.start).contains(&record.time_ns), "{record:?} is not between the writes");
    Ok(record)
}

/// The last record of a fault, with the evidence that this write was truncated.
fn fault_record(write: Transfer) -> Result<Record> {
    let records = records_of(EDU)?;
    let found = records.iter().rev().find(|record| record.cause == cause::FAULT);
    let record = *found.context("the module has no record of the fault")?;
    ensure!(record.new_kind == kind::STOCK as u16, "what it went back to is not stock: {record:?}");
    ensure!(record.evidence.relation == relation::TRUNCATED, "the evidence: {:?}", record.evidence);
    ensure!(
        record.evidence.address == write.address & kept() & !0xfff,
        "the evidence: {:?}",
        record.evidence
    );
    Ok(record)
}

/// `iova policy log` tells people how wide the device is.
fn named(record: &Record) -> Result<()> {
    let bits = host::edu_bits();
    let log = tool::log(EDU)?;
    let text = tool::policy(&["log", EDU.0])?.code(0)?;
    println!("# evidence {:?}; the log: {}", record.evidence, text.stdout.trim());
    ensure!(record.evidence.width == bits, "the width found is {}, not {bits}", record.evidence.width);
    ensure!(text.stdout.contains(&format!("{bits} bits")), "the log names no {bits} bits: {}", text.stdout);
    ensure!(log.to_string().contains(&format!("\"width\":{bits}")), "the log as JSON: {log}");
    Ok(())
}
