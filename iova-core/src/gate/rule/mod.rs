//! What is allowed.

mod expression;
mod file;
mod glob;
mod names;
mod usual;

pub(super) use expression::Relation as Compare;
pub(super) use names::Named;
pub(super) use usual::value_names;

use super::run::{Kind, Run};
use crate::metric::Unit;
use expression::{Quantity, Relation};
use std::collections::BTreeSet;
use thiserror::Error;

/// A rule that cannot be used, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// File and line.
    pub place: String,
    /// What is wrong and what to do, without full stop.
    pub what: String,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A number, in the metric's unit.
    Value(f64),
    /// `factor` times the baseline, plus a number in the metric's unit.
    Baseline {
        /// Times this.
        factor: f64,
        /// Plus this.
        plus: f64,
    },
}

/// One rule, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its text.
    pub text: String,
    /// File and line; `None` for a usual one.
    pub place: Option<String>,
    /// Only devices that one of these patterns matches; empty for all that did something.
    pub devices: Vec<String>,
    metric: String,
    relation: Relation,
    factor: Option<f64>,
    quantity: Quantity,
}

/// All rules, and how strictly to judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Share of gates that may raise a false alarm.
    pub alpha: f64,
    /// What a rule allows that says no more than "baseline", where chance plays a part: a share.
    pub min_effect: f64,
    /// Figures that are not exact may pass a rule without baseline.
    pub accept_approximate: bool,
    /// The rules; empty for the usual ones.
    pub rules: Vec<Rule>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { alpha: 0.05, min_effect: 0.01, accept_approximate: false, rules: Vec::new() }
    }
}

/// A rule whose metric is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resolved<'a> {
    pub(super) rule: &'a Rule,
    pub(super) metric: Named,
    pub(super) relation: Relation,
    pub(super) bound: Bound,
}

impl Rules {
    /// Reads a file of rules; `name` is what it is called in messages.
    pub fn parse(text: &str, name: &str) -> Result<Self, Fault> {
        file::parse(text, name)
    }

    /// One more rule for all devices, from `place`.
    pub fn add(&mut self, text: &str, place: &str) -> Result<(), Fault> {
        let rule = Rule::parse(text, Some(place.to_owned()), Vec::new());
        self.rules.push(rule.map_err(|what| Fault { place: place.to_owned(), what })?);
        Ok(())
    }

    /// The rules to judge by: these, or if there are none the usual ones for what the runs have.
    pub(super) fn or_usual(&self, runs: &[&Run]) -> Vec<Rule> {
        if self.rules.is_empty() { usual::rules(runs) } else { self.rules.clone() }
    }
}

impl Rule {
    fn parse(text: &str, place: Option<String>, devices: Vec<String>) -> Result<Self, String> {
        let parsed = expression::parse(text)?;
        Ok(Self {
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            place,
            devices,
            metric: parsed.metric,
            relation: parsed.relation,
            factor: parsed.factor,
            quantity: parsed.quantity,
        })
    }

    /// Finds the metric, and the bound in its unit.
    pub(super) fn resolve(&self, values: &BTreeSet<&str>) -> Result<Resolved<'_>, Fault> {
        let fault = |what: String| Fault { place: self.place.clone().unwrap_or_default(), what };
        let metric = names::find(&self.metric, values).map_err(fault)?;
        if !self.devices.is_empty() && matches!(metric.kind, Kind::Report | Kind::Values) {
            return Err(fault(format!("{} is of no device: move the rule above [[device]]", metric.name)));
        }
        let bound = self.bound(metric.unit).map_err(|what| fault(format!("{}: {what}", metric.name)))?;
        Ok(Resolved { rule: self, metric, relation: self.relation, bound })
    }

    fn bound(&self, unit: Unit) -> Result<Bound, String> {
        let Some(factor) = self.factor else { return Ok(Bound::Value(self.quantity.in_unit(unit)?)) };
        if let Some(percent) = self.quantity.percent() {
            // 2 % of 90 % may be meant as 1.8 % or as 2 %.
            if unit == Unit::Ratio {
                return Err("it is a share itself, so say baseline + 0.02, or 1.02 x baseline".to_owned());
            }
            return Ok(Bound::Baseline { factor: factor + percent / 100.0, plus: 0.0 });
        }
        Ok(Bound::Baseline { factor, plus: self.quantity.in_unit(unit)? })
    }

    /// True if it is about this device.
    pub(super) fn matches(&self, words: &[String]) -> bool {
        let any = |pattern: &String| words.iter().any(|word| glob::matches(pattern, word));
        self.devices.is_empty() || self.devices.iter().any(any)
    }

    /// True if it needs a baseline.
    pub fn compares(&self) -> bool {
        self.factor.is_some()
    }
}

#[cfg(test)]
mod tests;
