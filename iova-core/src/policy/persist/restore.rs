//! What happens at boot.

use super::{MAX_TRIES, PersistError, Saved, list};
use crate::compat::{List, check_one};
use crate::kernel::Root;
use crate::policy::history::{Action, Entry, History, Identity, ToolEntry, boot_id};
use crate::policy::module::{self, ModuleError};
use crate::policy::{Bdf, Policy, StateDir};

/// What became of one file.
#[derive(Debug)]
pub struct Restored {
    /// The device; `None` if the file could not be read.
    pub device: Option<Bdf>,
    /// The policy.
    pub policy: Option<Policy>,
    /// What was done.
    pub outcome: Outcome,
}

/// What was done with one file.
#[derive(Debug)]
pub enum Outcome {
    /// Applied.
    Applied,
    /// Not applied; one sentence says why.
    Skipped(String),
    /// The module did not take it.
    Failed(ModuleError),
    /// The file could not be read, or the mark not written; then nothing was applied.
    Unusable(PersistError),
}

/// Applies every file through sysfs, marking each as tried on disk before. Call it once per boot, before
/// [`boot_ok`].
pub fn restore(dir: &StateDir, root: &Root) -> Vec<Restored> {
    let history = History::at(dir.clone());
    let all = list(dir).into_iter();
    all.map(|saved| match saved {
        Ok(saved) => {
            let (device, policy) = (saved.device, saved.policy);
            let outcome = one(dir, root, saved.clone());
            log(&history, root, &saved, &outcome);
            Restored { device: Some(device), policy: Some(policy), outcome }
        }
        Err(error) => Restored { device: None, policy: None, outcome: Outcome::Unusable(error) },
    })
    .collect()
}

fn one(dir: &StateDir, root: &Root, saved: Saved) -> Outcome {
    if let Some(why) = unfit(root, &saved) {
        return Outcome::Skipped(why);
    }
    let boot = boot_id(root);
    let again = saved.tried > 0 && saved.tried_boot == boot;
    let marked = Saved { tried: saved.tried + u32::from(!again), tried_boot: boot, ..saved };
    // The mark first: if applying it takes the machine down, the next boot knows.
    if let Err(error) = marked.write(dir) {
        return Outcome::Unusable(error);
    }
    let device = marked.device.to_string();
    match module::write_policy(root, &device, marked.policy) {
        Ok(()) => Outcome::Applied,
        Err(error) => {
            // What was not applied can't have kept the system from coming up.
            let _ = Saved { tried: marked.tried - 1, ..marked }.write(dir);
            Outcome::Failed(error)
        }
    }
}

fn unfit(root: &Root, saved: &Saved) -> Option<String> {
    let Saved { device, identity, tried, .. } = saved;
    if *tried >= MAX_TRIES && saved.tried_boot != boot_id(root) {
        return Some(format!(
            "it was applied in {tried} boots that did not come up: look into `iova policy log`, then forget it, or persist \
             it anew"
        ));
    }
    match Identity::read(root, &device.to_string()) {
        None => Some(format!("there is no device {device} now")),
        Some(found) if found != *identity => Some(format!(
            "another device is there now ({found} instead of {identity}): forget it, or put the device back"
        )),
        Some(_) => quarantined(root, saved),
    }
}

/// A local record of the compatibility list is the administrator's word, and may be younger than the confirmation. What
/// the shipped list says was overruled when the policy was tried.
fn quarantined(root: &Root, saved: &Saved) -> Option<String> {
    let Policy::Dac(width) = saved.policy else { return None };
    let local = match List::local(root) {
        Ok(local) => local,
        Err(complaints) => {
            let first = complaints.first().map(ToString::to_string).unwrap_or_default();
            return Some(format!(
                "the local records can't be used ({first}): mend them, see `iova compat lint`"
            ));
        }
    };
    let cap = check_one(root, &local, &saved.device.to_string())?.cap.filter(|&cap| cap < width)?;
    Some(format!(
        "a local record caps it at {cap} bits (`iova compat check`): forget the policy, or remove the record"
    ))
}

/// A history that can't be written must not keep a policy from being applied.
fn log(history: &History, root: &Root, saved: &Saved, outcome: &Outcome) {
    let (action, reason) = match outcome {
        Outcome::Applied => (Action::Restore, None),
        Outcome::Skipped(why) => (Action::Skip, Some(why.clone())),
        Outcome::Failed(error) => (Action::Skip, Some(error.to_string())),
        Outcome::Unusable(error) => (Action::Skip, Some(error.to_string())),
    };
    let entry = ToolEntry::new(root, action, saved.device, saved.identity, saved.policy);
    let _ = history.append(&Entry::now(root, ToolEntry { reason, ..entry }));
}

/// The system has come up: clears the marks of this boot; gives the files cleared. A policy that was skipped for its tries
/// stays skipped.
///
/// # Errors
/// The first mark that could not be cleared; the others are.
pub fn boot_ok(dir: &StateDir, root: &Root) -> Result<Vec<Saved>, PersistError> {
    let boot = boot_id(root);
    let of_this_boot = |saved: &Saved| saved.tried > 0 && saved.tried_boot == boot;
    let cleared = list(dir).into_iter().flatten().filter(of_this_boot).map(|saved| {
        let saved = Saved { tried: 0, ..saved };
        saved.write(dir).map(|()| saved)
    });
    // All of them are written before the first error is looked at.
    cleared.collect::<Vec<_>>().into_iter().collect()
}
