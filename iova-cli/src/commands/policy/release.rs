//! `iova policy release`: lifts a quarantine.

use super::changes::{self, Change};
use super::host::{self, Host};
use super::journal::Journal;
use crate::args::Format;
use crate::args::policy::ReleaseArgs;
use crate::exit::{Exit, Stop};
use crate::term::Term;
use iova_core::policy::history::Action;
use iova_core::policy::module::{self, State};

pub(super) fn run(args: &ReleaseArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let root = host.root();
    let device = host.one(&args.device)?;
    let before = host.policy(&device.bdf)?;
    if !matches!(before.state, State::Quarantined { .. } | State::Refused { .. }) {
        return Err(Stop::no(format!(
            "{} is not in quarantine (its state is {}): there is nothing to lift",
            device.bdf,
            before.state.name()
        )));
    }
    module::release(&root, &device.bdf).map_err(|error| host::stop_for(error, &root, &device.bdf))?;
    let journal = Journal::new(&root, device, args.reason.text.clone());
    journal.note(Action::Release, before.policy, |_| {});
    Journal::collect(host.kernel.as_ref());
    let change =
        Change::of(&host, device, "wider policies may be tried again; `iova policy log` has the evidence");
    changes::print("iova.policy.release", vec![Change { old: Some(before.policy), ..change }], format, term)
}
