//! Who may say that a policy stays, and who says no: the terminal, `iova policy confirm`, the command, signals.

use super::super::keys::Key;
use super::super::leash::ANSWER;
use super::super::verdict::{No, Verdict};
use super::Watch;
use crate::commands::policy::door::{Answer, Door, Visit};
use crate::exit::Stop;
use crate::session::Child;
use crate::signals::Wake;
use std::time::Instant;

impl Watch<'_> {
    pub(super) fn signal(&mut self) -> Result<Option<Verdict>, Stop> {
        match self.signals.wait(Instant::now()) {
            Wake::Time | Wake::Asked => Ok(None),
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
        // What came since the loop looked counts as well: nothing watches after this.
        if let Some(verdict) = self.faults()? {
            return Ok(verdict);
        }
        match self.control.commit(&self.lease) {
            Ok(_) => Ok(Verdict::Kept { by, reason }),
            Err(error) => self.lost(error),
        }
    }

    /// Asks whether to keep it; `otherwise` if nobody can be asked.
    pub(super) fn ask(&mut self, otherwise: No) -> Result<Option<Verdict>, Stop> {
        let running = self.child.as_mut().is_some_and(|child| !child.ended());
        if self.keys.is_none() || running {
            return Ok(Some(Verdict::Not(otherwise)));
        }
        self.leash.until_answered(Instant::now());
        self.seen.asking = true;
        self.screen.ask(self.options.policy, &self.device.bdf, ANSWER);
        Ok(None)
    }

    pub(super) fn key(&mut self) -> Result<Option<Verdict>, Stop> {
        let Some(keys) = &self.keys else { return Ok(None) };
        match (keys.read(), self.seen.asking || keys.unasked) {
            (Key::Closed, _) => Ok(Some(Verdict::Not(No::InputEnded))),
            (_, false) => self.ask(No::NobodyToAsk),
            (Key::Yes, true) => self.keep("the user at the terminal".to_owned(), None).map(Some),
            (Key::Other, true) => Ok(Some(Verdict::Not(No::Answered))),
        }
    }

    /// `iova policy confirm`.
    pub(super) fn visit(&mut self) -> Result<Option<Verdict>, Stop> {
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
}
