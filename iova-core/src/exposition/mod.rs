//! The figures as a monitoring system wants them: families of metrics in base units, counters that only grow.
//!
//! ```text
//! Step per interval ──> State::absorb   (differences are added up; the busiest devices get series of their own)
//!                       State::expose   ──> text (Prometheus, OpenMetrics), protobuf, OTLP
//! ```
//!
//! Names, units and help texts come from [`crate::metric`] by one mapping ([`family`]). Nothing here knows a socket.

mod choice;
mod family;
mod histogram;
#[cfg(test)]
mod mod_tests;
pub mod otlp;
mod protobuf;
mod state;
mod text;
mod totals;

pub use family::{Family, Kind, families, find};
pub use histogram::{BOUNDS_NS, NATIVE_ERROR, Native, SCHEMA};
pub use protobuf::protobuf;
pub use state::{About, Privileges, State};
pub use text::{openmetrics, prometheus};
pub use totals::Distribution;

use std::sync::Arc;

/// A label and its value.
pub type Label = (&'static str, String);

/// One family with its series.
#[derive(Clone, Debug)]
pub struct Exposed<'a> {
    /// What it is.
    pub family: &'static Family,
    /// Its series; families without any are left out.
    pub series: Vec<Series<'a>>,
}

impl Exposed<'_> {
    /// The family `name` with the series of `values`, each with at most one label; `None` if there is no such family.
    pub fn of(name: &str, values: impl IntoIterator<Item = (Option<Label>, f64)>) -> Option<Self> {
        let series = |(extra, value)| Series { labels: Arc::default(), extra, value: Value::Number(value) };
        Some(Self { family: find(name)?, series: values.into_iter().map(series).collect() })
    }
}

/// One series.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// Labels that many series share.
    pub labels: Arc<[Label]>,
    /// One more label.
    pub extra: Option<Label>,
    /// Its value.
    pub value: Value<'a>,
}

impl Series<'_> {
    /// All labels; those without a value are left out.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = self.labels.iter().chain(&self.extra).map(|(name, value)| (*name, value.as_str()));
        all.filter(|(_, value)| !value.is_empty())
    }
}

/// What a series is worth.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A counter, a gauge, or the 1 of an info.
    Number(f64),
    /// A histogram.
    Distribution(&'a Distribution),
}
