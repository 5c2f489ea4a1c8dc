//! Where intervals come from: a thread that reads the probes, looks at the space now and then, and says what it saw.

use super::habits::Habits;
use super::past::{self, Past, Recording};
use super::state::Origin;
use crate::commands::live::Live;
use crate::exit::Stop;
use crate::session::{self, Source as _, readable, translates};
use iova_core::inventory::Inventory;
use iova_core::model::{Cursor, Report, Step};
use iova_core::probe::Profile;
use iova_core::record::Look;
use iova_core::sample::What;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What the probes cost is measured in the first of so many intervals: measuring costs time too.
const WEIGHED: u32 = 60;
/// What this process may take of one core, snapshots and inventories included.
pub(super) const SHARE: f64 = 0.018;
/// What they get of it where counters alone take nearly all.
pub(super) const LEAST_FOR_LOOKING: f64 = 0.001;
/// They are never more frequent than this.
const LOOKING_REST: Duration = Duration::from_millis(900);
/// Nor less frequent than this, whatever it takes: beside live counters an older picture of the space misleads. (It binds
/// only where a look takes over a third of a second, or counters alone the whole share: in an emulator.)
const LOOKING_MOST: Duration = Duration::from_secs(20);

/// What the source is asked for, besides an interval after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Stop,
    /// A report of the last minutes.
    Report,
    /// The last minutes themselves.
    Recording,
}

/// What it hands over.
pub(crate) enum Goods {
    Reading(Box<Reading>),
    Report(Box<Report>),
    Recording(Recording),
    /// A recording is over; with what is wrong with it.
    End(Option<String>),
}

/// Where intervals come from.
pub(crate) trait Feed: Send {
    /// Hands over a reading per interval until nobody wants more, or it fails.
    fn run(
        self: Box<Self>,
        orders: &Receiver<Order>,
        hand_over: &mut dyn FnMut(Goods) -> bool,
    ) -> Result<(), Stop>;
}

/// What one interval brought.
pub(crate) struct Reading {
    pub(crate) step: Step,
    /// CPU time of this process in the interval, as a share of one core.
    pub(crate) own_cpu: Option<f64>,
}

/// What to look at.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) interval: Duration,
    pub(crate) profile: Profile,
    /// Device names as given; empty for all.
    pub(crate) devices: Vec<String>,
    /// Nothing may be changed from the screen.
    pub(crate) read_only: bool,
    pub(crate) origin: Origin,
    pub(crate) habits: Habits,
}

/// The running kernel under observation.
pub(crate) struct LiveFeed {
    live: Live,
    cursor: Cursor,
    /// If somebody may want it.
    past: Option<Past>,
    interval: Duration,
    next_look: Instant,
    /// Share of a core that an interval takes in which nothing is looked at.
    busy: f64,
    looked: bool,
    /// Intervals so far.
    count: u32,
    /// What the probes cost is known.
    weighed: bool,
    cpu: Option<(Instant, Duration)>,
    /// Whose CPU time that is, as getrusage(2) has it.
    whose: libc::c_int,
}

impl LiveFeed {
    /// Attaches the probes, and keeps the last minutes.
    pub(crate) fn start(plan: &Plan) -> Result<Self, Stop> {
        Self::begin(plan.interval, plan.profile, &plan.devices, true)
    }

    /// The same for whoever never looks back.
    pub(crate) fn attach(interval: Duration, profile: Profile, devices: &[String]) -> Result<Self, Stop> {
        Self::begin(interval, profile, devices, false)
    }

    fn begin(interval: Duration, profile: Profile, devices: &[String], keep: bool) -> Result<Self, Stop> {
        let mut live = Live::new()?;
        let inventory = live.inventory();
        let wanted = live.select(&inventory, devices)?;
        if !translates(&inventory) {
            return Err(Stop::unusable(
                "no device's DMA goes through an IOMMU here, so there is nothing to watch: see iova doctor",
            ));
        }
        live.attach(profile, &inventory)?;
        let snapshot = live.snapshot();
        let first = live.sample()?;
        live.weigh(true);
        // The screen goes on to keep ten minutes of everything. Who gives up rights could not read the tables again.
        if keep {
            live.forget_tables();
        }
        let head = || session::head(&live, interval, profile, inventory.clone(), readable(snapshot.clone()));
        let mut past = keep.then(|| Past::begin(head()));
        past.iter_mut().for_each(|past| past.push(&first));
        let cursor = session::cursor(&live, profile, inventory, snapshot, first).only(wanted);
        let next_look = Instant::now() + LOOKING_REST;
        Ok(Self {
            live,
            cursor,
            past,
            interval,
            next_look,
            busy: 0.005,
            looked: true,
            count: 0,
            weighed: false,
            cpu: None,
            whose: libc::RUSAGE_SELF,
        })
    }

