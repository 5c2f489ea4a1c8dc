//! Whether the history allows it.

use super::PersistError;
use crate::policy::history::{Action, Entry, Identity, What};
use crate::policy::{Bdf, Policy};

/// Time of the last confirmed run of exactly this policy on this kind of device in this place, seconds since 1970.
pub(super) fn confirmed(
    entries: &[Entry],
    device: Bdf,
    identity: Identity,
    policy: Policy,
) -> Result<u64, PersistError> {
    let mine = || entries.iter().filter(|entry| entry.device() == Some(device));
    let confirmations = mine().filter(|entry| is_confirmation(entry, identity, policy));
    let last = confirmations.map(|entry| entry.time_ns).max();
    let time_ns = last.ok_or(PersistError::NotConfirmed { device, identity, policy })?;
    // By their times, because records of the module may be merged long after they were made. A narrower policy's fault
    // speaks against this one too; a fault under a wider one does not.
    let failed = mine().any(|entry| entry.time_ns > time_ns && is_failure(entry, policy));
    if failed { Err(PersistError::FailedSince { device, policy }) } else { Ok(time_ns / 1_000_000_000) }
}

/// Only the tool knows the subsystem too; the module's own record of a commit would do for any card of this chip.
fn is_confirmation(entry: &Entry, identity: Identity, policy: Policy) -> bool {
    matches!(&entry.what, What::Tool(tool)
        if tool.action == Action::Confirm && tool.identity == identity && tool.policy == policy)
}

fn is_failure(entry: &Entry, policy: Policy) -> bool {
    match &entry.what {
        What::Tool(tool) => tool.action == Action::Quarantine && !tool.policy.is_wider_than(policy),
        What::Kernel(kernel) => {
            kernel.cause.is_hardware() && kernel.old.is_none_or(|old| !old.is_wider_than(policy))
        }
        What::Gap(_) => false,
    }
}
