//! Runs suites inside a guest: `guest-suite [TEXT…]` runs the tests whose name contains one of the texts; without, those whose
//! answer may be another one here than in other guests; with `--all`, all.
//!
//! One line per test, for xtask to count: see [`iova_guest::verdict`]. A test that this kernel can't run says why it is
//! skipped; it never passes silently.

mod bpf_log;
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
    scope: Scope,
    tests: &'static [(&'static str, Test)],
}

/// Where the answer could be another one. Elsewhere a suite runs only if everything is asked for, or the suite by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In every guest of its variant.
    Guest,
    /// On every kernel, behind one IOMMU.
    Kernel,
    /// On the oldest kernel and on the newest, behind one IOMMU.
    Ends,
    /// On the newest kernel, behind one IOMMU.
    Newest,
    /// In one guest.
    Once,
    /// Only if everything is asked for: it takes long.
    All,
}

impl Scope {
    /// Whether it takes in a guest with this kernel and IOMMU.
    fn takes_in(self, kernel: &str, iommu: &str) -> bool {
        match self {
            Self::Guest => true,
            Self::Kernel => iommu == "intel",
            Self::Ends => iommu == "intel" && ["5.10", "7.3"].contains(&kernel),
            Self::Newest => iommu == "intel" && kernel == "7.3",
            Self::Once => iommu == "intel" && kernel == "6.12",
            Self::All => false,
        }
    }
}

