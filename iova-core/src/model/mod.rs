//! From samples and snapshots to the figures of a report. Live reading and replay feed the same model.
//!
//! ```text
//! Inventory, start Snapshot, first Sample ──> Model::new
//! one Sample per second                   ──> Model::feed     (differences are added up; resets are noticed)
//! second Inventory (optional)             ──> Model::learn    (what was plugged or removed meanwhile)
//! end Snapshot                            ──> Model::figures  (rates, percentiles, ratios, 32-bit pressure)
//! ```
//!
//! Every figure has its name, unit and definition in [`crate::metric`]. A figure that could not be measured is
//! `None`, never zero.

mod assemble;
mod cursor;
pub(crate) mod delta;
mod device;
mod domain;
mod hide;
mod identity;
mod incident;
mod last;
mod latency;
pub mod low_map;
mod quality;
mod read;
mod report;
pub mod story;
mod track;

pub use assemble::configured_name;
pub use cursor::{Cursor, Step};
pub use device::{
    Alloc, Cache, Device, Fault, Faults, Free, LARGE_ORDER, Lock, Map, OrderCount, OrderLatency, Policy,
    Presence, SlowCall,
};
pub use domain::{Domain, FlushQueue, LowSpace, Space};
pub use incident::Incident;
pub use latency::{Bucket, Latency};
pub use quality::{Quality, Unknown};
pub use report::{Command, Figures, HostFigures, Report, SCHEMA, SCHEMA_VERSION, SacControl, type_name};
pub use track::Model;

#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
mod tests;
