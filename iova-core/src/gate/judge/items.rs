//! One item per rule and device: the values of both sides.

use super::rank::Ranked;
use crate::gate::outcome::{Check, How, Verdict};
use crate::gate::rule::{Bound, Compare, Fault, Named, Resolved, Rule};
use crate::gate::run::{Kind, Run, Subject};
use crate::gate::stats::Spread;
use std::collections::{BTreeMap, BTreeSet};

/// A device with fewer allocations in a run is not busy enough for the usual rules.
const BUSY: f64 = 1000.0;

/// The values of one side.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) values: Vec<f64>,
    /// The run of each.
    pub(super) sources: Vec<String>,
    /// Runs without a value.
    pub(super) missing: usize,
    /// Why, if a run says that.
    pub(super) why: Option<String>,
    pub(super) approximate: bool,
    /// Every run says that its values repeat.
    pub(super) exact: bool,
}

/// A rule for one subject.
pub(super) struct Item {
    /// As far as it is known already.
    pub(super) check: Check,
    pub(super) relation: Compare,
    pub(super) bound: Bound,
    /// `None` without a baseline.
    pub(super) baseline: Option<Values>,
    pub(super) candidate: Values,
}

/// A check that is done, or one that waits for the number of rank tests.
pub(super) struct Draft {
    pub(super) check: Check,
    pub(super) ranked: Option<Ranked>,
}

impl Draft {
    pub(super) fn done(check: Check) -> Self {
        Self { check, ranked: None }
    }
}

/// Everything there is to judge.
pub(super) fn collect(
    rules: &[Rule],
    names: &BTreeSet<&str>,
    baseline: Option<&[Run]>,
    candidate: &[Run],
    notes: &mut Vec<String>,
) -> Result<Vec<Item>, Fault> {
    let all: Vec<&Run> = baseline.unwrap_or_default().iter().chain(candidate).collect();
    let mut items = Vec::new();
    let mut quiet = BTreeSet::new();
    for rule in rules {
        let resolved = rule.resolve(names)?;
        let mut found = false;
        for (key, role) in subjects(&resolved, &all) {
            found = true;
            let item = item(&resolved, &key, role, baseline, candidate);
            let usual = rule.place.is_none();
            if usual && !is_busy(resolved.metric.kind, &key, &all) {
                quiet.insert(key);
            } else if !usual || is_complete(&item) {
                items.push(item);
            }
        }
        if !found && rule.place.is_some() {
            items.push(nothing(&resolved, candidate));
        }
    }
    if !quiet.is_empty() {
        let list = quiet.into_iter().collect::<Vec<_>>().join(", ");
        notes.push(format!("not busy enough for the usual rules ({BUSY} allocations in each run): {list}"));
    }
    Ok(items)
}

/// What the rule is about, by key, with the role of the first run that knows one. Devices that did nothing in any run
/// are left out.
fn subjects(rule: &Resolved<'_>, runs: &[&Run]) -> BTreeMap<String, String> {
    let fits = |subject: &&Subject| {
        let there = subject.kind != Kind::Device || subject.active();
        subject.kind == rule.metric.kind && there && rule.rule.matches(&subject.words)
    };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for subject in runs.iter().flat_map(|run| &run.subjects).filter(fits) {
        found.entry(subject.key.clone()).or_insert_with(|| subject.role.clone());
    }
    found
}

fn is_busy(kind: Kind, key: &str, runs: &[&Run]) -> bool {
    let allocations = |run: &&Run| run.subject(kind, key)?.values.get("alloc.count").copied();
    kind != Kind::Device || runs.iter().all(|run| allocations(run).is_some_and(|count| count >= BUSY))
}

fn is_complete(item: &Item) -> bool {
    let some = |values: &Values| !values.values.is_empty();
    some(&item.candidate) && item.baseline.as_ref().is_none_or(some)
}

fn item(rule: &Resolved<'_>, key: &str, role: String, baseline: Option<&[Run]>, candidate: &[Run]) -> Item {
    let of = |runs: &[Run]| values(&rule.metric, key, runs);
    let (baseline, candidate) = (baseline.map(of), of(candidate));
    let spread = |values: &Values| Spread::new(&values.values);
    let approximate = candidate.approximate || baseline.as_ref().is_some_and(|values| values.approximate);
    let check = Check {
        baseline: baseline.as_ref().and_then(spread),
        candidate: spread(&candidate),
        approximate,
        notes: absent(baseline.as_ref(), &candidate),
        role,
        ..blank(rule, key)
    };
    Item { check, relation: rule.relation, bound: rule.bound, baseline, candidate }
}

/// An explicit rule that nothing fits is not silently kept.
fn nothing(rule: &Resolved<'_>, candidate: &[Run]) -> Item {
    let why = match rule.metric.kind {
        Kind::Device if rule.rule.devices.is_empty() => "no device did anything in these runs".to_owned(),
        Kind::Device => format!("no device that did anything matches {}", rule.rule.devices.join(", ")),
        Kind::Domain => "no run has such a domain".to_owned(),
        Kind::Report | Kind::Values => "no run has such a figure".to_owned(),
    };
    let candidate = Values { missing: candidate.len(), why: Some(why), ..Values::default() };
    Item {
        check: blank(rule, ""),
        relation: rule.relation,
        bound: rule.bound,
        baseline: rule.rule.compares().then(Values::default),
        candidate,
    }
}

fn blank(rule: &Resolved<'_>, key: &str) -> Check {
    Check {
        verdict: Verdict::Pass,
        rule: rule.rule.text.clone(),
        place: rule.rule.place.clone(),
        kind: rule.metric.kind,
        subject: key.to_owned(),
        role: String::new(),
        metric: rule.metric.name.clone(),
        how: How::NotJudged,
        baseline: None,
        candidate: None,
        change: None,
        p: None,
        p_adjusted: None,
        reason: None,
        runs_needed: None,
        outliers: Vec::new(),
        approximate: false,
        notes: Vec::new(),
    }
}

fn values(metric: &Named, key: &str, runs: &[Run]) -> Values {
    let mut found = Values { exact: runs.iter().all(|run| run.exact), ..Values::default() };
    for run in runs {
        let subject = run.subject(metric.kind, key);
        found.approximate |= subject.is_some_and(|subject| subject.is_approximate(&metric.name));
        match subject.and_then(|subject| subject.values.get(metric.name.as_str())) {
            Some(&value) => {
                found.values.push(value);
                found.sources.push(run.source.clone());
            }
            None => {
                found.missing += 1;
                let absent = || (subject.is_none() && !key.is_empty()).then(|| format!("{key} is not there"));
                let why = || run.why_unknown(&metric.name).map(str::to_owned).or_else(absent);
                found.why = found.why.take().or_else(why);
            }
        }
    }
    found
}

fn absent(baseline: Option<&Values>, candidate: &Values) -> Vec<String> {
    let sides = baseline.map(|values| ("baseline", values)).into_iter().chain([("candidate", candidate)]);
    let some = sides.filter(|(_, values)| values.missing > 0 && !values.values.is_empty());
    some.map(|(side, values)| {
        let all = values.missing + values.values.len();
        format!("no value in {} of {all} runs of the {side}", values.missing)
    })
    .collect()
}
