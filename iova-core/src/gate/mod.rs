//! Is the candidate worse than the baseline?
//!
//! ```text
//! reports, values ──> Run        what one measurement said, per device, domain or name
//! gate.toml       ──> Rules      what is allowed: "alloc.latency_ns.p99 <= 1.10 x baseline"
//! both            ──> judge      per rule and device a Check: pass, regression, cannot judge
//!                 ──> Outcome    the JSON document `iova.gate`, and what every other face prints
//! ```
//!
//! No input, no output, no clock: the same runs always get the same outcome.

mod hosts;
mod judge;
mod outcome;
mod rule;
mod run;
pub mod stats;

pub use judge::{Settings, judge};
pub use outcome::{Change, Check, How, Outcome, Outlier, SCHEMA, SCHEMA_VERSION, Scale, Side, Verdict};
pub use rule::{Bound, Fault, Rule, Rules};
pub use run::{Kind, Run, RunHost, Subject, VALUES_SCHEMA};

#[cfg(test)]
mod tests;
