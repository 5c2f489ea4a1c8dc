//! A trial from staging to its end: one loop that waits for everything that can happen.

use super::aer::Aer;
use super::drain::Drain;
use super::keys::{Key, Keys};
use super::leash::Leash;
use super::meter::{Meter, Phase};
use super::screen::{Screen, View};
use super::verdict::{No, Verdict};
use crate::commands::live::Live;
use crate::commands::policy::door::{Answer, Door, Visit};
use crate::commands::policy::host;
use crate::exit::Stop;
use crate::poll::{self, For};
use crate::session::{Child, Source as _};
use crate::signals::{Signals, Wake};
use iova_core::inventory::Device;
use iova_core::policy::classify::{LiveSet, classify};
use iova_core::policy::module::{self, Abort, Control, Lease, LeaseState, ModuleError};
use iova_core::policy::{Cause, Evidence, Policy};
use iova_core::sample::{Event, What};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_secs(1);
/// Things seen that are kept for the summary.
const NOTES: usize = 16;

/// What the user decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) policy: Policy,
    pub(super) guard: bool,
    pub(super) keep_if_ok: bool,
}

/// A running trial.
pub(super) struct Watch<'a> {
    pub(super) live: &'a mut Live,
    pub(super) control: &'a Control,
    pub(super) signals: &'a Signals,
    pub(super) signal_fd: OwnedFd,
    pub(super) device: &'a Device,
    pub(super) lease: Lease,
    pub(super) leash: Leash,
    pub(super) options: Options,
    pub(super) before: &'a Phase,
    pub(super) meter: Meter,
    pub(super) drain: Option<Drain>,
    pub(super) aer: Aer,
    pub(super) door: Option<Door>,
    pub(super) keys: Option<Keys>,
    pub(super) child: Option<Child>,
    pub(super) screen: Screen,
    pub(super) staged_at: Instant,
    pub(super) seen: Seen,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) last: Phase,
    pub(super) settled: Option<Duration>,
    pub(super) notes: Vec<String>,
    /// The question is on the screen.
    asking: bool,
    /// Somebody has confirmed already, and the command still runs.
    confirmed: Option<(String, Option<String>)>,
    next_tick: Option<Instant>,
}

/// Who is ready.
struct Ready {
    signal: bool,
    lease: bool,
    door: bool,
    key: bool,
    event: bool,
}

