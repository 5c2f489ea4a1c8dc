//! `iova report`: measure, judge, print.

use super::live::Live;
use crate::args::ReportArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::session::{self, Plan, Until};
use crate::term::Term;
use iova_core::finding::Severity;
use iova_core::model::Report;
use std::io::IsTerminal;
use std::time::Duration;

const DEFAULT_DURATION: Duration = Duration::from_secs(10);

pub(super) fn run(args: &ReportArgs, term: Term) -> Result<Exit, Stop> {
    let until = if args.command.is_empty() {
        Until::Time(args.duration.unwrap_or(DEFAULT_DURATION))
    } else {
        Until::Command(args.command.clone())
    };
    announce(&until);
    let plan = Plan { until, profile: args.profile, devices: args.devices.clone() };
    let report = session::measure(&mut Live::new()?, &plan)?;
    output::print(&renderer(args.format, term).report(&report)?)?;
    Ok(verdict(&report, args.fail_on))
}

/// Somebody who waits at a terminal shall know for how long.
fn announce(until: &Until) {
    if let Until::Time(length) = until
        && std::io::stderr().is_terminal()
    {
        output::complain(&format!("measuring for {length:?}; Ctrl-C ends it early"));
    }
}

fn verdict(report: &Report, fail_on: Option<Severity>) -> Exit {
    let bad = |limit: Severity| report.findings.iter().any(|finding| finding.severity >= limit);
    if fail_on.is_some_and(bad) { Exit::No } else { Exit::Done }
}
