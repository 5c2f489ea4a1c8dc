//! Policies that outlive a reboot.
//!
//! The kernel's state is never the store: every boot begins with stock. A policy gets a file in `policies/` of the state
//! directory only after a confirmed run of exactly that policy on exactly that kind of device ([`persist`]). A unit at
//! boot applies the files ([`restore`]); before each it marks `tried` on disk, and a later unit clears the mark when the
//! system has come up ([`boot_ok`]). A policy that was marked twice and never cleared kept the system from coming up: it
//! is skipped.

mod allowed;
mod restore;
mod saved;

pub use restore::{Outcome, Restored, boot_ok, restore};
pub use saved::{Saved, forget, list};

use super::history::{History, Identity};
use super::{Bdf, Policy, StateDir, StateError};
use crate::kernel::Root;

/// Tries without a system that came up, after which a policy is skipped.
pub const MAX_TRIES: u32 = 2;

/// Why a policy is not persisted.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// Nothing to apply.
    #[error("stock is what every boot begins with: `iova policy forget` removes what is applied at boot")]
    Stock,
    /// No device.
    #[error("there is no PCI device {0}: `iova devices` lists all")]
    NoDevice(Bdf),
    /// It was never confirmed.
    #[error(
        "{policy} has no confirmed run on {device} ({identity}): `iova policy try {device} {policy}` first, confirm it, \
         and let it work for a day"
    )]
    NotConfirmed {
        /// The device.
        device: Bdf,
        /// What it is.
        identity: Identity,
        /// The policy.
        policy: Policy,
    },
    /// It was confirmed, and failed later.
    #[error(
        "{device} had a fault under {policy} or less, after {policy} was confirmed (`iova policy log` has it): a new \
         confirmed run is needed"
    )]
    FailedSince {
        /// The device.
        device: Bdf,
        /// The policy.
        policy: Policy,
    },
    /// A file makes no sense.
    #[error("{path} is damaged ({why}): `iova policy forget` removes it")]
    Damaged {
        /// Where.
        path: std::path::PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The disk.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Has `policy` applied to `device` at every boot from now on.
///
/// # Errors
/// If it was never confirmed, failed since, or can't be written.
pub fn persist(
    dir: &StateDir,
    history: &History,
    root: &Root,
    device: Bdf,
    policy: Policy,
) -> Result<Saved, PersistError> {
    if policy == Policy::Stock {
        return Err(PersistError::Stock);
    }
    let identity = Identity::read(root, &device.to_string()).ok_or(PersistError::NoDevice(device))?;
    let confirmed_s = allowed::confirmed(&history.read()?.entries, device, identity, policy)?;
    let saved = Saved { device, identity, policy, confirmed_s, tried: 0, tried_boot: String::new() };
    saved.write(dir)?;
    Ok(saved)
}

#[cfg(test)]
mod tests;
