//! The command line of `iova compat`.

use super::Format;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

pub(super) const HELP: &str = "\
The compatibility list says which devices must not get addresses of more than so
many bits (cap), and which are verified good up to so many (ok). It is built in;
docs/compat.md shows it. Records of your own, in the same format, stand in
/etc/iova/compat.d/*.toml: a cap there is a quarantine, which beats any ok of the
list, and a file named like one of the list takes its place.

Examples:
  iova compat check                       what it says about this host's devices
  iova compat lint compat/                every mistake, with file and line
  iova compat build --format hwdb -o /etc/udev/hwdb.d/60-iova-policy.hwdb
  iova compat merge reports/*.json        many hosts' reports to proposals

Exit codes:
  0  done
  1  the answer is \"no\": mistakes found, or a cap that nothing here keeps
  2  wrong usage, records that can't be used, or an output that can't be written
  3  an internal error";

const LINT_HELP: &str = "\
Examples:
  iova compat lint compat/
  iova compat lint /etc/iova/compat.d new-record.toml

Without a PATH: /etc/iova/compat.d. All complaints go to standard output, a line
each: FILE:LINE: REASON.

Exit codes: 0 no complaint, 1 complaints, 2 wrong usage, 3 an internal error.";

const BUILD_HELP: &str = "\
Examples:
  iova compat build --format hwdb                    to standard output
  iova compat build --format rules --out /tmp/udev   under its usual name there
  iova compat build --format hwdb --list /etc/iova/compat.d \\
      -o /etc/udev/hwdb.d/90-iova-policy-local.hwdb

hwdb and rules belong together: the hwdb names caps, and the rules put them in
force when a device appears, if the administrator has made the file
/etc/iova/apply-caps. Nothing is widened unless a local hwdb file sets
ID_IOVA_APPLY=1 for the device. After a change: systemd-hwdb update.

Exit codes: 0 done, 2 wrong usage, records that can't be used or an output that
can't be written, 3 an internal error.";

const CHECK_HELP: &str = "\
Examples:
  iova compat check
  iova compat check 0000:02:00.0 eth0 --format json
  iova compat check --list compat/

A device that the list does not name is not known to be good.

--format udev is for rules: it prints what decides about one device as
properties.

Exit codes: 0 done, 1 a device has a cap that neither this kernel nor the module
iova_policy keeps, 2 wrong usage or records that can't be used, 3 an internal
error.";

const MERGE_HELP: &str = "\
Examples:
  iova compat merge reports/*.json                 what they come to
  iova compat merge reports/*.json --out new/      and the records, a file each
  iova compat lint new/ compat/

Rules: an ok needs iova verify on three hosts, for the same revision of the
device on the same path, and no report to the contrary; its width is what the
three best have all verified. One credible corruption is a cap. Normal use alone
widens nothing. Reports with the same id are one host. What the list says
already is not proposed again, and what contradicts it is named. The order of
the files does not matter.

Exit codes: 0 done, 2 wrong usage, a file that is no report (then nothing is
written) or an output that can't be written, 3 an internal error.";

/// `iova compat`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CompatArgs {
    #[command(subcommand)]
    pub(crate) command: CompatCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CompatCommand {
    /// Name every mistake in records.
    #[command(after_long_help = LINT_HELP)]
    Lint(LintArgs),
    /// Make files of the list: hwdb, udev rules, C, Markdown, JSON.
    #[command(after_long_help = BUILD_HELP)]
    Build(BuildArgs),
    /// Say what the list says about this host's devices.
    #[command(after_long_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Make proposals for the list of many hosts' reports (iova report --compat).
    #[command(after_long_help = MERGE_HELP)]
    Merge(MergeArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MergeArgs {
    /// Reports of iova report --compat.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write each proposed record into this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Compare with the records of this directory instead of the list that is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) list: Option<PathBuf>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LintArgs {
    /// Records, or directories of them.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuildFormat {
    /// 60-iova-policy.hwdb, for udev.
    Hwdb,
    /// 61-iova-policy.rules, for udev.
    Rules,
    /// A table in C, for kernel code.
    C,
    /// The page docs/compat.md.
    Markdown,
    /// The whole list, for programs.
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BuildArgs {
    /// What to make.
    #[arg(long)]
    pub(crate) format: BuildFormat,
    /// Take the records of this directory instead of the list that is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) list: Option<PathBuf>,
    /// Write it into this directory, under its usual name.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write it to this file.
    #[arg(short = 'o', long = "output", value_name = "FILE", conflicts_with = "out")]
    pub(crate) file: Option<PathBuf>,
}

/// Output format of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Properties of one device, for udev rules.
    Udev,
}

impl CheckFormat {
    /// The format for people or programs; `None` for rules.
    pub(crate) fn plain(self) -> Option<Format> {
        match self {
            Self::Text => Some(Format::Text),
            Self::Json => Some(Format::Json),
            Self::Udev => None,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Only these: BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<String>,
    /// Take the records of this directory instead of the list that is built in; local ones count all the same.
    #[arg(long, value_name = "DIR")]
    pub(crate) list: Option<PathBuf>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: CheckFormat,
}
