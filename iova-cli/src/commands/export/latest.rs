//! The last edition that arrived: all that the server knows.

use super::edition::{Edition, Format};
use super::freshness::Freshness;
use iova_core::exposition::{Exposed, Label};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

struct Inner {
    edition: Edition,
    freshness: Freshness,
    #[cfg(feature = "otlp")]
    push: Push,
}

/// The last request for a collector, and how many there were.
#[cfg(feature = "otlp")]
#[derive(Default)]
struct Push {
    number: u64,
    body: Arc<[u8]>,
}

/// Shared between who takes editions over and who answers with them.
pub(super) struct Latest {
    inner: Mutex<Inner>,
    /// Another request for a collector.
    #[cfg(feature = "otlp")]
    pushed: std::sync::Condvar,
}

impl Latest {
    pub(super) fn new(edition: Edition) -> Self {
        let inner = Inner {
            freshness: Freshness::new(edition.interval),
            edition: Edition::default(),
            #[cfg(feature = "otlp")]
            push: Push::default(),
        };
        let latest = Self {
            inner: Mutex::new(inner),
            #[cfg(feature = "otlp")]
            pushed: std::sync::Condvar::new(),
        };
        latest.replace(edition);
        latest
    }

    /// Answers come from `edition` from now on.
    pub(super) fn replace(&self, mut edition: Edition) {
        let push = edition.push.take();
        let mut inner = self.lock();
        inner.freshness.interval = edition.interval;
        inner.freshness.last = edition.age.and_then(|age| Instant::now().checked_sub(age));
        inner.edition = edition;
        #[cfg(feature = "otlp")]
        if let Some(body) = push {
            inner.push = Push { number: inner.push.number + 1, body: body.into() };
            self.pushed.notify_all();
        }
        #[cfg(not(feature = "otlp"))]
        drop(push);
    }

    /// Time since the last reading.
    pub(super) fn age(&self) -> Option<Duration> {
        self.lock().freshness.age()
    }

    /// True if readings stopped coming, or never came.
    pub(super) fn stalled(&self) -> bool {
        self.lock().freshness.stalled()
    }

    /// What was measured, the same for all who ask in one interval; once it has stalled, without the figures.
    pub(super) fn body(&self, format: Format) -> Arc<[u8]> {
        let inner = self.lock();
        let texts = if inner.freshness.stalled() { &inner.edition.withdrawn } else { &inner.edition.figures };
        Arc::clone(texts.get(format))
    }

    /// What is different for everybody who asks: how old the rest is, and what the server has seen.
    pub(super) fn tail(&self, format: Format, server: Vec<Exposed<'_>>) -> Vec<u8> {
        let freshness = self.lock().freshness;
        let age = freshness.age().map(|age| (None, age.as_secs_f64()));
        let stalled: [(Option<Label>, f64); 1] = [(None, f64::from(u8::from(freshness.stalled())))];
        let age = age.and_then(|age| Exposed::of("iova_exporter_last_sample_age_seconds", [age]));
        let stalled = Exposed::of("iova_exporter_stalled", stalled);
        let families: Vec<Exposed<'_>> = age.into_iter().chain(stalled).chain(server).collect();
        let mut tail = format.render(&families);
        tail.extend(format.end());
        tail
    }

    /// Waits for another request for a collector than number `seen`: its number, and itself.
    #[cfg(feature = "otlp")]
    pub(super) fn next_push(&self, seen: u64) -> (u64, Arc<[u8]>) {
        let inner = self.pushed.wait_while(self.lock(), |inner| inner.push.number == seen);
        let inner = inner.unwrap_or_else(PoisonError::into_inner);
        (inner.push.number, Arc::clone(&inner.push.body))
    }

    #[cfg(feature = "otlp")]
    pub(super) fn interval(&self) -> Duration {
        self.lock().freshness.interval
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked has left texts behind that are still true.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
