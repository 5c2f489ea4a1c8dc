//! Runs suites inside a guest: `guest-suite [TEXT…]` runs the tests whose name contains one of the texts, all without.
//!
//! One line per test, for xtask to count: `ok NAME`, `not ok NAME: WHY`, `skip NAME: REASON`. A test that this kernel
//! can't run says why it is skipped; it never passes silently.

mod lab;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// How a test ended, short of failing.
pub(crate) enum Outcome {
    /// It held.
    Passed,
    /// It can't run here, for this reason.
    Skipped(String),
}

/// A test's body; an error is its failure.
pub(crate) type Test = fn() -> anyhow::Result<Outcome>;

/// Every suite: its tests by name, in the order in which they run.
const SUITES: &[&[(&str, Test)]] = &[lab::TESTS];

fn main() -> ExitCode {
    let texts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()));
    let mut failed = false;
    for (name, test) in SUITES.iter().copied().flatten() {
        if wanted(name) {
            failed |= !report(name, *test);
        }
    }
    ExitCode::from(u8::from(failed))
}

/// Runs one test and prints its line; false if it failed.
fn report(name: &str, test: Test) -> bool {
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(Ok(Outcome::Passed)) => println!("ok {name}"),
        Ok(Ok(Outcome::Skipped(reason))) => println!("skip {name}: {reason}"),
        Ok(Err(error)) => {
            println!("not ok {name}: {}", format!("{error:#}").replace('\n', "; "));
            return false;
        }
        Err(_) => {
            println!("not ok {name}: it panicked, see stderr");
            return false;
        }
    }
    true
}
