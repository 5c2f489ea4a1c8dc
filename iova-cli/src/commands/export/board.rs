//! What was measured so far, and its texts: each made once per interval, when the first one asks for it, and shared.

use iova_core::exposition::{self, About, Exposed, Label, State};
use iova_core::model::Step;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' protobuf, delimited: with native histograms.
    Protobuf,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    fn render(self, families: &[Exposed<'_>]) -> Vec<u8> {
        match self {
            Self::Text => exposition::prometheus(families).into_bytes(),
            Self::OpenMetrics => exposition::openmetrics(families).into_bytes(),
            Self::Protobuf => exposition::protobuf(families),
        }
    }

    fn end(self) -> &'static [u8] {
        if self == Self::OpenMetrics { b"# EOF\n" } else { b"" }
    }
}

/// This many intervals without a reading, and it has stalled.
const STALLED: u32 = 3;
/// But never sooner than this: a busy host may be late.
const LEAST: Duration = Duration::from_secs(5);

struct Inner {
    state: State,
    /// When the last reading came.
    last: Option<Instant>,
    /// Readings so far.
    edition: u64,
    /// Of which edition the texts are, and whether it had stalled by then.
    of: (u64, bool),
    bodies: [Option<Arc<[u8]>>; 3],
}

/// Shared between who measures and who answers.
pub(super) struct Board {
    inner: Mutex<Inner>,
    begun: Instant,
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only a push says when it all began"))]
    begun_unix: Duration,
    interval: Duration,
}

impl Board {
    pub(super) fn new(top: usize, about: About, interval: Duration) -> Self {
        let state = State::new(top, about);
        let inner = Inner { state, last: None, edition: 0, of: (0, false), bodies: Default::default() };
        Self { inner: Mutex::new(inner), begun: Instant::now(), begun_unix: unix_now(), interval }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn absorb(&self, step: Step) {
        let mut inner = self.lock();
        inner.state.absorb(step, unix_now().as_secs_f64());
        inner.last = Some(Instant::now());
        inner.edition += 1;
    }

    /// Changes with each reading, and when readings stop.
    pub(super) fn edition(&self) -> (u64, bool) {
        let edition = self.lock().edition;
        (edition, self.stalled())
    }

    /// Time since the last reading.
    pub(super) fn age(&self) -> Option<Duration> {
        self.lock().last.map(|last| last.elapsed())
    }

    /// True if readings stopped coming, or never came.
    pub(super) fn stalled(&self) -> bool {
        self.age().unwrap_or_else(|| self.begun.elapsed()) > (self.interval * STALLED).max(LEAST)
    }

    /// What was measured, the same for all who ask in one interval.
    pub(super) fn body(&self, format: Format) -> Arc<[u8]> {
        let stalled = self.stalled();
        let mut inner = self.lock();
        let now = (inner.edition, stalled);
        if inner.of != now {
            (inner.of, inner.bodies) = (now, Default::default());
        }
        let slot = format as usize;
        if let Some(Some(body)) = inner.bodies.get(slot) {
            return Arc::clone(body);
        }
        let body: Arc<[u8]> = format.render(&inner.state.expose(stalled)).into();
        if let Some(kept) = inner.bodies.get_mut(slot) {
            *kept = Some(Arc::clone(&body));
        }
        body
    }

    /// What is different for everybody who asks: how old the rest is, and what the server has seen.
    pub(super) fn tail(&self, format: Format, server: Vec<Exposed<'_>>) -> Vec<u8> {
        let age = self.age().map(|age| (None, age.as_secs_f64()));
        let stalled: [(Option<Label>, f64); 1] = [(None, f64::from(u8::from(self.stalled())))];
        let age = age.and_then(|age| Exposed::of("iova_exporter_last_sample_age_seconds", [age]));
        let stalled = Exposed::of("iova_exporter_stalled", stalled);
        let families: Vec<Exposed<'_>> = age.into_iter().chain(stalled).chain(server).collect();
        let mut tail = format.render(&families);
        tail.extend(format.end());
        tail
    }

    /// The request for a collector, and the edition it is of.
    #[cfg(feature = "otlp")]
    pub(super) fn otlp(&self, host: &str) -> serde_json::Value {
        let stalled = self.stalled();
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let span = exposition::otlp::Span { start_ns: ns(self.begun_unix), end_ns: ns(unix_now()) };
        let inner = self.lock();
        exposition::otlp::request(&inner.state.expose(stalled), host, env!("CARGO_PKG_VERSION"), span)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked has left counters behind that are still true.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
