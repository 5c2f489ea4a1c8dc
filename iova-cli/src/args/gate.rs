//! The command line of `iova gate`.

use super::profile_parser;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use iova_core::probe::Profile;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
A RULE says what is allowed, per device:
  alloc.latency_ns.p99 <= 1.10 x baseline    at most 10 % more
  alloc.per_second >= 0.95 x baseline        at most 5 % less
  cache.hit_ratio >= baseline - 0.02
  sac_failed == 0                            in every run; no baseline needed
  low_space.pressure < 80%

Every number of iova report --format json has a name to use; its end is enough
where only one ends so. docs/gate.md has the statistics and the file of rules.

Exit codes:
  0  pass
  1  a regression
  2  wrong usage, or a host that cannot be measured
  3  an internal error
  4  these runs cannot tell; it says why, and how many runs would do";

const RUN_HELP: &str = "\
Examples:
  iova gate run --save base.json -- fio job.fio         measure a baseline
  iova gate run --baseline base.json -- fio job.fio     later: is it worse now?
  iova gate run -n 12 --base \"fio old.fio\" -- fio new.fio
                                                        both now, in turns

Each run is one iova report of the command. In turns means A B B A A B B A, so
that a machine that gets slower or warmer does so for both. The first run of each
command is thrown away (--warm-up). A command that fails ends it all.

Exit codes: 0 pass, or saved; 1 a regression; 2 wrong usage, or a host that
cannot be measured; 3 an internal error; 4 cannot judge.";

const COMPARE_HELP: &str = "\
Examples:
  iova gate compare base.json --with new.json
  iova gate compare base/*.json --with new/*.json --rules gate.toml
  iova gate compare base/*.json -- new/*.json --format junit

A FILE holds one or more documents: iova report --format json, lines of iova top
--batch --format json, what iova gate run --save wrote, or plain values:
  {\"schema\": \"iova.values\", \"exact\": true, \"values\": {\"instructions\": 3335}}
- is standard input.

Exit codes: 0 pass, 1 a regression, 2 wrong usage, 3 an internal error, 4 cannot
judge.";

const CHECK_HELP: &str = "\
Examples:
  iova gate check --rules gate.toml report.json
  iova report --format json -- fio job.fio | iova gate check --check 'sac_failed == 0' -

Rules that compare with a baseline are left out, and that is said.

Exit codes: 0 pass, 1 a rule is broken, 2 wrong usage, 3 an internal error, 4
cannot judge.";

#[derive(Debug, ClapArgs)]
pub(crate) struct GateArgs {
    #[command(subcommand)]
    pub(crate) command: GateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Measure a command several times, and compare with a baseline.
    #[command(after_long_help = RUN_HELP)]
    Run(RunArgs),
    /// Compare reports that are there already.
    #[command(after_long_help = COMPARE_HELP)]
    Compare(CompareArgs),
    /// Check reports by rules that need no baseline.
    #[command(after_long_help = CHECK_HELP)]
    Check(CheckArgs),
}

/// How to judge and how to say it.
#[derive(Debug, ClapArgs)]
pub(crate) struct JudgeArgs {
    /// Rules, in TOML [default: the usual ones, see docs/gate.md].
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// One more rule; may be given several times.
    #[arg(long = "check", value_name = "RULE")]
    pub(crate) checks: Vec<String>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: GateFormat,
}

/// Output format of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GateFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For CI servers.
    Junit,
    /// For a comment on a pull request.
    Markdown,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// Runs of each side that count.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,
    /// Runs of each command that are thrown away first.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) warm_up: u32,
    /// Reports to compare with.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "base")]
    pub(crate) baseline: Vec<PathBuf>,
    /// Command to compare with, for sh -c; measured in turns with the other.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) base: Option<String>,
    /// Write the runs of COMMAND to this file, as a baseline for later; never over one that is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// How closely to look: see iova report.
    #[arg(long, default_value = "default", value_parser = profile_parser())]
    pub(crate) profile: Profile,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Compare with runs of another host, profile or number of CPUs all the same.
    #[arg(long)]
    pub(crate) across_hosts: bool,
    /// Measure while this command runs.
    #[arg(last = true, value_name = "COMMAND", required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// Reports of the baseline.
    #[arg(value_name = "BASE", required = true)]
    pub(crate) baseline: Vec<PathBuf>,
    /// Reports of the candidate.
    #[arg(long, value_name = "CAND", num_args = 1.., required_unless_present = "candidate")]
    pub(crate) with: Vec<PathBuf>,
    /// Reports of the candidate: the same as --with.
    #[arg(last = true, value_name = "CAND", conflicts_with = "with")]
    pub(crate) candidate: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Compare runs of different hosts, profiles or numbers of CPUs all the same.
    #[arg(long)]
    pub(crate) across_hosts: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Reports.
    #[arg(value_name = "REPORT", required = true)]
    pub(crate) reports: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}
