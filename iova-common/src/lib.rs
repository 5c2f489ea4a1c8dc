//! Every type that crosses the border between kernel and user space (the eBPF programs, and the module's
//! `/dev/iova_policy`), and nothing else.
//!
//! All structs are `repr(C)`, made of naturally aligned integers without padding holes, so that both sides agree on
//! every byte. The numbers in them are raw: cumulative per-CPU counters and kernel addresses. Rates, percentiles and
//! names are made in `iova-core`.
#![no_std]

pub mod agg;
pub mod call;
pub mod config;
pub mod event;
pub mod frames;
pub mod hist;
pub mod offsets;
pub mod patch;
pub mod policy;
