//! A recording instead of a host: the same intervals, at the pace that is wanted.

use super::past::{self, Past};
use super::source::{Feed, Goods, Order, Reading};
use crate::exit::Stop;
use crate::session::{self, Piece, Played, Source as _};
use iova_core::model::{Cursor, Step};
use iova_core::record::{Moment, Reader};
use iova_core::sample::Event;
use std::fs::File;
use std::io::BufReader;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A pause in the recording is not waited for longer than this.
const LONGEST: Duration = Duration::from_secs(10);

/// A recording under way.
pub(crate) struct Player {
    played: Played,
    cursor: Cursor,
    /// If somebody may want it.
    past: Option<Past>,
    /// Seconds of the recording in one; 0 for no waiting.
    speed: f64,
    /// When the last sample was read, CLOCK_MONOTONIC of the recorded host.
    ns: u64,
    /// Its latency distributions are as they were read.
    exact: bool,
    /// When the allocator's state was looked at, if it was.
    looked_ns: Option<u64>,
}

impl Player {
    pub(crate) fn open(piece: impl Into<Piece>, speed: f64, devices: &[String]) -> Result<Self, Stop> {
        let mut played = piece.into().open()?;
        let profile = played.profile()?;
        let inventory = played.inventory();
        let wanted = played.select(&inventory, devices)?;
        let snapshot = played.snapshot();
        let looked_ns = (!snapshot.domains.is_empty()).then_some(snapshot.ns);
        let first = played.sample()?;
        let ns = first.ns;
        let cursor = session::cursor(&played, profile, inventory, snapshot, first).only(wanted);
        // The first sample of the whole is as it was read; of a part, nobody knows.
        let exact = ns == played.first_ns();
        Ok(Self { played, cursor, past: None, speed, ns, exact, looked_ns })
    }

    /// Keeps the last minutes from here on, for whoever wants them written.
    pub(crate) fn keeping(mut self) -> Self {
        self.past = Some(Past::begin(self.played.reader().head().clone()));
        self
    }

    /// Intended time between two samples.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.played.reader().head().interval_ms)
    }

    /// The next interval and its events, without waiting; `None` at the end.
    pub(crate) fn next_step(&mut self) -> Result<Option<(Step, Vec<Event>)>, Stop> {
        let moment = self.played.moment()?;
        Ok(moment.map(|moment| {
            let events = moment.sample.events.clone();
            (self.step(moment).step, events)
        }))
    }

    /// How long the next one is to be waited for.
    fn wait(&self, moment: &Moment) -> Duration {
        let passed = Duration::from_nanos(moment.sample.ns.saturating_sub(self.ns)).as_secs_f64();
        let wait = if self.speed > 0.0 { passed / self.speed } else { 0.0 };
        Duration::from_secs_f64(wait.min(LONGEST.as_secs_f64()))
    }

    fn step(&mut self, moment: Moment) -> Reading {
        (self.ns, self.exact) = (moment.sample.ns, moment.exact);
        if let Some(past) = &mut self.past {
            past.push(&moment.sample);
            moment.look.iter().for_each(|look| past.know(look.clone()));
        }
        if let Some(look) = moment.look {
            let inventory = look.inventory.unwrap_or_else(|| self.played.inventory());
            self.looked_ns = look.snapshot.as_ref().map(|snapshot| snapshot.ns).or(self.looked_ns);
            self.cursor.learn(inventory, look.snapshot);
        }
        Reading { step: self.cursor.step(moment.sample), own_cpu: None }
    }

    /// What is asked for besides; `None` for the end.
    fn answer(&mut self, order: Order) -> Option<Goods> {
        match order {
            Order::Stop => None,
            Order::Report => Some(Goods::Report(Box::new(self.cursor.long()))),
            Order::Recording => {
                Some(Goods::Recording(past::recording(&mut self.past, self.played.unmeasured())))
            }
        }
    }
}

/// What a table wants to know beside the figures.
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only a table asks"))]
impl Player {
    /// When the last sample was read, CLOCK_MONOTONIC of the recorded host.
    pub(crate) fn ns(&self) -> u64 {
        self.ns
    }

    /// When the whole recording begins, by the same clock.
    pub(crate) fn first_ns(&self) -> u64 {
        self.played.first_ns()
    }

    /// Whether the last sample's latency distributions are as they were read.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    /// When the allocator's state was last looked at, CLOCK_MONOTONIC of the recorded host.
    pub(crate) fn looked_ns(&self) -> Option<u64> {
        self.looked_ns
    }

    pub(crate) fn reader(&self) -> &Reader<BufReader<File>> {
        self.played.reader()
    }

    /// What is wrong with the file, once it was played: one sentence.
    pub(crate) fn flaw(&self) -> Option<String> {
        self.played.flaw()
    }
}

impl Feed for Player {
    fn run(
        mut self: Box<Self>,
        orders: &Receiver<Order>,
        hand_over: &mut dyn FnMut(Goods) -> bool,
    ) -> Result<(), Stop> {
        while let Some(moment) = self.played.moment()? {
            let due = Instant::now() + self.wait(&moment);
            loop {
                let order = match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                    Ok(order) => order,
                };
                if !self.answer(order).is_some_and(&mut *hand_over) {
                    return Ok(());
                }
            }
            let reading = self.step(moment);
            if !hand_over(Goods::Reading(Box::new(reading))) {
                return Ok(());
            }
        }
        if !hand_over(Goods::End(self.played.flaw())) {
            return Ok(());
        }
        // It can still be looked at.
        while let Some(goods) = orders.recv().ok().and_then(|order| self.answer(order)) {
            if !hand_over(goods) {
                break;
            }
        }
        Ok(())
    }
}