impl Watch<'_> {
    /// Watches until the trial is over. The lease is committed or aborted when this returns, also with an error.
    pub(super) fn run(&mut self) -> Result<Verdict, Stop> {
        let verdict = self.wait_for_verdict();
        match verdict {
            Ok(Verdict::Not(no)) => Ok(self.take_back(no)),
            Err(_) => {
                let _ = self.control.abort(&self.lease, Abort::GiveUp);
                verdict
            }
            Ok(Verdict::Kept { .. }) => verdict,
            Ok(done) => {
                // What led to it belongs to the figures.
                self.measure()?;
                Ok(done)
            }
        }
    }

    fn wait_for_verdict(&mut self) -> Result<Verdict, Stop> {
        self.seen.next_tick = Some(Instant::now() + TICK);
        loop {
            let ready = self.wait()?;
            // What protects data comes first.
            if ready.event
                && let Some(verdict) = self.faults()?
            {
                return Ok(verdict);
            }
            if ready.lease
                && let Some(verdict) = self.lease_over()?
            {
                return Ok(verdict);
            }
            let verdict = match ready {
                Ready { signal: true, .. } => self.signal()?,
                Ready { door: true, .. } => self.visit()?,
                Ready { key: true, .. } => self.key()?,
                _ => None,
            };
            if let Some(verdict) = verdict {
                return Ok(verdict);
            }
            if let Some(verdict) = self.due(Instant::now())? {
                return Ok(verdict);
            }
        }
    }

    fn wait(&self) -> Result<Ready, Stop> {
        let drain = self.drain.as_ref().and_then(Drain::due);
        let times = [self.seen.next_tick, drain, self.leash.end(), self.leash.renewal()];
        let now = Instant::now();
        let deadline = times.into_iter().flatten().min().unwrap_or(now + TICK);
        let mut fds = vec![(self.signal_fd.as_fd(), For::Reading), (self.control.as_fd(), For::Urgent)];
        fds.extend(self.door.iter().map(|door| (door.as_fd(), For::Reading)));
        // While a command runs, the keyboard is the command's.
        let keys = self.keys.iter().filter(|_| self.child.is_none());
        fds.extend(keys.clone().map(|keys| (keys.as_fd(), For::Reading)));
        fds.extend(self.live.event_descriptors().into_iter().map(|fd| (fd, For::Reading)));
        let ready = poll::wait(&fds, deadline).map_err(|error| Stop::internal(format!("poll: {error}")))?;
        let mut ready = ready.into_iter();
        let mut next = || ready.next().unwrap_or(false);
        Ok(Ready {
            signal: next(),
            lease: next(),
            door: self.door.is_some() && next(),
            key: keys.count() > 0 && next(),
            event: ready.any(|ready| ready),
        })
    }

    /// What the clock brings.
    fn due(&mut self, now: Instant) -> Result<Option<Verdict>, Stop> {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| now >= time);
        if is_due(self.drain.as_ref().and_then(Drain::due)) {
            self.flush(now)?;
        }
        if is_due(self.leash.renewal()) {
            let left = self.leash.length(now);
            if let Err(error) = self.control.renew(&self.lease, left) {
                return self.lost(error).map(Some);
            }
        }
        if is_due(self.seen.next_tick) {
            self.seen.next_tick = Some(now + TICK);
            if let Some(verdict) = self.tick()? {
                return Ok(Some(verdict));
            }
        }
        if !is_due(self.leash.end()) {
            return Ok(None);
        }
        if self.seen.asking {
            return Ok(Some(Verdict::Not(No::Unanswered)));
        }
        if let Some(verdict) = self.tick()? {
            return Ok(Some(verdict));
        }
        self.ask(No::NobodyToAsk)
    }

    fn tick(&mut self) -> Result<Option<Verdict>, Stop> {
        let phase = self.measure()?;
        if let Some(what) = self.aer.news() {
            if self.options.guard {
                let end = Abort::Quarantine { cause: Cause::Aer, evidence: Evidence::default() };
                return self.end_at_once(end, Verdict::Aer(what)).map(Some);
            }
            self.note(format!("PCIe errors of the device: {what}"));
        }
        // What is much shorter than a tick says little: the end comes at any time.
        if phase.duration_s >= TICK.as_secs_f64() / 2.0 || self.seen.last.duration_s == 0.0 {
            self.seen.last = phase;
        }
        if !self.seen.asking {
            let view = View {
                policy: self.options.policy,
                device: self.device,
                elapsed: self.staged_at.elapsed(),
                left: self.leash.end().map(|end| end.saturating_duration_since(Instant::now())),
                flushes: self.drain.as_ref().map(Drain::count),
                before: self.before,
                after: &self.meter.phase(),
                last: &self.seen.last,
            };
            self.screen.show(&view);
        }
        Ok(None)
    }

    /// One more reading.
    fn measure(&mut self) -> Result<Phase, Stop> {
        let phase = self.meter.feed(self.live.sample()?);
        let old = matches!(self.options.policy, Policy::Dac(_)) && phase.low() > 0;
        let any = phase.alloc.count > 0;
        if let Some(drain) = &mut self.drain {
            drain.seen(any, old);
            if !drain.bursting() && self.seen.settled.is_none() {
                self.seen.settled = Some(self.staged_at.elapsed());
                self.meter.restart();
            }
        }
        Ok(phase)
    }

    fn flush(&mut self, now: Instant) -> Result<(), Stop> {
        let Some(drain) = &mut self.drain else { return Ok(()) };
        drain.done(now);
        let bursting = drain.bursting();
        if let Err(error) = self.control.flush(self.lease.bdf, module::Drain::ALL) {
            self.drain = None;
            self.note(format!("the caches cannot be drained: {error}"));
            return Ok(());
        }
        if bursting {
            self.measure()?;
        }
        Ok(())
    }

    /// DMA faults of the device: the policy is taken back before anything else is done.
    fn faults(&mut self) -> Result<Option<Verdict>, Stop> {
        let events = self.live.events()?;
        let Some((address, read)) = events.iter().find_map(|event| fault_of(event, self.device)) else {
            return Ok(None);
        };
        if !self.options.guard {
            let verdict = Verdict::Fault { evidence: self.evidence(address), read };
            self.note(verdict.sentence());
            return Ok(None);
        }
        let bare = Evidence { address, ..Evidence::default() };
        let end = Abort::Quarantine { cause: Cause::Fault, evidence: bare };
        let over = self.end_at_once(end, Verdict::Fault { evidence: bare, read })?;
        Ok(Some(self.explained(over)))
    }

    /// What the fault meant, told to the module too: its quarantine outlives this process.
    fn explained(&mut self, verdict: Verdict) -> Verdict {
        let Verdict::Fault { evidence, read } = verdict else { return verdict };
        let evidence = self.evidence(evidence.address);
        // Somebody may have lifted the quarantine meanwhile; the history has it in any case.
        let _ = self.control.abort(&self.lease, Abort::Quarantine { cause: Cause::Fault, evidence });
        Verdict::Fault { evidence, read }
    }

    fn evidence(&mut self, address: u64) -> Evidence {
        let snapshot = self.live.snapshot_of(self.device.group);
        let domain = snapshot.domains.iter().find(|domain| Some(domain.iovad) == self.device.iovad);
        let held = self.lease.staged.held_bytes > 0;
        match domain.map(|domain| LiveSet::of_domain(domain, held)) {
            Some(live) => classify(address, &live).evidence,
            None => Evidence { address, ..Evidence::default() },
        }
    }

    /// The module may have been faster.
    fn end_at_once(&mut self, how: Abort, verdict: Verdict) -> Result<Verdict, Stop> {
        match self.control.abort(&self.lease, how) {
            Ok(()) => Ok(verdict),
            Err(ModuleError::NoLease) if self.taken().is_some_and(Cause::is_hardware) => Ok(verdict),
            Err(error) => self.lost(error),
        }
    }

    fn take_back(&self, no: No) -> Verdict {
        match self.control.abort(&self.lease, Abort::GiveUp) {
            Ok(()) => Verdict::Not(no),
            // It is over already, or will be as soon as the descriptor is closed.
            Err(_) => self.taken().map_or(Verdict::Not(no), Verdict::Taken),
        }
    }

    /// The cause, if the module has ended the lease.
    fn taken(&self) -> Option<Cause> {
        match self.control.status(&self.lease).ok()?.state {
            LeaseState::Ended(cause) => Some(cause),
            LeaseState::Open(_) | LeaseState::Kept => None,
        }
    }

    /// If the module saw the fault before us, what it means is still to be said.
    fn lease_over(&mut self) -> Result<Option<Verdict>, Stop> {
        let Some(cause) = self.taken() else { return Ok(None) };
        if cause != Cause::Fault {
            return Ok(Some(Verdict::Taken(cause)));
        }
        let events = self.live.events()?;
        let seen = events.iter().find_map(|event| fault_of(event, self.device));
        let told = || self.recorded_fault().map(|address| (address, None));
        let bare = |address| Evidence { address, ..Evidence::default() };
        Ok(Some(match seen.or_else(told) {
            Some((address, read)) => self.explained(Verdict::Fault { evidence: bare(address), read }),
            None => Verdict::Taken(cause),
        }))
    }

    /// The address that the module has in its records.
    fn recorded_fault(&self) -> Option<u64> {
        // Another descriptor has a position of its own and begins with the oldest record.
        let records = Control::open(self.live.kernel().ok()).ok()?.records().ok()?;
        let ours = records.iter().rev().filter(|record| record.bdf == self.lease.bdf);
        ours.filter(|record| record.cause == Cause::Fault).find_map(|record| Some(record.evidence?.address))
    }

    fn lost(&self, error: ModuleError) -> Result<Verdict, Stop> {
        self.taken().map(Verdict::Taken).ok_or_else(|| host::stop(error))
    }

    fn signal(&mut self) -> Result<Option<Verdict>, Stop> {
        match self.signals.wait(Instant::now()) {
            Wake::Time => Ok(None),
            Wake::Child => {
                let over = self.child.as_mut().is_some_and(Child::ended);
                if over { self.command_over() } else { Ok(None) }
            }
            Wake::Ended { signal, tty } => {
                // The terminal has told the whole process group already.
                if let Some(child) = self.child.as_ref().filter(|_| !tty) {
                    child.signal(signal);
                }
                Ok(Some(Verdict::Not(No::Signal(signal))))
            }
        }
    }

    fn command_over(&mut self) -> Result<Option<Verdict>, Stop> {
        let succeeded = self.child.as_ref().is_some_and(Child::succeeded);
        // A fault of its last moment may be on its way.
        if let Some(verdict) = self.faults()? {
            return Ok(Some(verdict));
        }
        if let Some(verdict) = self.tick()? {
            return Ok(Some(verdict));
        }
        if self.options.keep_if_ok || self.seen.confirmed.is_some() {
            if !succeeded {
                return Ok(Some(Verdict::Not(No::CommandFailed)));
            }
            if !self.seen.notes.is_empty() {
                return Ok(Some(Verdict::Not(No::NotClean)));
            }
            let (by, reason) =
                self.seen.confirmed.take().unwrap_or_else(|| ("--keep-if-ok".to_owned(), None));
            return self.keep(by, reason).map(Some);
        }
        self.ask(No::CommandEnded)
    }

    fn keep(&mut self, by: String, reason: Option<String>) -> Result<Verdict, Stop> {
        match self.control.commit(&self.lease) {
            Ok(_) => Ok(Verdict::Kept { by, reason }),
            Err(error) => self.lost(error),
        }
    }

    /// Asks whether to keep it; `otherwise` if nobody can be asked.
    fn ask(&mut self, otherwise: No) -> Result<Option<Verdict>, Stop> {
        let running = self.child.as_mut().is_some_and(|child| !child.ended());
        if self.keys.is_none() || running {
            return Ok(Some(Verdict::Not(otherwise)));
        }
        let now = Instant::now();
        self.leash.until_answered(now);
        let left = self.leash.length(now);
        if let Err(error) = self.control.renew(&self.lease, left) {
            return self.lost(error).map(Some);
        }
        self.seen.asking = true;
        self.screen.prompt(&format!("Keep {} for {}? [y/N] ", self.options.policy, self.device.bdf));
        Ok(None)
    }

    fn key(&mut self) -> Result<Option<Verdict>, Stop> {
        let Some(keys) = &self.keys else { return Ok(None) };
        match (keys.read(), self.seen.asking) {
            (Key::Closed, _) => Ok(Some(Verdict::Not(No::InputEnded))),
            (_, false) => self.ask(No::NobodyToAsk),
            (Key::Yes, true) => self.keep("the user at the terminal".to_owned(), None).map(Some),
            (Key::Other, true) => Ok(Some(Verdict::Not(No::Answered))),
        }
    }

    /// `iova policy confirm`.
    fn visit(&mut self) -> Result<Option<Verdict>, Stop> {
        let Some(visit) = self.door.as_ref().and_then(Door::answer_call) else { return Ok(None) };
        let by = format!("iova policy confirm (process {}, user {})", visit.caller.pid, visit.caller.uid);
        let reason = visit.question.reason.clone();
        if self.child.as_mut().is_some_and(|child| !child.ended()) {
            self.seen.confirmed = Some((by, reason));
            self.say(visit, true, "it will be kept when the command has ended, if nothing goes wrong");
            return Ok(None);
        }
        let verdict = self.keep(by, reason)?;
        let kept = matches!(verdict, Verdict::Kept { .. });
        self.say(visit, kept, if kept { "kept" } else { "too late: the policy was taken back" });
        Ok(Some(verdict))
    }

    fn say(&self, visit: Visit, accepted: bool, text: &str) {
        let policy = self.options.policy.to_string();
        visit.answer(&Answer { accepted, policy, text: text.to_owned() });
    }

    fn note(&mut self, sentence: String) {
        self.screen.say(&sentence);
        if self.seen.notes.len() < NOTES {
            self.seen.notes.push(sentence);
        }
    }
}

