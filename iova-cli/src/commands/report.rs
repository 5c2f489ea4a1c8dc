//! `iova report`: measure, judge, print.

mod compat;

use super::live::Live;
use super::{record, replay};
use crate::args::{ReportArgs, ReportFormat};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::{html, renderer};
use crate::session::{self, Nameless, Names, Plan, Source, Until};
use crate::term::Term;
use iova_core::finding::{NOTHING_MEASURED, Severity};
use iova_core::model::Report;
use iova_core::model::story::Story;
use std::io::IsTerminal;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DEFAULT_DURATION: Duration = Duration::from_secs(10);

pub(super) fn run(args: &ReportArgs, term: Term) -> Result<Exit, Stop> {
    let until = if args.command.is_empty() {
        Until::Time(args.duration.unwrap_or(DEFAULT_DURATION))
    } else {
        Until::Command(args.command.clone())
    };
    if args.compat {
        return compat::run(args, until);
    }
    announce(&until);
    let plan = Plan { until, profile: args.profile, devices: args.devices.clone() };
    let mut live = Live::new()?;
    let (report, text) = match &args.record {
        Some(path) => {
            let mut taping = record::tape(&mut live, path)?;
            let (report, text) = made(&mut taping, &plan, args.format, term, false)?;
            taping.finish(report.interrupted, report.command.clone(), None)?;
            // One page for one recording: within a block, seconds have classes of latencies there, and no more.
            match args.format.plain() {
                None if taping.samples > 0 => replay::page(&path.into(), None, &args.devices)?,
                _ => (report, text),
            }
        }
        None if args.anonymize => made(&mut Nameless::new(&mut live), &plan, args.format, term, true)?,
        None => made(&mut live, &plan, args.format, term, false)?,
    };
    output::print(&text)?;
    verdict(&report, args.fail_on)
}

/// Measures and writes.
fn made(
    source: &mut dyn Source,
    plan: &Plan,
    format: ReportFormat,
    term: Term,
    anonymize: bool,
) -> Result<(Report, String), Stop> {
    let Some(format) = format.plain() else {
        let (mut report, story) = told(source, plan)?;
        if anonymize {
            report.command.iter_mut().for_each(Names::command);
        }
        let length = Duration::try_from_secs_f64(report.duration_s).unwrap_or_default();
        let begun =
            SystemTime::now().checked_sub(length).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let begun_ns = begun.map(|since| since.as_nanos() as u64);
        let text = html::page(html::Run { report: &report, story: &story, begun_ns });
        return Ok((report, text));
    };
    let mut report = session::measure(source, plan)?;
    if anonymize {
        report.command.iter_mut().for_each(Names::command);
    }
    let text = renderer(format, term).report(&report)?;
    Ok((report, text))
}

/// A page shows how the figures came, so the intervals are kept.
pub(super) fn told(source: &mut dyn Source, plan: &Plan) -> Result<(Report, Story), Stop> {
    let mut story = Story::default();
    let report = session::measure_told(source, plan, &mut story)?;
    Ok((report, story))
}

/// Somebody who waits at a terminal shall know for how long.
pub(super) fn announce(until: &Until) {
    if let Until::Time(length) = until
        && std::io::stderr().is_terminal()
    {
        output::complain(&format!("measuring for {length:?}; Ctrl-C ends it early"));
    }
}

/// Exit code for `--fail-on`. A host on which nothing was measured does not pass.
pub(super) fn verdict(report: &Report, fail_on: Option<Severity>) -> Result<Exit, Stop> {
    let Some(limit) = fail_on else { return Ok(Exit::Done) };
    if report.findings.iter().any(|finding| finding.id == NOTHING_MEASURED) {
        return Err(Stop::unusable(
            "nothing was measured, so --fail-on has nothing to judge: see iova doctor",
        ));
    }
    let bad = report.findings.iter().any(|finding| finding.severity >= limit);
    Ok(if bad { Exit::No } else { Exit::Done })
}
