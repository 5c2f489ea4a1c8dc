//! Age of the figures, and the age from which on they are withdrawn.

use std::time::{Duration, Instant};

/// This many intervals without a reading, and it has stalled.
const STALLED: u32 = 3;
/// But never sooner than this: a busy host may be late.
const LEAST: Duration = Duration::from_secs(5);

/// When readings came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freshness {
    begun: Instant,
    pub(super) last: Option<Instant>,
    pub(super) interval: Duration,
}

impl Freshness {
    /// One reading per `interval` is expected from now on.
    pub(super) fn new(interval: Duration) -> Self {
        Self { begun: Instant::now(), last: None, interval }
    }

    /// Time since the last reading.
    pub(super) fn age(self) -> Option<Duration> {
        self.last.map(|last| last.elapsed())
    }

    /// True if readings stopped coming, or never came.
    pub(super) fn stalled(self) -> bool {
        self.age().unwrap_or_else(|| self.begun.elapsed()) > self.interval.saturating_mul(STALLED).max(LEAST)
    }
}
