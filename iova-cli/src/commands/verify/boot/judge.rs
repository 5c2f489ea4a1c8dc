//! What came of this boot.

use super::super::work::{Plan as Work, Workload};
use super::Look;
use crate::exit::Stop;
use crate::signals::{Signals, Wake};
use iova_core::inventory::{Device, Inventory};
use iova_core::policy::boot_trial::faults::{Log, LoggedFault, Reader};
use iova_core::policy::boot_trial::{Culprit, LeftOut, Plan, RoundOutcome};
use iova_core::policy::classify::{LiveSet, classify};
use iova_core::policy::history::Identity;
use iova_core::policy::module::{self, State};
use iova_core::policy::{Bdf, Policy, Relation};
use iova_core::snapshot;
use std::time::{Duration, Instant};

/// Between two looks.
const TICK: Duration = Duration::from_millis(500);
/// After a fault that names a device, for others.
const AFTER: Duration = Duration::from_secs(3);

/// The unit that resumes a trial, and ends with it what it has begun.
const UNIT: &str = "iova-boot-trial.service";

/// Lets the machine work, in a unit of its own if `in_unit`, and looks at it.
pub(super) fn judge(look: &Look, plan: &mut Plan, in_unit: bool) -> Result<RoundOutcome, Stop> {
    let mut log = open_log(look)?;
    let command = if in_unit { with_all_rights(&plan.command) } else { plan.command.clone() };
    let length = Duration::from_millis(plan.watch_ms);
    let failure = watch(look, plan, (command, length), &mut log)?;
    let log = log.log();
    let missed: Vec<LeftOut> = chosen(plan).into_iter().filter_map(|bdf| missed(look, plan, bdf)).collect();
    let outcome = conclude(look, plan, log, failure, &missed);
    if let Some(round) = plan.open_round() {
        round.missed = missed;
        let cut = "the beginning of the kernel's log is gone: there may have been more faults (log_buf_len= makes room)";
        round.remarks.extend(log.is_cut.then(|| cut.to_owned()));
    }
    Ok(outcome)
}

/// Why the command fails with nothing on trial, if it does: then its failure in a trial says nothing of a device, and halving would end
/// at an innocent one. It runs once.
pub(super) fn rehearse(look: &Look, plan: &mut Plan) -> Result<Option<String>, Stop> {
    if plan.command.is_empty() {
        return Ok(None);
    }
    watch(look, plan, (plan.command.clone(), Duration::ZERO), &mut open_log(look)?)
}

fn open_log(look: &Look) -> Result<Reader, Stop> {
    Reader::open(&look.root).map_err(|error| {
        Stop::unusable(format!("/dev/kmsg can't be read ({error}), so faults are not seen: run it as root"))
    })
}

fn chosen(plan: &mut Plan) -> Vec<Bdf> {
    plan.open_round().map(|round| round.chosen.clone()).unwrap_or_default()
}

/// The command to its end, or the time. Why it failed, if it did.
fn watch(
    look: &Look,
    plan: &mut Plan,
    (command, length): (Vec<String>, Duration),
    log: &mut Reader,
) -> Result<Option<String>, Stop> {
    let signals = Signals::block_for_trial().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let work = (!command.is_empty())
        .then(|| Workload::new(Work::Command(command), &look.root, "", 0).start(length, 0));
    let mut job = match work.transpose() {
        Ok(job) => job,
        Err(why) => return Ok(Some(why)),
    };
    let end = Instant::now() + length;
    let mut named: Option<Instant> = None;
    loop {
        if let Wake::Ended { .. } = signals.wait(Instant::now() + TICK) {
            if let Some(job) = &mut job {
                job.stop(true);
            }
            return Err(Stop::no(
                "stopped before this boot was judged: `iova verify --boot --resume` looks at it anew",
            ));
        }
        let over = job.as_mut().map_or_else(|| Instant::now() >= end, |job| job.ended());
        if over {
            return Ok(job.and_then(|job| job.result(false).failure));
        }
        if job.is_none() && named.is_none() && is_named(look, plan, log.log()) {
            named = Some(Instant::now());
        }
        if named.is_some_and(|since| since.elapsed() > AFTER) {
            return Ok(None);
        }
    }
}

/// The command in a unit that lacks nothing: a right that it lacked would look like a device that fails. As the start of a oneshot
/// unit, which systemd-run waits for without D-Bus, and which fails as the command does.
fn with_all_rights(command: &[String]) -> Vec<String> {
    if command.is_empty() {
        return Vec::new();
    }
    let bound = format!("--property=BindsTo={UNIT}");
    let patient = "--property=TimeoutStartSec=infinity";
    let run = ["systemd-run", "--quiet", "--service-type=oneshot", &bound, patient, "--"];
    run.into_iter().map(str::to_owned).chain(command.iter().cloned()).collect()
}

