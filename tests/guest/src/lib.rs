//! The border between a lab guest and its host: what the host orders ([`Job`]) and what the guest answers ([`wire`],
//! [`verdict`]).
//!
//! Both sides are built from this one file set, so they can't disagree about the format.

pub mod channel;
pub mod cuts;
pub mod edu;
pub mod job;
pub mod random;
pub mod verdict;
pub mod wire;

pub use job::{Job, Processes, Report, Terminal};
