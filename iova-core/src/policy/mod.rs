//! Changing a device's allocation policy, and undoing it: the library under `iova policy`.
//!
//! The kernel module `iova_policy` has the hands (`iova-kmod/`), this has the judgement:
//!
//! - [`Policy`], [`Mechanisms`], [`Refusal`], [`Cause`], [`Evidence`]: the words, the same in sysfs, JSON and history;
//! - [`module`]: the module's two interfaces, sysfs ([`module::DevicePolicy`]) and leases ([`module::Control`]);
//! - [`explain`]: what a change would do, by which means and at which risk, before it is made;
//! - [`classify`]: what a faulting address says about a device;
//! - [`history`]: who changed what, when, why and with which result, on disk;
//! - [`persist`]: policies applied at boot, only after a confirmed run;
//! - [`verify`]: proving how wide the addresses of a device may be.
//! - [`boot_trial`]: which device does not stand the full range, found out in one boot or a few.
//!
//! The usual way of a change, in the order of calls:
//!
//! ```no_run
//! use std::time::Duration;
//! use iova_core::{inventory::Inventory, kernel::Kernel, snapshot};
//! use iova_core::policy::{Policy, explain, module};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let kernel = Kernel::load()?;
//! let inventory = Inventory::collect(Some(&kernel));
//! let control = module::Control::open(Some(&kernel))?;
//! let wish = explain::Wish::new("0000:00:04.0", "dac:40".parse::<Policy>()?);
//! let facts = explain::Facts::gather(&kernel.root, &inventory, &snapshot::take(&kernel), &wish);
//! let plan = explain::plan(&facts, &wish, Some(&control))?;
//! let request = plan.request()?; // Err says why it is not to be tried
//! let lease = control.stage(&request, Duration::from_secs(600))?;
//! // watch; then
//! control.commit(&lease)?;
//! # Ok(())
//! # }
//! ```

pub mod boot_trial;
pub mod classify;
pub mod explain;
pub mod history;
pub mod module;
pub mod persist;
mod root_disk;
pub(crate) mod state_dir;
#[cfg(test)]
pub(crate) mod testdir;
pub mod verify;
mod who;
pub(crate) mod words;

pub use state_dir::{StateDir, StateError};
pub use who::Who;
pub use words::{BadPolicy, Bdf, Cause, Evidence, Mechanism, Mechanisms, Policy, Refusal, Relation};
