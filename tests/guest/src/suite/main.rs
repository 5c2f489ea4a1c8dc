//! Runs suites inside a guest: `guest-suite [TEXT…]` runs the tests whose name contains one of the texts, all without.
//!
//! One line per test, for xtask to count: see [`iova_guest::verdict`]. A test that this kernel can't run says why it is
//! skipped; it never passes silently.

mod cliff;
mod counts;
mod crowd;
mod export;
mod fault;
mod gate;
mod lab;
mod latency;
mod load;
mod measure;
mod nest;
mod oracle;
mod policy;
mod record;
mod robust;
mod snapshot;
mod top;
mod variants;
mod verify;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use iova_guest::verdict::{Line, Verdict};

/// How a test ended, short of failing.
pub(crate) enum Outcome {
    /// It held.
    Passed,
    /// It can't run here, for this reason.
    Skipped(String),
}

/// A test's body; an error is its failure.
pub(crate) type Test = fn() -> anyhow::Result<Outcome>;

/// Tests by name, in the order in which they run, and the kind of boot that they are for: one of xtask's variants.
struct Suite {
    variant: &'static str,
    tests: &'static [(&'static str, Test)],
}

const SUITES: &[Suite] = &[
    Suite { variant: "plain", tests: lab::TESTS },
    Suite { variant: "plain", tests: snapshot::TESTS },
    Suite { variant: "plain", tests: counts::TESTS },
    Suite { variant: "plain", tests: nest::TESTS },
    Suite { variant: "plain", tests: oracle::TESTS },
    Suite { variant: "plain", tests: latency::TESTS },
    Suite { variant: "plain", tests: fault::TESTS },
    Suite { variant: "plain", tests: cliff::TESTS },
    Suite { variant: "plain", tests: robust::TESTS },
    Suite { variant: "plain", tests: top::TESTS },
    Suite { variant: "plain", tests: record::TESTS },
    Suite { variant: "plain", tests: export::TESTS },
    Suite { variant: "policy", tests: policy::TESTS },
    Suite { variant: "advised", tests: policy::ADVISED },
    Suite { variant: "edu36", tests: policy::EDU },
    Suite { variant: "edu43", tests: policy::EDU },
    Suite { variant: "storm", tests: policy::STORM },
    Suite { variant: "crowd", tests: crowd::TESTS },
    Suite { variant: "icount", tests: gate::TESTS },
    Suite { variant: "icount", tests: robust::ICOUNT },
    Suite { variant: "verify", tests: verify::TESTS },
    Suite { variant: "verify-seed", tests: verify::SEEDED },
    Suite { variant: "cuts", tests: verify::CUTS },
    Suite { variant: "strict", tests: variants::STRICT },
    Suite { variant: "strict", tests: robust::STRICT },
    Suite { variant: "passthrough", tests: variants::PASSTHROUGH },
    Suite { variant: "passthrough", tests: robust::PASSTHROUGH },
    Suite { variant: "off", tests: variants::OFF },
    Suite { variant: "off", tests: robust::OFF },
    Suite { variant: "lockdown", tests: variants::LOCKDOWN },
    Suite { variant: "lockdown", tests: robust::LOCKDOWN },
];

/// One test or two of each subject, for the variant that somebody waits for.
const QUICK: &[&str] = &[
    "snapshot.equals_locked_walk",
    "counts.full",
    "top.shows_and_gives_the_terminal_back",
    "record.replay_is_the_live_report",
    "policy_try.kill_reverts",
    "policy_try.expiry_reverts",
];

/// The tests of a kind of boot.
fn tests(variant: &str) -> Vec<(&'static str, Test)> {
    if variant == "quick" {
        let all = || SUITES.iter().flat_map(|suite| suite.tests);
        return QUICK.iter().filter_map(|quick| all().find(|(name, _)| name == quick)).copied().collect();
    }
    SUITES.iter().filter(|suite| suite.variant == variant).flat_map(|suite| suite.tests).copied().collect()
}

fn main() -> ExitCode {
    let texts: Vec<String> = std::env::args().skip(1).collect();
    if let [option, number] = &texts[..]
        && option == "--hold-lease"
    {
        return ExitCode::from(u8::from(policy::hold_lease(number).is_err()));
    }
    if let [option, device] = &texts[..]
        && option == "--edu-work"
    {
        return verify::edu_work(device);
    }
    let wanted = |name: &str| texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()));
    let variant = std::env::var("IOVA_LAB_VARIANT").unwrap_or_else(|_| "plain".into());
    let mut failed = false;
    for (name, test) in tests(&variant).into_iter().filter(|(name, _)| wanted(name)) {
        failed |= !report(name, test);
    }
    ExitCode::from(u8::from(failed))
}

/// Runs one test and prints its line; false if it failed.
fn report(name: &str, test: Test) -> bool {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|_| bail!("it panicked, see stderr"));
    let took = Some(started.elapsed());
    let outcome = outcome.map_err(|error| format!("{error:#}").replace('\n', "; "));
    let verdict = match &outcome {
        Ok(Outcome::Passed) => Verdict::Passed,
        Ok(Outcome::Skipped(reason)) => Verdict::Skipped(reason),
        Err(why) => Verdict::Failed(why),
    };
    println!("{}", Line { name, verdict, took });
    outcome.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_tests_are_tests() {
        let names: Vec<_> = tests("quick").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, QUICK);
    }
}
