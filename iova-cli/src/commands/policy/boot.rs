//! `iova policy restore` and `boot-ok`: for the units in dist/systemd.

use super::changes::{self, Change};
use super::host::{self, Host, Target};
use super::journal::Journal;
use crate::args::Format;
use crate::exit::{Exit, Stop};
use crate::term::Term;
use iova_core::policy::module::{self, ModuleError};
use iova_core::policy::persist::{self, Outcome, Restored};
use iova_core::policy::{Policy, StateDir};

pub(super) fn restore(format: Format, term: Term) -> Result<Exit, Stop> {
    let dir = StateDir::default();
    if persist::list(&dir).is_empty() {
        return changes::print("iova.policy.restore", Vec::new(), format, term);
    }
    let host = Host::look()?;
    let root = host.root();
    // Before anything is marked as tried.
    if module::loaded(&root).is_none() {
        return Err(host::stop(ModuleError::NotLoaded));
    }
    let changes = persist::restore(&dir, &root).iter().map(|restored| change(&host, restored)).collect();
    Journal::collect(host.kernel.as_ref());
    changes::print("iova.policy.restore", changes, format, term)
}

fn change(host: &Host, restored: &Restored) -> Change {
    let bdf = restored.device.map(|bdf| bdf.to_string()).unwrap_or_default();
    let (done, text) = match &restored.outcome {
        Outcome::Applied => (true, "applied".to_owned()),
        Outcome::Skipped(why) => (false, format!("skipped: {why}")),
        Outcome::Failed(error) => (false, error.to_string()),
        Outcome::Unusable(error) => (false, error.to_string()),
    };
    placed(host, &bdf, done, restored.policy, text)
}

/// The device may be gone.
fn placed(host: &Host, bdf: &str, done: bool, new: Option<Policy>, text: String) -> Change {
    match host.inventory.devices.iter().find(|device| device.bdf == bdf) {
        Some(device) => Change { done, ..Change::of(host, device, text) },
        None => {
            let device = Target { bdf: bdf.to_owned(), ..Target::default() };
            Change { device, done, new, text, ..Change::default() }
        }
    }
}

pub(super) fn boot_ok(format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let cleared = persist::boot_ok(&StateDir::default(), &host.root()).map_err(Stop::unusable)?;
    let changes = cleared.iter().map(|saved| {
        let text = format!("this boot went well with {}", saved.policy);
        placed(&host, &saved.device.to_string(), true, Some(saved.policy), text)
    });
    changes::print("iova.policy.boot-ok", changes.collect(), format, term)
}