fn is_named(look: &Look, plan: &mut Plan, log: &Log) -> bool {
    chosen(plan).into_iter().any(|bdf| culprit(look, &look.inventory, log, bdf).is_ok())
}

/// Why a device did not have the full range in this boot; `None`: it had.
fn missed(look: &Look, plan: &Plan, bdf: Bdf) -> Option<LeftOut> {
    let suspect = plan.suspect(bdf)?;
    let name = bdf.to_string();
    let why = match module::configured(&look.root, &name) {
        _ if Identity::read(&look.root, &name) != Some(suspect.identity) => {
            "another device is there now, or none".to_owned()
        }
        None => {
            "the module iova_policy is not loaded: the initramfs lacks it, see docs/boot-trial.md".to_owned()
        }
        Some(now) => match now.state {
            // The range was there until the fault.
            State::Quarantined { .. } => return None,
            State::Active if now.policy == Policy::Dac(suspect.width) => return None,
            State::Pending => "no driver was bound to it".to_owned(),
            State::Refused { reason } => reason.to_string(),
            _ => format!("its policy is {}: nothing applied the trial's before its driver", now.policy),
        },
    };
    Some(LeftOut { bdf: name, why })
}

fn conclude(
    look: &Look,
    plan: &mut Plan,
    log: &Log,
    failure: Option<String>,
    missed: &[LeftOut],
) -> RoundOutcome {
    let chosen = chosen(plan);
    // Drivers may have been bound since the first look.
    let inventory = Inventory::collect(Some(&look.kernel));
    let all: Vec<_> = chosen.iter().map(|bdf| culprit(look, &inventory, log, *bdf)).collect();
    let devices: Vec<Culprit> = all.iter().flatten().cloned().collect();
    if !devices.is_empty() {
        return RoundOutcome::Named { devices };
    }
    let odd: Vec<Bdf> =
        chosen.iter().zip(&all).filter(|(_, found)| **found == Err(true)).map(|(bdf, _)| *bdf).collect();
    if missed.len() == chosen.len() {
        let why = missed.first().map(|left| format!("{}: {}", left.bdf, left.why)).unwrap_or_default();
        return RoundOutcome::Failed { why: format!("no device had the full range ({why})"), odd };
    }
    let faulted = odd.first().map(|bdf| {
        format!("{bdf} had faults, at addresses that have nothing to do with what was mapped for it")
    });
    match failure.or(faulted) {
        Some(why) => RoundOutcome::Failed { why, odd },
        None => RoundOutcome::Quiet,
    }
}

/// What the faults of a device say. `Err(true)`: it had some, and they say nothing.
fn culprit(look: &Look, inventory: &Inventory, log: &Log, bdf: Bdf) -> Result<Culprit, bool> {
    let mine = |fault: &&LoggedFault| {
        // Without a segment it can only be this one if no other segment has such an address.
        fault.bdf == bdf || fault.any_segment && fault.bdf.raw() & 0xffff == bdf.raw() & 0xffff
    };
    let addresses: Vec<u64> = log.faults.iter().filter(mine).map(|fault| fault.address).collect();
    let device = inventory.devices.iter().find(|device| device.bdf == bdf.to_string());
    let (Some(device), false) = (device, addresses.is_empty()) else { return Err(false) };
    let live = live_set(look, device);
    let classified = addresses.into_iter().map(|address| classify(address, &live));
    let sum = classified.reduce(iova_core::policy::classify::Classified::and).ok_or(false)?;
    match sum.evidence.relation {
        Relation::Truncated { .. } | Relation::Mangled { .. } => {
            Ok(Culprit { bdf, evidence: Some(sum.evidence), at_least: sum.at_least })
        }
        Relation::Unknown | Relation::Unrelated => Err(true),
    }
}

/// What the allocator has now, cached addresses included: a buffer may have been given back since.
fn live_set(look: &Look, device: &Device) -> LiveSet {
    let snapshot = snapshot::take_group(&look.kernel, device.group);
    let domain = snapshot.domains.iter().find(|domain| Some(domain.iovad) == device.iovad);
    let held = module::configured(&look.root, &device.bdf).is_some_and(|now| now.held_bytes > 0);
    domain.map(|domain| LiveSet::of_domain(domain, held)).unwrap_or_default()
}