    /// Only what this thread does counts for how often to look: others decide how much there is to answer.
    pub(crate) fn answers_others(&mut self) {
        self.whose = libc::RUSAGE_THREAD;
    }

    /// Keeps what can't be opened again without rights; why not, if it can't be had.
    pub(crate) fn hold_memory(&mut self) -> Result<(), String> {
        self.live.hold_memory()
    }

    /// Looks whether the space can still be read, where it could be before; if not, it is unknown from now on.
    pub(crate) fn look_again(&mut self) {
        let snapshot = self.live.snapshot();
        if let (true, Some(why)) = (snapshot.domains.is_empty(), snapshot.missing.first()) {
            self.cursor.lose_sight(why);
        }
    }

    /// What came since the last reading.
    pub(crate) fn read(&mut self) -> Result<Reading, Stop> {
        self.looked = self.look();
        let sample = self.live.sample()?;
        if sample.events.iter().any(|event| matches!(event.what, What::DeviceNew | What::DeviceGone)) {
            self.next_look = self.next_look.min(Instant::now() + LOOKING_REST);
        }
        self.past.as_mut().into_iter().for_each(|past| past.push(&sample));
        let step = self.cursor.step(sample);
        self.count = self.count.wrapping_add(1);
        // Until there were allocations to weigh, once is not enough.
        self.weighed |= step.interval.quality.added_ns_per_alloc.is_some();
        self.live.weigh(!self.weighed || self.count.is_multiple_of(WEIGHED));
        let own_cpu = self.own_cpu();
        if let (Some(share), false) = (own_cpu, self.looked) {
            self.busy = share;
        }
        Ok(Reading { step, own_cpu })
    }

    /// Looks at devices and space, if it is time: what took long is not done again soon, unless devices come or go.
    fn look(&mut self) -> bool {
        let start = Instant::now();
        if start < self.next_look {
            return false;
        }
        let inventory: Inventory = self.live.inventory();
        let snapshot = readable(self.live.snapshot());
        if let Some(past) = &mut self.past {
            past.know(Look { inventory: Some(inventory.clone()), snapshot: snapshot.clone() });
            // Something may have been asked for the first time.
            self.live.forget_tables();
        }
        self.cursor.learn(inventory, snapshot);
        let rest = start.elapsed().div_f64((SHARE - self.busy).max(LEAST_FOR_LOOKING));
        self.next_look = Instant::now() + rest.clamp(LOOKING_REST, LOOKING_MOST);
        true
    }

    fn own_cpu(&mut self) -> Option<f64> {
        let now = (Instant::now(), cpu_time(self.whose)?);
        let before = self.cpu.replace(now)?;
        let passed = now.0.duration_since(before.0).as_secs_f64();
        (passed > 0.0).then(|| now.1.saturating_sub(before.1).as_secs_f64() / passed)
    }
}

impl Feed for LiveFeed {
    fn run(
        mut self: Box<Self>,
        orders: &Receiver<Order>,
        hand_over: &mut dyn FnMut(Goods) -> bool,
    ) -> Result<(), Stop> {
        let mut next = Instant::now() + self.interval;
        loop {
            let goods = match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => Goods::Reading(Box::new(self.read()?)),
                Ok(Order::Report) => Goods::Report(Box::new(self.cursor.long())),
                Ok(Order::Recording) => {
                    Goods::Recording(past::recording(&mut self.past, self.live.unmeasured()))
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let is_reading = matches!(goods, Goods::Reading(_));
            if !hand_over(goods) {
                return Ok(());
            }
            if !is_reading {
                continue;
            }
            // After a pause (suspend, a stopped process) there is nothing to catch up with.
            next = (next + self.interval).max(Instant::now());
        }
    }
}

/// User and system time of this process or thread.
fn cpu_time(whose: libc::c_int) -> Option<Duration> {
    // SAFETY: zeroes are a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a rusage to write to.
    let result = unsafe { libc::getrusage(whose, &raw mut usage) };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    (result == 0).then(|| time(usage.ru_utime) + time(usage.ru_stime))
}
