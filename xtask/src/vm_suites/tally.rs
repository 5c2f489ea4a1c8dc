//! What tests in guests came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use iova_guest::verdict::{self, Verdict};

use crate::lab::{self, GuestResult, Spent};

/// What the tests of one or more guests came to, and what they took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    /// One line per failure, fit to be read on its own.
    pub(super) failed: Vec<String>,
    pub(super) ignored: usize,
    /// Each suite's time.
    pub(super) suites: BTreeMap<String, Duration>,
    /// What the guests took; nothing if there were none.
    pub(super) spent: Option<Spent>,
}

/// Counts the lines of tests.
pub(super) fn count(name: &str, output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines().filter_map(verdict::Line::parse) {
        match line.verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Skipped(_) => tally.ignored += 1,
            Verdict::Failed(why) => tally.failed.push(format!("{name}: {}: {why}", line.name)),
        }
        if let Some(took) = line.took {
            *tally.suites.entry(line.suite().to_owned()).or_default() += took;
        }
    }
    tally
}

/// Counts the lines of tests, and whatever else must not be in a good run, which is added to `text`.
pub(super) fn judge(name: &str, result: &GuestResult, text: &mut String) -> Tally {
    let mut tally = count(name, &String::from_utf8_lossy(&result.stdout));
    tally.spend(result.spent);
    let mut problems = result.problems.clone();
    if result.code != 0 && tally.failed.is_empty() {
        let stderr = String::from_utf8_lossy(&result.stderr);
        let last = stderr.lines().last().unwrap_or("nothing on stderr");
        problems.push(format!("its command ended with code {} and named no failure: {last}", result.code));
    }
    if let Err(error) = lab::splat_check(result) {
        problems.push(format!("{error:#}"));
    }
    for problem in problems {
        tally.fail(name, &problem, text);
    }
    if !tally.failed.is_empty() {
        for line in result.log.warnings() {
            let _ = writeln!(text, "# kernel: {line}");
        }
    }
    tally
}

impl Tally {
    pub(super) fn add(&mut self, mut more: Self) {
        self.passed += more.passed;
        self.ignored += more.ignored;
        self.failed.append(&mut more.failed);
        for (suite, took) in more.suites {
            *self.suites.entry(suite).or_default() += took;
        }
        if let Some(spent) = more.spent {
            self.spend(spent);
        }
    }

    /// Adds what one more guest took.
    pub(super) fn spend(&mut self, spent: Spent) {
        self.spent = Some(self.spent.map_or(spent, |before| before + spent));
    }

    /// Adds a failure, to `text` in full.
    pub(super) fn fail(&mut self, name: &str, problem: &str, text: &mut String) {
        let _ = writeln!(text, "not ok {name}: {problem}");
        self.failed.push(format!("{name}: {}", problem.lines().next().unwrap_or_default()));
    }

    pub(super) fn summary(&self) -> String {
        format!("{} passed; {} failed; {} ignored", self.passed, self.failed.len(), self.ignored)
    }

    /// The verdict on a whole run.
    pub(super) fn conclude(&self, took: Duration) -> Result<()> {
        let verdict = if self.failed.is_empty() { "ok" } else { "FAILED" };
        println!("\ntest result: {verdict}. {}; finished in {:.2}s", self.summary(), took.as_secs_f32());
        if !self.failed.is_empty() {
            let named = self.failed.join("\n    ");
            bail!("{} of the tests in virtual machines failed:\n    {named}", self.failed.len());
        }
        if self.passed == 0 {
            bail!("no test ran; does --suite name one? A run of nothing proves nothing");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_runner_are_counted() {
        let output =
            "# a remark\nok a.x (1.5 s)\nok a.y (2.0 s)\nskip c: needs 6.12\nnot ok d: 3 != 4\nokay\n";
        let tally = count("6.1 intel", output);
        assert_eq!((tally.passed, tally.ignored), (2, 1));
        assert_eq!(tally.failed, ["6.1 intel: d: 3 != 4"]);
        assert_eq!(tally.summary(), "2 passed; 1 failed; 1 ignored");
        assert_eq!(tally.suites, [("a".to_owned(), Duration::from_millis(3500))].into());
    }

    #[test]
    fn guests_of_a_row_add_up() {
        let boot = |wall| Tally {
            spent: Some(Spent::only(Duration::from_secs(wall))),
            ..count("", "ok a.x (1.0 s)")
        };
        let mut row = Tally::default();
        row.add(boot(20));
        row.add(boot(30));
        assert_eq!(row.spent, Some(Spent::only(Duration::from_secs(50))));
        assert_eq!(row.suites, [("a".to_owned(), Duration::from_secs(2))].into());
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(Tally::default().conclude(Duration::ZERO).is_err());
        assert!(Tally { passed: 1, ..Tally::default() }.conclude(Duration::ZERO).is_ok());
        let failed = Tally { passed: 1, failed: vec!["x".into()], ..Tally::default() };
        assert!(failed.conclude(Duration::ZERO).is_err());
    }
}
