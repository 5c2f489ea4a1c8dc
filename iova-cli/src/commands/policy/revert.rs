//! `iova policy revert`: back to stock.

use super::changes::{self, Change};
use super::host::{self, Host};
use super::journal::Journal;
use crate::args::Format;
use crate::args::policy::RevertArgs;
use crate::exit::{Exit, Stop};
use crate::term::Term;
use iova_core::inventory::Device;
use iova_core::policy::Policy;
use iova_core::policy::history::Action;
use iova_core::policy::module::{self, ModuleError};

pub(super) fn run(args: &RevertArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    if module::loaded(&host.root()).is_none() {
        return Err(host::stop(ModuleError::NotLoaded));
    }
    let devices = if args.all { changed(&host) } else { named(&host, &args.devices)? };
    let mut changes = Vec::new();
    for device in devices {
        changes.push(match one(&host, device, args) {
            Ok(change) => change,
            // The others are to be reverted all the same.
            Err(stop) if stop.exit == Exit::No => {
                Change { done: false, ..Change::of(&host, device, stop.message) }
            }
            Err(stop) => return Err(stop),
        });
    }
    Journal::collect(host.kernel.as_ref());
    changes::print("iova.policy.revert", changes, format, term)
}

fn changed(host: &Host) -> Vec<&Device> {
    let root = host.root();
    let differs = |device: &&Device| {
        module::configured(&root, &device.bdf).is_some_and(|now| now.policy != Policy::Stock)
    };
    host.inventory.devices.iter().filter(differs).collect()
}

fn named<'a>(host: &'a Host, words: &[String]) -> Result<Vec<&'a Device>, Stop> {
    words.iter().map(|word| host.one(word)).collect()
}

fn one(host: &Host, device: &Device, args: &RevertArgs) -> Result<Change, Stop> {
    let root = host.root();
    let old = host.policy(&device.bdf)?.policy;
    module::write_policy(&root, &device.bdf, Policy::Stock)
        .map_err(|error| host::stop_for(error, &root, &device.bdf))?;
    if old == Policy::Stock {
        let change = Change::of(host, device, "it is stock already; nothing was changed");
        return Ok(Change { old: Some(old), ..change });
    }
    let journal = Journal::new(&root, device, args.reason.text.clone());
    journal.note(Action::Revert, old, |_| {});
    let high = host.still_high(device);
    let text = match high {
        Some(0) => "nothing is mapped high any more".to_owned(),
        Some(_) => "what is mapped high stays until its driver unmaps it, at the latest when it is unbound"
            .to_owned(),
        None => "what is mapped high cannot be seen here".to_owned(),
    };
    Ok(Change { old: Some(old), mapped_high_bytes: high, ..Change::of(host, device, text) })
}
