//! From rules and runs to the outcome.

mod absolute;
mod compare;
mod items;
mod rank;

use super::hosts;
use super::outcome::{Check, How, Outcome, SCHEMA, SCHEMA_VERSION, Side, Verdict};
use super::rule::{Bound, Fault, Rule, Rules, value_names};
use super::run::Run;
use super::stats::holm;
use items::{Draft, Item};

/// What does not depend on the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Compare runs of machines that are not alike; the differences become notes.
    pub across_hosts: bool,
    /// Resamplings of each bootstrap interval.
    pub resamples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { across_hosts: false, resamples: 2000 }
    }
}

/// Judges the candidate by the rules; without a baseline by those rules that need none.
pub fn judge(
    rules: &Rules,
    baseline: Option<&[Run]>,
    candidate: &[Run],
    settings: Settings,
) -> Result<Outcome, Fault> {
    let all: Vec<&Run> = baseline.unwrap_or_default().iter().chain(candidate).collect();
    // What cannot be used here may be mistyped all the same.
    let names = value_names(&all);
    rules.rules.iter().try_for_each(|rule| rule.resolve(&names).map(drop))?;
    let mut outcome = empty(rules, baseline, candidate);
    outcome.notes.extend(incomplete(&all));
    if baseline.is_some() {
        let found = hosts::differences(&all);
        outcome.notes.extend(found.mild);
        if settings.across_hosts {
            outcome.notes.extend(found.grave);
        } else if !found.grave.is_empty() {
            let why = format!("{}; --across-hosts compares them all the same", found.grave.join("; "));
            return Ok(Outcome { verdict: Verdict::CannotJudge, reason: Some(why), ..outcome });
        }
    }
    let list = applicable(rules, baseline.is_some(), &all, &mut outcome.notes);
    let items = items::collect(&list, &names, baseline, candidate, &mut outcome.notes)?;
    let drafts: Vec<Draft> = items.into_iter().map(|item| draft(item, rules, settings)).collect();
    (outcome.checks, outcome.tests) = finish(drafts, rules);
    outcome.checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    outcome.verdict = outcome.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::CannotJudge);
    if outcome.checks.is_empty() {
        outcome.reason = Some("there is nothing to judge: no rule fits what was measured".to_owned());
    }
    Ok(outcome)
}

fn empty(rules: &Rules, baseline: Option<&[Run]>, candidate: &[Run]) -> Outcome {
    let side = |runs: &[Run]| Side { runs: runs.iter().map(|run| run.source.clone()).collect() };
    Outcome {
        schema: SCHEMA,
        schema_version: SCHEMA_VERSION,
        verdict: Verdict::Pass,
        reason: None,
        alpha: rules.alpha,
        min_effect: rules.min_effect,
        tests: 0,
        baseline: baseline.map(side),
        candidate: side(candidate),
        checks: Vec::new(),
        notes: Vec::new(),
    }
}

/// Runs that may say less than they seem to.
fn incomplete(runs: &[&Run]) -> Vec<String> {
    let about = |run: &&Run| {
        let early = run.interrupted.then(|| format!("{} was ended early by a signal", run.source));
        let failed = run.failed.then(|| format!("the command measured in {} failed", run.source));
        [early, failed]
    };
    runs.iter().flat_map(about).flatten().collect()
}

/// The rules that can be used here; a note says what was left out.
fn applicable(rules: &Rules, compared: bool, runs: &[&Run], notes: &mut Vec<String>) -> Vec<Rule> {
    let mut list = rules.or_usual(runs);
    let before = list.len();
    list.retain(|rule| compared || !rule.compares());
    if list.len() < before {
        notes.push(format!("{} rules compare with a baseline, and there is none here", before - list.len()));
    }
    list
}

fn draft(item: Item, rules: &Rules, settings: Settings) -> Draft {
    match item.bound {
        Bound::Value(bound) => Draft::done(absolute::judge(item, bound, rules.accept_approximate)),
        Bound::Baseline { factor, plus } => compare::draft(item, factor, plus, rules, settings),
    }
}

/// Judges what needs to know how many tests there are.
fn finish(drafts: Vec<Draft>, rules: &Rules) -> (Vec<Check>, usize) {
    let p: Vec<f64> =
        drafts.iter().filter_map(|draft| draft.ranked.as_ref()).map(|ranked| ranked.p).collect();
    let mut adjusted = holm(&p).into_iter();
    let tests = p.len();
    let decide = |draft: Draft| match draft.ranked {
        Some(ranked) => ranked.decide(draft.check, adjusted.next().unwrap_or(1.0), tests, rules.alpha),
        None => draft.check,
    };
    (drafts.into_iter().map(decide).collect(), tests)
}

/// A check that says why there is no answer.
fn unjudged(mut check: Check, reason: String) -> Check {
    (check.verdict, check.how, check.reason) = (Verdict::CannotJudge, How::NotJudged, Some(reason));
    check
}
