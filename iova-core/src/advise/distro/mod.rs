//! What a distribution's kernel team would want to know before it changes a default, answered from files alone.
//!
//! Every statement carries the files that it comes from and how many of something it counts. Where no file says anything, the
//! answer is that, and which command would tell.

mod blast;
mod cost;
mod detector;
mod exhaustion;
mod safety;

use super::evidence::{Evidence, What};
use crate::compat::List;
use serde::Serialize;
use std::collections::BTreeSet;

/// Level of every interval.
pub const LEVEL: f64 = 0.95;

/// The document of `iova advise --for distro`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dossier {
    /// Every file that was read.
    pub files: Vec<String>,
    /// Hosts that they are of.
    pub hosts: usize,
    /// What has to be known about these numbers of hosts.
    pub notes: Vec<String>,
    /// The answers.
    pub questions: Vec<Question>,
}

/// One question, with all that the files say about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// Stable name.
    pub id: &'static str,
    /// In words.
    pub asks: &'static str,
    /// What is known; empty if nothing.
    pub statements: Vec<Statement>,
    /// What is not known, and what would tell; empty if nothing is missing.
    pub missing: Vec<Missing>,
}

/// One thing that the evidence says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statement {
    /// One sentence, with its figures.
    pub text: String,
    /// The figure; `None` for what is none.
    pub value: Option<f64>,
    /// Its interval at [`LEVEL`].
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// How many of `of` it counts.
    pub n: usize,
    /// What is counted.
    pub of: &'static str,
    /// Files that it comes from, or tests of this project.
    pub from: Vec<String>,
}

/// What no file says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    /// One sentence.
    pub text: String,
    /// What gives such a file.
    pub command: String,
}

impl Statement {
    fn new(text: String, (n, of): (usize, &'static str), from: &BTreeSet<&str>) -> Self {
        let from = from.iter().map(|file| (*file).to_owned()).collect();
        Self { text, value: None, low: None, high: None, n, of, from }
    }

    fn figure(self, value: f64, interval: Option<(f64, f64)>) -> Self {
        let (low, high) = (interval.map(|ends| ends.0), interval.map(|ends| ends.1));
        Self { value: Some(value), low, high, ..self }
    }
}

impl Missing {
    fn new(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { text: text.into(), command: command.into() }
    }
}

/// All questions, answered from `evidence` and the compatibility list.
pub fn dossier(evidence: &[Evidence], list: &List) -> Dossier {
    let hosts: BTreeSet<String> = evidence.iter().map(Evidence::host).collect();
    Dossier {
        files: evidence.iter().map(|evidence| evidence.source.clone()).collect(),
        hosts: hosts.len(),
        notes: notes(evidence),
        questions: vec![
            exhaustion::question(evidence),
            cost::question(evidence),
            safety::question(evidence),
            detector::question(evidence, list),
            blast::question(evidence, list),
        ],
    }
}

/// Compatibility reports name no host, so nobody can tell whether another file is of the same one.
fn notes(evidence: &[Evidence]) -> Vec<String> {
    let anonymous = |one: &&Evidence| matches!(one.what, What::Compat(_));
    let compat = evidence.iter().filter(anonymous).count();
    let mixed = compat > 0 && compat < evidence.len();
    let note = "Compatibility reports name no host: one that other files are of as well counts twice.";
    mixed.then(|| note.to_owned()).into_iter().collect()
}

/// Hours, for people: what is short is told in minutes or seconds.
fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 3600.0 => format!("{:.1} h", s / 3600.0),
        s if s >= 60.0 => format!("{:.1} min", s / 60.0),
        s => format!("{s:.1} s"),
    }
}

/// "1 host", "2 hosts".
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

#[cfg(test)]
mod tests;
