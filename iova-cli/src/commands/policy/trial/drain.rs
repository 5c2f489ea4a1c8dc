//! When to drain the domain's caches: `--flush`.
//!
//! Addresses of the old policy that are in use when a cache is drained come back into it when they are freed. One
//! drain is therefore never enough under load: a burst of them catches nearly all within two seconds, and after it one
//! per second what long-lived mappings give back.

use std::time::{Duration, Instant};

/// Steps of the burst: as long as a transfer lasts, then longer.
const STEPS_MS: [u64; 12] = [5, 10, 20, 40, 60, 80, 100, 150, 200, 250, 300, 400];
/// From then on.
const PACE: Duration = Duration::from_secs(1);

/// The schedule of drains.
pub(super) struct Drain {
    step: usize,
    due: Option<Instant>,
    last: Instant,
    count: u32,
}

impl Drain {
    /// Begins with the first drain, which is due at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { step: 0, due: Some(now), last: now, count: 0 }
    }

    /// When to drain next; `None` while nothing comes out of the caches.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// True during the burst.
    pub(super) fn bursting(&self) -> bool {
        self.step < STEPS_MS.len()
    }

    /// It was done.
    pub(super) fn done(&mut self, now: Instant) {
        (self.count, self.last) = (self.count + 1, now);
        self.due = STEPS_MS.get(self.step).map(|&step| now + Duration::from_millis(step));
        self.step += 1;
    }

    /// A reading shows that addresses still came (`old`) or not, out of any at all (`any`).
    pub(super) fn seen(&mut self, any: bool, old: bool) {
        match (any, old) {
            // Nobody asked for an address: nothing is known, and nothing is urgent.
            (false, _) => {}
            (true, false) => (self.step, self.due) = (STEPS_MS.len(), None),
            (true, true) if !self.bursting() && self.due.is_none() => self.due = Some(self.last + PACE),
            (true, true) => {}
        }
    }

    /// How often it was done.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_at_most_once_a_second_and_only_if_needed() {
        let start = Instant::now();
        let mut drain = Drain::new(start);
        let mut now = start;
        while let Some(due) = drain.due().filter(|_| drain.bursting()) {
            now = due;
            drain.done(now);
            drain.seen(true, true);
        }
        assert_eq!(drain.count(), 12);
        assert!(now - start < Duration::from_secs(2));
        drain.seen(true, true);
        let due = drain.due().unwrap();
        assert!(due >= now + Duration::from_millis(400), "{:?}", due - now);
        drain.done(due);
        assert_eq!(drain.due(), None);
        drain.seen(true, false);
        assert_eq!(drain.due(), None);
        drain.seen(true, true);
        assert_eq!(drain.due(), Some(due + PACE));
    }

    #[test]
    fn the_burst_ends_when_the_caches_are_clean_and_not_when_nobody_asks() {
        let mut drain = Drain::new(Instant::now());
        drain.done(Instant::now());
        drain.seen(false, false);
        assert!(drain.bursting() && drain.due().is_some());
        drain.seen(true, false);
        assert!(!drain.bursting() && drain.due().is_none());
    }
}
