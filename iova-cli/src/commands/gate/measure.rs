//! `iova gate run`: measures a command several times, alone or in turns with another.

use super::super::live::Live;
use super::{answer, files, rules};
use crate::args::gate::RunArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::{self, Plan, Until};
use crate::term::Term;
use iova_core::gate::Run;
use iova_core::model::{Command, Report};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Baseline,
    Candidate,
}

/// One measurement to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    turn: Turn,
    /// It counts; a warm-up does not.
    counts: bool,
}

pub(super) fn run(args: &RunArgs, term: Term) -> Result<Exit, Stop> {
    if args.baseline.is_empty() && args.base.is_none() && args.save.is_none() {
        return Err(Stop::unusable(
            "there is nothing to compare with: give --baseline FILE or --base COMMAND, or --save FILE to make a baseline",
        ));
    }
    // Whatever can be wrong with files is said before minutes of measuring.
    let rules = rules(&args.judge)?;
    let known = files::runs(&args.baseline)?;
    let mut file = args.save.as_deref().map(files::create).transpose()?;
    let mut live = Live::new()?;
    let measured = measure_all(args, &mut |plan| session::measure(&mut live, plan));
    let (before, now) = measured.inspect_err(|_| forget(args))?;
    if let (Some(file), Some(path)) = (&mut file, &args.save) {
        files::save(file, path, &now)?;
        output::complain(&format!("{} runs are saved in {}", now.len(), path.display()));
    }
    let candidate = as_runs(&now, "run")?;
    let baseline = if args.base.is_some() { as_runs(&before, "base run")? } else { known };
    if baseline.is_empty() {
        return Ok(Exit::Done);
    }
    answer(&rules, Some(&baseline), &candidate, args.across_hosts, &args.judge, term)
}

/// An empty file is no baseline.
fn forget(args: &RunArgs) {
    if let Some(path) = &args.save {
        let _ = std::fs::remove_file(path);
    }
}

fn measure_all(
    args: &RunArgs,
    measure: &mut dyn FnMut(&Plan) -> Result<Report, Stop>,
) -> Result<(Vec<Report>, Vec<Report>), Stop> {
    let steps = order(args.runs, args.warm_up, args.base.is_some());
    let (mut before, mut now) = (Vec::new(), Vec::new());
    for (number, step) in steps.iter().enumerate() {
        let what = if step.counts { "" } else { " (warm-up)" };
        output::complain(&format!("run {} of {}{what}", number + 1, steps.len()));
        let shell = || args.base.iter().flat_map(|base| ["sh", "-c", base]).map(str::to_owned).collect();
        let command = if step.turn == Turn::Baseline { shell() } else { args.command.clone() };
        let plan =
            Plan { until: Until::Command(command), profile: args.profile, devices: args.devices.clone() };
        let report = measure(&plan)?;
        usable(&report, number + 1)?;
        if step.counts {
            if step.turn == Turn::Baseline { &mut before } else { &mut now }.push(report);
        }
    }
    Ok((before, now))
}

/// Warm-ups first, then A B B A A B B A.
fn order(runs: u32, warm_up: u32, both: bool) -> Vec<Step> {
    let (a, b) = (Turn::Baseline, Turn::Candidate);
    let pair = |round: u32| if round.is_multiple_of(2) { [a, b] } else { [b, a] };
    let rounds = (0..warm_up).map(|_| ([a, b], false)).chain((0..runs).map(|round| (pair(round), true)));
    let steps = rounds.flat_map(|(pair, counts)| pair.map(|turn| Step { turn, counts }));
    steps.filter(|step| both || step.turn == b).collect()
}

/// Half a run or a failed one says nothing about a whole one.
fn usable(report: &Report, number: usize) -> Result<(), Stop> {
    if report.interrupted {
        return Err(Stop::unusable(format!("interrupted in run {number}: nothing is judged or saved")));
    }
    match &report.command {
        Some(Command { exit_code: Some(0), .. }) | None => Ok(()),
        Some(Command { argv, exit_code, signal }) => {
            let how = match (exit_code, signal) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            };
            let command = argv.join(" ");
            Err(Stop::unusable(format!(
                "'{command}' ended with {how} in run {number}: nothing is judged or saved"
            )))
        }
    }
}

fn as_runs(reports: &[Report], what: &str) -> Result<Vec<Run>, Stop> {
    let numbered = reports.iter().enumerate();
    numbered
        .map(|(number, report)| {
            Run::from_report(report, &format!("{what} {}", number + 1)).map_err(Stop::internal)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(runs: u32, warm_up: u32, both: bool) -> String {
        let letter = |step: Step| match (step.turn, step.counts) {
            (Turn::Baseline, true) => 'A',
            (Turn::Candidate, true) => 'B',
            (Turn::Baseline, false) => 'a',
            (Turn::Candidate, false) => 'b',
        };
        order(runs, warm_up, both).into_iter().map(letter).collect()
    }

    #[test]
    fn both_sides_take_turns_after_the_warm_up() {
        assert_eq!(letters(4, 1, true), "abABBAABBA");
        assert_eq!(letters(3, 2, false), "bbBBB");
        assert_eq!(letters(1, 0, true), "AB");
    }
}
