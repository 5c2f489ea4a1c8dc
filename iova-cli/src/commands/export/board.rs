//! Figures measured so far, in the reader: one thread adds to them, another renders an edition of them per interval.

use super::edition::{Edition, Format, Texts};
use super::freshness::Freshness;
use iova_core::exposition::{About, State};
use iova_core::model::Step;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

struct Inner {
    state: State,
    freshness: Freshness,
    /// Readings so far.
    number: u64,
    /// Nobody wants more.
    closed: bool,
}

/// Shared between who measures and who hands over.
pub(super) struct Board {
    inner: Mutex<Inner>,
    /// Another reading, or the end.
    changed: Condvar,
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only a push says when it all began"))]
    begun_unix: Duration,
    interval: Duration,
}

impl Board {
    pub(super) fn new(top: usize, about: About, interval: Duration) -> Self {
        let state = State::new(top, about);
        let inner = Inner { state, freshness: Freshness::new(interval), number: 0, closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), begun_unix: unix_now(), interval }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn absorb(&self, step: Step) {
        let mut inner = self.lock();
        inner.state.absorb(step, unix_now().as_secs_f64());
        inner.freshness.last = Some(Instant::now());
        inner.number += 1;
        self.changed.notify_all();
    }

    /// Nobody waits for another reading from now on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Changes with each reading, and when readings stop.
    pub(super) fn version(&self) -> (u64, bool) {
        let inner = self.lock();
        (inner.number, inner.freshness.stalled())
    }

    /// Waits for another reading than number `seen`; its number, or `None` at the end.
    pub(super) fn next(&self, seen: Option<u64>) -> Option<u64> {
        let wait = |inner: &mut Inner| !inner.closed && seen == Some(inner.number);
        let inner = self.changed.wait_while(self.lock(), wait).unwrap_or_else(PoisonError::into_inner);
        (!inner.closed).then_some(inner.number)
    }

    /// Renders the edition to hand over now.
    pub(super) fn render(&self) -> Edition {
        let inner = self.lock();
        Edition {
            figures: Texts::render(&inner.state.expose(false)),
            withdrawn: Texts::render(&inner.state.expose(true)),
            push: None,
            age: inner.freshness.age(),
            interval: self.interval,
        }
    }

    /// The text for a file.
    pub(super) fn text(&self) -> Vec<u8> {
        let inner = self.lock();
        Format::Text.render(&inner.state.expose(inner.freshness.stalled()))
    }

    /// The request for a collector.
    #[cfg(feature = "otlp")]
    pub(super) fn otlp(&self, host: &str) -> serde_json::Value {
        use iova_core::exposition;
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let span = exposition::otlp::Span { start_ns: ns(self.begun_unix), end_ns: ns(unix_now()) };
        let inner = self.lock();
        exposition::otlp::request(&inner.state.expose(false), host, env!("CARGO_PKG_VERSION"), span)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked has left counters behind that are still true.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
