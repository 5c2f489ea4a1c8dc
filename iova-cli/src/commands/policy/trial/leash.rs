//! How long the kernel is asked to wait before it takes a policy back by itself.

use std::time::{Duration, Instant};

/// Our own end comes first, the kernel's is for the case that we hang.
const MARGIN: Duration = Duration::from_secs(2);
/// While a command runs, nobody knows for how long; this is renewed as long as we are alive.
const OPEN_END: Duration = Duration::from_secs(60);
/// To answer a question.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// The end of a trial and the lease up to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leash {
    /// Longest lease of the module.
    most: Duration,
    end: Option<Instant>,
    renewal: Option<Instant>,
}

impl Leash {
    /// A trial that ends at `end`, or with its command.
    pub(super) fn new(end: Option<Instant>, most: Duration) -> Self {
        Self { most, end, renewal: None }
    }

    /// The lease to ask for now; no longer than the trial may last.
    pub(super) fn length(&mut self, now: Instant) -> Duration {
        let wanted = self.end.map_or(OPEN_END, |end| end.saturating_duration_since(now) + MARGIN);
        let granted = wanted.min(self.most);
        let enough = self.end.is_some() && granted == wanted;
        self.renewal = (!enough).then(|| now + granted / 3);
        granted
    }

    /// From now on it lasts until somebody has answered, and no longer.
    pub(super) fn until_answered(&mut self, now: Instant) {
        self.end = Some(now + ANSWER);
    }

    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// When to renew, if ever.
    pub(super) fn renewal(&self) -> Option<Instant> {
        self.renewal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_trial_with_an_end_has_one_lease() {
        let now = Instant::now();
        let mut leash = Leash::new(Some(now + Duration::from_secs(600)), HOUR);
        assert_eq!(leash.length(now), Duration::from_secs(602));
        assert_eq!(leash.renewal(), None);
    }

    #[test]
    fn one_that_is_longer_than_a_lease_may_be_or_has_no_end_is_renewed() {
        let now = Instant::now();
        let mut leash = Leash::new(Some(now + 3 * HOUR), HOUR);
        assert_eq!((leash.length(now), leash.renewal()), (HOUR, Some(now + HOUR / 3)));
        let later = now + 5 * HOUR / 2;
        assert_eq!((leash.length(later), leash.renewal()), (HOUR / 2 + MARGIN, None));
        let mut open = Leash::new(None, HOUR);
        assert_eq!((open.length(now), open.renewal()), (OPEN_END, Some(now + OPEN_END / 3)));
        open.until_answered(now);
        assert_eq!((open.length(now), open.renewal()), (ANSWER + MARGIN, None));
    }
}