/// Address and direction of a fault, if it is one of this device.
fn fault_of(event: &Event, device: &Device) -> Option<(u64, Option<bool>)> {
    let What::Fault { addr, bdf, read, .. } = &event.what else { return None };
    let ours = match bdf {
        Some(bdf) => *bdf == device.bdf,
        None => event.dev != 0 && device.dev == Some(event.dev),
    };
    ours.then_some((*addr, *read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;

    #[test]
    fn faults_of_others_are_none_of_ours() {
        let nvme = &fixtures::inventory().devices[2];
        let fault = |dev, bdf: Option<&str>| Event {
            ns: 1,
            cpu: 0,
            dev,
            iovad: 0,
            what: What::Fault {
                addr: 0x7fff_f000,
                bdf: bdf.map(Into::into),
                reason: None,
                read: Some(false),
            },
        };
        assert_eq!(fault_of(&fault(0, Some(&nvme.bdf)), nvme), Some((0x7fff_f000, Some(false))));
        assert_eq!(fault_of(&fault(3, None), nvme), Some((0x7fff_f000, Some(false))));
        assert_eq!(fault_of(&fault(2, None), nvme), None);
        assert_eq!(fault_of(&fault(0, None), nvme), None);
        assert_eq!(fault_of(&fault(0, Some("0000:00:03.0")), nvme), None);
    }
}
