//! The library under `iova`: what the Linux IOVA allocator does to each device.
//!
//! The way of the data: [`probe`] (live eBPF maps) gives a [`sample::Sample`] per interval, [`snapshot`] the state of
//! the allocator, [`inventory`] the devices; [`model`] turns them into figures named in [`metric`]; [`finding`] says
//! what is wrong with them, [`gate`] whether they got worse. [`compat`] is the list of which device may
//! use how wide addresses. Nothing in this crate knows a terminal.

pub mod advise;
mod bpf;
pub mod compat;
pub mod doctor;
pub mod exposition;
pub mod finding;
pub mod gate;
pub mod inventory;
pub mod kernel;
pub mod metric;
pub mod model;
pub mod policy;
pub mod probe;
pub mod record;
pub mod sample;
pub mod snapshot;
