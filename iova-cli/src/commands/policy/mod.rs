//! `iova policy`: shows and changes where the kernel puts devices' addresses. One file per command.

pub(super) mod aer;
mod boot;
mod changes;
mod confirm;
mod door;
mod explain;
pub(super) mod fault;
mod flush;
pub(super) mod host;
mod journal;
mod log;
mod persist;
mod release;
mod revert;
mod set;
mod show;
mod trial;

pub(crate) use changes::{Change, Changes};
pub(crate) use explain::Explanation;
pub(crate) use host::Target;
pub(crate) use log::PolicyLog;
pub(crate) use show::{PolicyEntry, PolicyList};
pub(crate) use trial::{Figures, Outcome, Phase, Summary, Told, TrialReport, View};

use crate::args::policy::{PolicyArgs, PolicyCommand};
use crate::exit::{Exit, Stop};
use crate::term::Term;

/// `errors` is standard error, where a trial shows how it goes.
pub(super) fn run(args: &PolicyArgs, term: Term, errors: Term) -> Result<Exit, Stop> {
    let format = args.format;
    match &args.command {
        PolicyCommand::Show(options) => show::run(options, format, term),
        PolicyCommand::Explain(options) => explain::run(options, format, term),
        PolicyCommand::Try(options) => trial::run(options, format, term, errors),
        PolicyCommand::Confirm(options) => confirm::run(options, format, term),
        PolicyCommand::Revert(options) => revert::run(options, format, term),
        PolicyCommand::Set(options) => set::run(options, format, term),
        PolicyCommand::Flush(options) => flush::run(options, format, term),
        PolicyCommand::Release(options) => release::run(options, format, term),
        PolicyCommand::Log(options) => log::run(options, format, term),
        PolicyCommand::Persist(options) => persist::persist(options, format, term),
        PolicyCommand::Forget(options) => persist::forget(options, format, term),
        PolicyCommand::Restore => boot::restore(format, term),
        PolicyCommand::BootOk => boot::boot_ok(format, term),
    }
}