const SUITES: &[Suite] = &[
    Suite { variant: "plain", scope: Scope::Guest, tests: lab::TESTS },
    Suite { variant: "plain", scope: Scope::Guest, tests: snapshot::TESTS },
    Suite { variant: "plain", scope: Scope::Guest, tests: counts::TESTS },
    Suite { variant: "plain", scope: Scope::Kernel, tests: counts::INSIDE },
    Suite { variant: "plain", scope: Scope::Kernel, tests: nest::TESTS },
    Suite { variant: "plain", scope: Scope::Guest, tests: oracle::TESTS },
    Suite { variant: "plain", scope: Scope::Kernel, tests: latency::TESTS },
    Suite { variant: "plain", scope: Scope::Guest, tests: fault::TESTS },
    Suite { variant: "plain", scope: Scope::Kernel, tests: cliff::TESTS },
    Suite { variant: "plain", scope: Scope::Once, tests: robust::USAGE },
    Suite { variant: "plain", scope: Scope::Kernel, tests: robust::TESTS },
    Suite { variant: "plain", scope: Scope::Ends, tests: robust::RIGHTS_AND_ENDS },
    Suite { variant: "plain", scope: Scope::Newest, tests: top::TESTS },
    Suite { variant: "plain", scope: Scope::Newest, tests: record::TESTS },
    Suite { variant: "plain", scope: Scope::Newest, tests: export::TESTS },
    Suite { variant: "plain", scope: Scope::All, tests: export::OFTEN },
    Suite { variant: "plain", scope: Scope::Kernel, tests: export::ALERTS },
    Suite { variant: "policy", scope: Scope::Guest, tests: policy::STOCK },
    Suite { variant: "policy", scope: Scope::Ends, tests: policy::ABI },
    Suite { variant: "policy", scope: Scope::Guest, tests: policy::TRY },
    Suite { variant: "policy", scope: Scope::Once, tests: policy::SCREEN },
    Suite { variant: "policy", scope: Scope::Ends, tests: policy::CAPS },
    Suite { variant: "policy", scope: Scope::Kernel, tests: policy::CURES },
    Suite { variant: "policy", scope: Scope::Guest, tests: policy::LIFE },
    Suite { variant: "policy", scope: Scope::Once, tests: policy::FAULTS },
    Suite { variant: "policy", scope: Scope::Newest, tests: policy::FUZZ },
    Suite { variant: "policy", scope: Scope::Guest, tests: policy::GUARD },
    Suite { variant: "bpf-log", scope: Scope::Guest, tests: bpf_log::TESTS },
    Suite { variant: "failslab", scope: Scope::Guest, tests: policy::FAILSLAB },
    Suite { variant: "realtime", scope: Scope::Guest, tests: counts::PREEMPTED },
    Suite { variant: "realtime", scope: Scope::All, tests: counts::TESTS },
    Suite { variant: "realtime", scope: Scope::Guest, tests: nest::SOFT },
    Suite { variant: "realtime", scope: Scope::Guest, tests: oracle::TESTS },
    Suite { variant: "realtime", scope: Scope::All, tests: latency::TESTS },
    Suite { variant: "realtime", scope: Scope::Guest, tests: fault::TESTS },
    Suite { variant: "realtime", scope: Scope::Guest, tests: robust::REALTIME },
    Suite { variant: "realtime", scope: Scope::Guest, tests: policy::LIFE },
    Suite { variant: "realtime", scope: Scope::Guest, tests: policy::FAULTS },
    Suite { variant: "realtime", scope: Scope::Guest, tests: policy::GUARD },
    Suite { variant: "advised", scope: Scope::Guest, tests: policy::ADVISED },
    Suite { variant: "edu36", scope: Scope::Guest, tests: policy::EDU },
    Suite { variant: "edu43", scope: Scope::Guest, tests: policy::EDU },
    Suite { variant: "storm", scope: Scope::Guest, tests: policy::STORM },
    Suite { variant: "crowd", scope: Scope::Guest, tests: crowd::TESTS },
    Suite { variant: "crowd", scope: Scope::All, tests: crowd::FULL },
    Suite { variant: "icount", scope: Scope::Guest, tests: gate::TESTS },
    Suite { variant: "icount", scope: Scope::Guest, tests: policy::PROMISE },
    Suite { variant: "icount", scope: Scope::All, tests: policy::PRESSED },
    Suite { variant: "verify", scope: Scope::Guest, tests: verify::WIDTHS },
    Suite { variant: "verify", scope: Scope::Once, tests: verify::TESTS },
    Suite { variant: "verify-seed", scope: Scope::Guest, tests: verify::WIDTHS },
    Suite { variant: "cuts", scope: Scope::Guest, tests: verify::CUTS },
    Suite { variant: "strict", scope: Scope::Guest, tests: variants::STRICT },
    Suite { variant: "strict", scope: Scope::Guest, tests: robust::STRICT },
    Suite { variant: "passthrough", scope: Scope::Guest, tests: variants::PASSTHROUGH },
    Suite { variant: "passthrough", scope: Scope::Guest, tests: robust::PASSTHROUGH },
    Suite { variant: "passthrough", scope: Scope::Guest, tests: policy::PASSTHROUGH },
    Suite { variant: "off", scope: Scope::Guest, tests: variants::OFF },
    Suite { variant: "off", scope: Scope::Guest, tests: robust::OFF },
    Suite { variant: "lockdown", scope: Scope::Guest, tests: variants::LOCKDOWN },
    Suite { variant: "lockdown", scope: Scope::Guest, tests: robust::LOCKDOWN },
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

/// The tests of a kind of boot, those beyond their scope left out.
fn tests(variant: &str, within: impl Fn(Scope) -> bool) -> Vec<(&'static str, Test)> {
    if variant == "quick" {
        let all = || SUITES.iter().flat_map(|suite| suite.tests);
        return QUICK.iter().filter_map(|quick| all().find(|(name, _)| name == quick)).copied().collect();
    }
    let suites = SUITES.iter().filter(|suite| suite.variant == variant && within(suite.scope));
    suites.flat_map(|suite| suite.tests).copied().collect()
}

fn main() -> ExitCode {
    let texts: Vec<String> = std::env::args().skip(1).collect();
    if let [option, number] = &texts[..]
        && option == "--hold-lease"
    {
        return ExitCode::from(u8::from(policy::hold_lease(number).is_err()));
    }
    match texts.first().map(String::as_str) {
        Some("--audit-deaf") => return ExitCode::from(u8::from(policy::audit_deaf().is_err())),
        Some("--audit-writers") => return ExitCode::from(u8::from(policy::audit_writers().is_err())),
        _ => {}
    }
    if let [option, device] = &texts[..]
        && option == "--edu-work"
    {
        return verify::edu_work(device);
    }
    let everything = texts == ["--all"];
    let wanted =
        |name: &str| everything || texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()));
    let env = |name, or: &str| std::env::var(name).unwrap_or_else(|_| or.into());
    let (kernel, iommu) = (env("IOVA_LAB_KERNEL", ""), env("IOVA_LAB_IOMMU", ""));
    let within = |scope: Scope| !texts.is_empty() || scope.takes_in(&kernel, &iommu);
    let mut failed = false;
    for (name, test) in
        tests(&env("IOVA_LAB_VARIANT", "plain"), within).into_iter().filter(|(name, _)| wanted(name))
    {
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
        let names: Vec<_> = tests("quick", |_| true).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, QUICK);
    }
}
