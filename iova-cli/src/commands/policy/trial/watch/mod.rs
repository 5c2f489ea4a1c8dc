//! A trial from staging to its end: one loop that waits for everything that can happen.

mod consent;
mod guard;

use super::drain::Drain;
use super::keys::Keys;
use super::leash::Leash;
use super::meter::{Meter, Phase};
use super::screen::{Screen, View};
use super::verdict::{No, Verdict};
use crate::commands::live::Live;
use crate::commands::policy::aer::Aer;
use crate::commands::policy::door::Door;
use crate::exit::Stop;
use crate::poll::{self, For};
use crate::session::{Child, Source as _};
use crate::signals::Signals;
use iova_core::inventory::Device;
use iova_core::policy::module::{self, Abort, Control, Lease};
use iova_core::policy::{Cause, Evidence, Policy};
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
        let verdict = match self.wait_for_verdict() {
            Ok(Verdict::Not(no)) => self.take_back(no),
            other => other,
        };
        match verdict {
            Err(_) => {
                let _ = self.control.abort(&self.lease, Abort::GiveUp);
                verdict
            }
            Ok(Verdict::Kept { .. } | Verdict::Not(_)) => verdict,
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
            if let Some(verdict) = self.heartbeat()? {
                return Ok(verdict);
            }
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
        let times = [self.seen.next_tick, drain, self.leash.end(), Some(self.leash.renewal())];
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

    /// Looks at faults, and only then asks for more time.
    fn heartbeat(&mut self) -> Result<Option<Verdict>, Stop> {
        if Instant::now() < self.leash.renewal() {
            return Ok(None);
        }
        if let Some(verdict) = self.faults()? {
            return Ok(Some(verdict));
        }
        let left = self.leash.heartbeat(Instant::now());
        match self.control.renew(&self.lease, left) {
            Ok(_) => Ok(None),
            Err(error) => self.lost(error).map(Some),
        }
    }

    /// What the clock brings.
    fn due(&mut self, now: Instant) -> Result<Option<Verdict>, Stop> {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| now >= time);
        if is_due(self.drain.as_ref().and_then(Drain::due)) {
            self.flush(now)?;
            if let Some(verdict) = self.faults()? {
                return Ok(Some(verdict));
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
        // The reading may have taken a fault out of the ring; poll(2) does not report that one any more.
        if let Some(verdict) = self.faults()? {
            return Ok(Some(verdict));
        }
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

    fn note(&mut self, sentence: String) {
        self.screen.say(&sentence);
        if self.seen.notes.len() < NOTES {
            self.seen.notes.push(sentence);
        }
    }
}
