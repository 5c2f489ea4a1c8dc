//! `iova compat`: the list of which device may use how wide addresses. One file per command.

mod build;
mod check;
mod lint;
mod merge;

pub(crate) use check::{CheckedDevice, ListCheck};

use crate::args::compat::{CompatArgs, CompatCommand};
use crate::exit::{Exit, Stop};
use crate::term::Term;
use iova_core::compat::{Complaint, List};
use std::path::Path;

pub(super) fn run(args: &CompatArgs, term: Term) -> Result<Exit, Stop> {
    match &args.command {
        CompatCommand::Lint(options) => lint::run(options),
        CompatCommand::Build(options) => build::run(options),
        CompatCommand::Check(options) => check::run(options, term),
        CompatCommand::Merge(options) => merge::run(options, term),
    }
}

/// The records of `dir`, or those built in.
fn list(dir: Option<&Path>) -> Result<List, Stop> {
    dir.map_or_else(|| Ok(List::shipped()), |dir| List::read(dir).map_err(|complaints| unusable(&complaints)))
}

/// The first complaint, and how to see all.
fn unusable(complaints: &[Complaint]) -> Stop {
    let first = complaints.first().map(ToString::to_string).unwrap_or_default();
    let more = match complaints.len() {
        0 | 1 => String::new(),
        count => format!("; {} complaints in all, see `iova compat lint`", count),
    };
    Stop::unusable(format!("{first}{more}"))
}
