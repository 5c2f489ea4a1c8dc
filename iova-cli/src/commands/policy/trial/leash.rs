//! How long the kernel leaves a policy in force without hearing from us, and when a trial ends.
//!
//! On VT-d, virtio-iommu and AMD-Vi before 6.1 nothing in the kernel ends a lease at a fault (fault.c of the module): this
//! process is the guard. So its lease is a heartbeat, renewed only after a look at faults; a process that is stopped, swapped
//! out or starved does not look, and loses it.

use std::time::{Duration, Instant};

/// The policy outlives the last look at faults by this, at most.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(250);
/// To answer a question.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// The end of a trial and the heartbeat up to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leash {
    end: Option<Instant>,
    renewal: Instant,
}

impl Leash {
    /// A trial that ends at `end`, or with its command.
    pub(super) fn new(end: Option<Instant>, now: Instant) -> Self {
        Self { end, renewal: now }
    }

    /// Faults have been looked at: the lease to ask for now.
    pub(super) fn heartbeat(&mut self, now: Instant) -> Duration {
        self.renewal = now + LOOK;
        HEARTBEAT
    }

    /// From now on it lasts until somebody has answered, and no longer.
    pub(super) fn until_answered(&mut self, now: Instant) {
        self.end = Some(now + ANSWER);
    }

    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// When to look at faults and renew.
    pub(super) fn renewal(&self) -> Instant {
        self.renewal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_short_and_renewed_in_good_time() {
        let now = Instant::now();
        let mut leash = Leash::new(None, now);
        assert_eq!(leash.renewal(), now);
        assert_eq!(leash.heartbeat(now), HEARTBEAT);
        assert!(leash.renewal() > now && leash.renewal() + HEARTBEAT / 2 < now + HEARTBEAT);
        assert_eq!(leash.end(), None);
        leash.until_answered(now);
        assert_eq!(leash.end(), Some(now + ANSWER));
    }
}
