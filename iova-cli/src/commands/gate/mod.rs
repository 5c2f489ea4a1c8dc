//! `iova gate`: is the candidate worse than the baseline?

mod files;
mod measure;

use crate::args::gate::{CheckArgs, CompareArgs, GateArgs, GateCommand, JudgeArgs};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render;
use crate::term::Term;
use iova_core::gate::{Outcome, Rules, Run, Settings, Verdict, judge};

pub(super) fn run(args: &GateArgs, term: Term) -> Result<Exit, Stop> {
    match &args.command {
        GateCommand::Run(options) => measure::run(options, term),
        GateCommand::Compare(options) => compare(options, term),
        GateCommand::Check(options) => check(options, term),
    }
}

fn compare(args: &CompareArgs, term: Term) -> Result<Exit, Stop> {
    let rules = rules(&args.judge)?;
    let (baseline, candidate) =
        (files::runs(&args.baseline)?, files::runs(&[&*args.with, &args.candidate].concat())?);
    answer(&rules, Some(&baseline), &candidate, args.across_hosts, &args.judge, term)
}

fn check(args: &CheckArgs, term: Term) -> Result<Exit, Stop> {
    let rules = rules(&args.judge)?;
    if rules.rules.is_empty() {
        return Err(Stop::unusable("there is nothing to check by: give --rules FILE or --check RULE"));
    }
    answer(&rules, None, &files::runs(&args.reports)?, false, &args.judge, term)
}

/// The rules of the file, if there is one, and those of the command line.
fn rules(args: &JudgeArgs) -> Result<Rules, Stop> {
    let mut rules = match &args.rules {
        Some(path) => files::rules(path)?,
        None => Rules::default(),
    };
    for check in &args.checks {
        rules.add(check, "--check").map_err(Stop::unusable)?;
    }
    Ok(rules)
}

fn answer(
    rules: &Rules,
    baseline: Option<&[Run]>,
    candidate: &[Run],
    across_hosts: bool,
    args: &JudgeArgs,
    term: Term,
) -> Result<Exit, Stop> {
    let settings = Settings { across_hosts, ..Settings::default() };
    let outcome = judge(rules, baseline, candidate, settings).map_err(Stop::unusable)?;
    output::print(&render::gate(&outcome, args.format, term)?)?;
    Ok(exit(&outcome))
}

fn exit(outcome: &Outcome) -> Exit {
    match outcome.verdict {
        Verdict::Pass => Exit::Done,
        Verdict::Regression => Exit::No,
        Verdict::CannotJudge => Exit::CannotJudge,
    }
}
