//! One step: a new domain, the driver with the policy of the width, work, and the driver away again.

use super::Verification;
use super::hands::Hands;
use super::watch::{Sight, Watch};
use super::work::Job;
use crate::exit::Stop;
use crate::session::Source as _;
use iova_core::inventory::{Device, Inventory};
use iova_core::kernel::Root;
use iova_core::policy::classify::{Classified, LiveSet, classify};
use iova_core::policy::module::{self, State};
use iova_core::policy::verify::{Event, FIRST, Purpose, Seen, StepRecord, judge};
use iova_core::policy::{Evidence, Policy};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What hangs in the device's driver ends when the driver goes; so long it may take.
const UNHANG: Duration = Duration::from_mins(2);

/// How a step ended.
pub(super) enum Ended {
    Whole(Box<StepRecord>),
    /// A signal came; what was seen proves nothing.
    Cut(i32),
}

/// What is known of a step beforehand.
struct Head {
    policy: Policy,
    purpose: Purpose,
    began: Instant,
    began_s: u64,
}

impl Verification {
    pub(super) fn step(&mut self, width: u8, purpose: Purpose, length: Duration) -> Result<Ended, Stop> {
        self.journal.note(Event::Step { width, purpose }).map_err(Stop::unusable)?;
        let policy = if width <= FIRST { Policy::Stock } else { Policy::Dac(width) };
        let head = Head { policy, purpose, began: Instant::now(), began_s: now_s() };
        let mut seen = Seen { width, ..Seen::default() };
        let mut sight = Sight::default();
        match self.prepare(policy) {
            Err(why) => seen.obstacle = Some(why),
            Ok(()) => {
                if let Some(signal) = self.use_device(&mut seen, &mut sight, &head, length)? {
                    return Ok(Ended::Cut(signal));
                }
            }
        }
        if self.ladder.is_none() && sight.faults.is_empty() && is_healthy(&seen) {
            self.find_ladder()?;
        }
        let record = self.conclude(seen, sight, &head);
        if let Err(why) = self.hands.unbind() {
            return Err(Stop::no(format!("the driver can't be unbound any more: {why}")));
        }
        self.journal.note(Event::Ended(record.clone())).map_err(Stop::unusable)?;
        Ok(Ended::Whole(Box::new(record)))
    }

    /// Binds the driver, lets the device work, and watches it. The signal that ended that, if one did.
    fn use_device(
        &mut self,
        seen: &mut Seen,
        sight: &mut Sight,
        head: &Head,
        length: Duration,
    ) -> Result<Option<i32>, Stop> {
        let Self { live, signals, signal_fd, device, hands, workload, live_root, .. } = self;
        let mut watch = Watch::new(live, signals, signal_fd, &device.bdf, seen.width)?;
        if let Err(why) = hands.bind() {
            seen.obstacle = Some(format!("its driver does not bind: {why}"));
        }
        *device = again(&watch.live().inventory(), device);
        watch.look(device)?;
        seen.refused = refused(live_root, &device.bdf, head.policy);
        let mut signal = None;
        if is_healthy(seen) {
            match workload.start(length, head.began_s << 16 | u64::from(seen.width)) {
                Err(why) => seen.obstacle = Some(why),
                Ok(mut job) => {
                    let (came, cut) = watch.work(&mut job, device)?;
                    watch.settle(device)?;
                    unhang(&mut job, hands);
                    (signal, seen.work) = (came, job.result(cut));
                }
            }
        }
        watch.settle(device)?;
        *sight = watch.sight;
        Ok(signal)
    }

    /// Unbound, in a new domain, with the policy set for the next bind.
    fn prepare(&self, policy: Policy) -> Result<(), String> {
        self.hands.unbind()?;
        self.hands.fresh()?;
        self.hands.set_policy(policy)
    }

    fn conclude(&self, mut seen: Seen, mut sight: Sight, head: &Head) -> StepRecord {
        let live = self.live_set(&mut sight);
        seen.faults = sight.faults.iter().map(|&address| classify(address, &live)).collect();
        seen.pcie_errors = sight.pcie_errors;
        // At 32 bits the kernel places addresses as ever: nothing is claimed of them.
        seen.alias = if seen.width > FIRST { sight.mapped.find() } else { None };
        seen.addresses = sight.addresses;
        let outcome = judge(&seen);
        StepRecord {
            number: u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX),
            width: seen.width,
            purpose: head.purpose,
            policy: head.policy,
            began_s: head.began_s,
            lasted_s: head.began.elapsed().as_secs_f64(),
            addresses: seen.addresses,
            work: seen.work,
            faults: distinct(&seen.faults),
            pcie_errors: seen.pcie_errors,
            alias: seen.alias,
            outcome,
        }
    }

    /// Everything that was mapped in the step: what the tracer saw, and what the allocator has now.
    fn live_set(&self, sight: &mut Sight) -> LiveSet {
        if sight.faults.is_empty() {
            return LiveSet::default();
        }
        let snapshot = self.live.snapshot_of(self.device.group);
        let domain = snapshot.domains.iter().find(|domain| Some(domain.iovad) == self.device.iovad);
        let held =
            module::configured(&self.live_root, &self.device.bdf).is_some_and(|now| now.held_bytes > 0);
        let mut live = domain.map(|domain| LiveSet::of_domain(domain, held)).unwrap_or_default();
        sight.mapped.ranges().iter().for_each(|&(first, last)| live.add(first, last));
        live
    }
}

/// What hangs in the driver ends with an error when the driver goes.
fn unhang(job: &mut Job, hands: &Hands) {
    if job.ended() || hands.unbind().is_err() {
        return;
    }
    let end = Instant::now() + UNHANG;
    while !job.ended() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Nothing has gone wrong so far.
fn is_healthy(seen: &Seen) -> bool {
    seen.obstacle.is_none() && seen.refused.is_none() && seen.work.failure.is_none()
}

/// The same device as it is now: its driver and its domain have changed.
fn again(inventory: &Inventory, device: &Device) -> Device {
    let found = inventory.devices.iter().find(|other| other.bdf == device.bdf);
    found.cloned().unwrap_or_else(|| device.clone())
}

/// Why the policy did not come into force, if it did not.
fn refused(root: &Root, bdf: &str, policy: Policy) -> Option<String> {
    let now = module::configured(root, bdf)?;
    match now.state {
        State::Refused { reason } => Some(format!("{policy} was refused when the driver came: {reason}")),
        _ if now.policy != policy => Some(format!("{} is in force, not {policy}", now.policy)),
        _ => None,
    }
}

/// Each address once.
fn distinct(faults: &[Classified]) -> Vec<Evidence> {
    let mut list: Vec<_> = faults.iter().map(|fault| fault.evidence).collect();
    list.sort_by_key(|evidence| evidence.address);
    list.dedup();
    list.truncate(64);
    list
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
