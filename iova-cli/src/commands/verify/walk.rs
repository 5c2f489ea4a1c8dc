//! Step after step to the answer, and everything put back.

use super::document::{self, VerifyReport};
use super::hands::Hands;
use super::step::Ended;
use super::work::{Plan, Workload};
use super::{Look, Verification, ladder};
use crate::args::Format;
use crate::commands::policy::host;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::{renderer, step_line};
use crate::session::Source as _;
use crate::term::Term;
use iova_core::metric::Unit;
use iova_core::model::HostFigures;
use iova_core::policy::module::Control;
use iova_core::policy::verify::{Begun, Check, Event, FIRST, Journal, Next, Past, Purpose, Verdict, next};
use iova_core::probe::Profile;
use std::time::Duration;

impl Verification {
    pub(super) fn new(
        look: Look,
        journal: Journal,
        begun: Begun,
        plan: Plan,
        disks: usize,
    ) -> Result<(Self, HostFigures), Stop> {
        let Look { mut live, root, signals, inventory, host, device } = look;
        let signal_fd = signals.descriptor().map_err(|error| Stop::internal(format!("signals: {error}")))?;
        live.attach_watching(Profile::Light, &inventory, None)?;
        let faults = live.unmeasured().into_iter().find(|unknown| unknown.metric.starts_with("faults"));
        if let Some(unknown) = faults {
            output::complain(&format!(
                "DMA faults can't be seen here, so only data that does not arrive can show a limit: {}",
                unknown.why
            ));
        }
        let hands = Hands::new(&root, &begun.bdf, &begun.driver, begun.typed);
        let workload = Workload::new(plan, &root, &device.bdf, disks);
        let verification = Self {
            live,
            live_root: root,
            signals,
            signal_fd,
            device,
            hands,
            workload,
            journal,
            begun,
            ladder: None,
            steps: Vec::new(),
        };
        Ok((verification, host))
    }

    /// Step after step to the answer; then everything is put back, whatever happened.
    pub(super) fn walk(&mut self, past: Option<&Past>) -> Walked<'_> {
        let answer = self.steps_to_answer(past);
        let problems = self.hands.put_back(&self.begun.domain);
        Walked { verification: self, answer, problems }
    }

    /// `Err` of the inner result: the signal that ended it.
    fn steps_to_answer(&mut self, past: Option<&Past>) -> Result<Result<Verdict, i32>, Stop> {
        // After a crash first as the kernel does it: what is compared later has to be known.
        let mut again = past.is_some();
        loop {
            let decided = next(self.ladder.as_ref(), &self.steps);
            let (width, purpose) = match decided {
                Next::Done(verdict) => return Ok(Ok(verdict)),
                Next::Step { .. } if std::mem::take(&mut again) => (FIRST, Purpose::Baseline),
                Next::Step { width, purpose } => (width, purpose),
            };
            if past.and_then(Past::deadly) == Some(width) && width > FIRST {
                let reason =
                    format!("twice the host or iova itself died at {width} bits; what came before is proved");
                let bits = self.proved();
                return Ok(Ok(Verdict::CannotProve { bits, reason }));
            }
            match self.step(width, purpose, self.length(width))? {
                Ended::Cut(signal) => {
                    self.journal.note(Event::Stopped).map_err(Stop::unusable)?;
                    return Ok(Err(signal));
                }
                Ended::Whole(record) => {
                    output::complain(&step_line(&record));
                    self.steps.push(*record);
                }
            }
        }
    }

    fn proved(&self) -> u8 {
        let passed = self.steps.iter().filter(|step| step.passed()).map(|step| step.width);
        passed.max().unwrap_or(FIRST).max(self.begun.proved)
    }

    fn length(&self, width: u8) -> Duration {
        let last = self.ladder.as_ref().is_some_and(|ladder| ladder.top == width);
        Duration::from_millis(if last { self.begun.hold_ms } else { self.begun.step_ms })
    }

    /// Which widths there are; its driver is bound, and has worked.
    pub(super) fn find_ladder(&mut self) -> Result<(), Stop> {
        let control = Control::open(self.live.kernel().ok()).map_err(host::stop)?;
        let ladder = ladder::ask(&control, &self.device, self.begun.proved, self.begun.to)?;
        self.journal.note(Event::Ladder(ladder.clone())).map_err(Stop::unusable)?;
        self.ladder = Some(ladder);
        Ok(())
    }
}

/// A walk that is over, with everything put back.
pub(super) struct Walked<'a> {
    verification: &'a mut Verification,
    answer: Result<Result<Verdict, i32>, Stop>,
    problems: Vec<String>,
}

impl Walked<'_> {
    pub(super) fn finish(
        self,
        host: &HostFigures,
        checks: Vec<Check>,
        format: Format,
        term: Term,
    ) -> Result<Exit, Stop> {
        let Self { verification, answer, problems } = self;
        problems.iter().for_each(|problem| output::complain(&format!("not put back: {problem}")));
        let answer = answer?;
        let bdf = &verification.begun.bdf;
        let worked_s = document::worked(&verification.steps);
        let sentence = match &answer {
            Ok(verdict) => verdict.sentence(&Unit::Seconds.render(Some(worked_s))),
            Err(signal) => format!(
                "ended by signal {signal} before it came to an answer: `iova verify {bdf} --resume` goes on, --close \
                 ends it"
            ),
        };
        if answer.is_ok() {
            let closed = Event::Closed { answer: answer.as_ref().ok().cloned() };
            verification.journal.note(closed).map_err(Stop::unusable)?;
        }
        let journal = match &answer {
            Ok(_) => verification.journal.put_aside().map_err(Stop::unusable)?,
            Err(_) => verification.journal.path().to_owned(),
        };
        let report = VerifyReport {
            checks,
            ladder: verification.ladder.clone(),
            work: verification.workload.sentence(),
            steps: verification.steps.clone(),
            answer: answer.as_ref().ok().cloned(),
            sentence,
            worked_s,
            unmeasured: verification.live.unmeasured(),
            problems,
            journal: Some(journal.display().to_string()),
            ..VerifyReport::blank(&verification.live_root, host, &verification.device)
        };
        output::print(&renderer(format, term).verification(&report)?)?;
        let whole = answer.is_ok_and(|verdict| verdict.is_whole()) && report.problems.is_empty();
        Ok(if whole { Exit::Done } else { Exit::No })
    }
}
