//! The command line: what may be given, and the help texts.

pub(crate) mod advise;
pub(crate) mod compat;
pub(crate) mod export;
pub(crate) mod gate;
pub(crate) mod generate;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod verify;

use crate::duration;
use crate::tui::Palette;
use clap::builder::PossibleValuesParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use iova_core::finding::Severity;
use iova_core::probe::Profile;
use std::path::PathBuf;
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and nothing wrong
  1  done, and the answer is \"no\": findings at or above --fail-on, or limits found by doctor
  2  wrong usage, a host that cannot be measured, or an output that
     cannot be written
  3  an internal error
  4  iova gate cannot judge";

const REPORT_HELP: &str = "\
Examples:
  iova report                                   measure 10 s, print for people
  iova report --device nvme0n1 --duration 1m    one device, one minute
  iova report --format json -- fio job.fio      while fio runs, for programs
  iova report --format html > report.html       for a browser, with pictures over time
  iova report --fail-on warning                 exit 1 if something is wrong
  iova report --anonymize --format html > r.html  to be shown to others
  iova report --compat                          show what a report for the list would hold
  iova report --compat --duration 1h -o r.json  an hour, into a file, after a question

Ctrl-C ends the measurement early and still prints the report.

With -- COMMAND the measurement lasts as long as the command. Its standard
output goes to standard error, so that the report alone is on standard output.
Its exit code is in the report (JSON: command.exit_code); iova's own does not
depend on it. Signals that iova gets are passed on to the command; a second one
kills it.

--compat makes the file that iova compat merge takes. There is no address, place
on the bus, name of host, user or interface, serial number or command in it;
docs/compat.md names everything that is. All reports of a host carry the same
random number, kept in /var/lib/iova/report-salt; remove that file to get another.

Exit codes:
  0  measured; no finding at or above --fail-on
  1  measured; findings at or above --fail-on
  2  wrong usage, missing privileges, a kernel that cannot be measured, an output
     that cannot be written, or --fail-on where no device uses the allocator
  3  an internal error";

const TOP_HELP: &str = "\
Examples:
  iova top                                 all devices, a line each, once a second
  iova top --device nvme0n1 --profile full one device, looked at closely
  iova top --batch --count 5               five plain tables, for scripts
  iova top --batch --format json           a line of JSON per interval
  iova top --theme light --mouse           for a light background; clicks count
  iova top --write-config                  a file to change what is usual

? in the screen shows its keys. No single key changes anything on the host, and
with --read-only nothing does.

What iova top does without options stands in $XDG_CONFIG_HOME/iova/top.toml, or
~/.config/iova/top.toml: interval, profile, theme, ascii, mouse, hide-idle,
sort, order, columns, read-only. --write-config writes that file, with every
key explained. The command line wins over it.

Exit codes:
  0  done
  2  wrong usage, an error in the configuration file, missing privileges, a
     kernel that cannot be measured, or no terminal
  3  an internal error";

const DEVICES_HELP: &str = "\
Examples:
  iova devices
  iova devices nvme --format json

Exit codes: 0 done, 2 wrong usage, 3 an internal error.";

const DOCTOR_HELP: &str = "\
Exit codes:
  0  everything that `iova report` uses works
  1  something is limited; each line says what is lost and how to get it
  2  nothing can be measured here
  3  an internal error";

/// See what the Linux IOVA allocator does to each device.
///
/// Devices behind an IOMMU get their DMA addresses (IOVAs) from an allocator in the kernel. iova shows per device how
/// often it is used, how long it takes, how full the space below 4 GiB is, and what is wrong.
#[derive(Debug, Parser)]
#[command(name = "iova", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    /// Use ASCII characters only.
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// Print what the eBPF programs log to standard error.
    #[cfg(feature = "bpf-log")]
    #[arg(long, global = true)]
    pub(crate) bpf_log: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what this host and kernel can do, and for each missing thing how to get it.
    #[command(after_long_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// List the devices behind an IOMMU: driver, group, domain type, DMA mask, policy.
    #[command(after_long_help = DEVICES_HELP)]
    Devices(DevicesArgs),
    /// Measure for a while and report per device what the allocator did and what is wrong.
    #[command(after_long_help = REPORT_HELP)]
    Report(ReportArgs),
    /// Record what the allocator does into a file.
    #[command(after_long_help = record::HELP)]
    Record(record::RecordArgs),
    /// Look at a recording as if it were this host, now.
    #[command(after_long_help = record::REPLAY_HELP)]
    Replay(record::ReplayArgs),
    /// Watch all devices live: who suffers, and why.
    #[command(after_long_help = TOP_HELP)]
    Top(TopArgs),
    /// Say what to set on this host, where to write it down, and what it should bring.
    #[command(after_long_help = advise::HELP)]
    Advise(advise::AdviseArgs),
    /// Is the candidate worse than the baseline? For CI: rules, statistics, an exit code.
    #[command(after_long_help = gate::HELP)]
    Gate(gate::GateArgs),
    /// Offer all figures to Prometheus, node_exporter or an OpenTelemetry collector.
    #[command(after_long_help = export::HELP)]
    Export(export::ExportArgs),
    /// Show and change where the kernel puts devices' addresses.
    #[command(after_long_help = policy::HELP)]
    Policy(policy::PolicyArgs),
    /// Which device may use how wide addresses: check, lint and build the list.
    #[command(after_long_help = compat::HELP)]
    Compat(compat::CompatArgs),
    /// Prove how many address bits of a device really come through, on the path that it is on.
    #[command(after_long_help = verify::HELP)]
    Verify(verify::VerifyArgs),
    /// Make manual pages and shell completions.
    #[command(after_long_help = generate::HELP)]
    Generate(generate::GenerateArgs),
}

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Output format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For browsers: one file with pictures over time.
    Html,
}

impl ReportFormat {
    /// The format that needs nothing but the figures; `None` for pages.
    pub(crate) fn plain(self) -> Option<Format> {
        match self {
            Self::Text => Some(Format::Text),
            Self::Json => Some(Format::Json),
            Self::Html => None,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DevicesArgs {
    /// Only these: BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<String>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReportArgs {
    /// How long to measure: 10, 10s, 500ms, 2m [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with = "command")]
    pub(crate) duration: Option<Duration>,
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// How closely to look.
    ///
    /// light: counts, one allocation in 64 timed. default: every allocation timed, SAC attempts, flush queues. full:
    /// also dma_map, every free, lock waits, stacks of slow calls.
    #[arg(long, default_value = "default", value_parser = profile_parser())]
    pub(crate) profile: Profile,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: ReportFormat,
    /// Exit with 1 if there is a finding at least this bad.
    #[arg(long, value_name = "SEVERITY", value_parser = severity_parser())]
    pub(crate) fail_on: Option<Severity>,
    /// Keep the measurement in this file, for iova replay.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Leave out what names this host: its name, interfaces, disks, the command, the kernel's local suffix.
    #[arg(long, conflicts_with_all = ["record", "compat"])]
    pub(crate) anonymize: bool,
    /// Make a report for the compatibility list instead: which widths the devices keep, and nothing about the host.
    ///
    /// It holds what was measured now and what iova verify has found here before. It is shown, never sent, and only
    /// written with --output.
    #[arg(long, conflicts_with_all = ["format", "fail_on", "record"])]
    pub(crate) compat: bool,
    /// With --compat: write the report to this new file, after a question.
    #[arg(short, long, value_name = "FILE", requires = "compat")]
    pub(crate) output: Option<PathBuf>,
    /// With --output: do not ask.
    #[arg(long, requires = "output")]
    pub(crate) yes: bool,
    /// With --compat: put the machine's product name in, as DMI has it.
    #[arg(long, requires = "compat")]
    pub(crate) product: bool,
    /// Measure while this command runs.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TopArgs {
    /// Time between two looks: 1, 1s, 500ms, 1m [default: 1s].
    #[arg(value_name = "INTERVAL", value_parser = duration::parse)]
    pub(crate) interval: Option<Duration>,
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// How closely to look: see iova report [default: default].
    #[arg(long, value_parser = profile_parser())]
    pub(crate) profile: Option<Profile>,
    /// Colours: for a dark or light background, or none [default: dark, and mono without colour].
    #[arg(long, value_parser = palette_parser())]
    pub(crate) theme: Option<Palette>,
    /// Take clicks and the wheel; select text with Shift then.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) mouse: Option<bool>,
    /// Change nothing on this host, whatever is pressed.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) read_only: Option<bool>,
    /// Take this configuration file instead of the usual one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write a configuration file that says what is usual, and end; never over one that is there.
    #[arg(long, conflicts_with = "batch")]
    pub(crate) write_config: bool,
    /// Print plain tables instead of a screen.
    #[arg(long)]
    pub(crate) batch: bool,
    /// With --batch: end after so many intervals.
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// With --batch: output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

fn profile_parser() -> impl clap::builder::TypedValueParser<Value = Profile> {
    use clap::builder::TypedValueParser as _;
    PossibleValuesParser::new(Profile::ALL.map(Profile::name)).try_map(|name| name.parse::<Profile>())
}

fn palette_parser() -> impl clap::builder::TypedValueParser<Value = Palette> {
    use clap::builder::TypedValueParser as _;
    PossibleValuesParser::new(Palette::ALL.map(Palette::name))
        .try_map(|name| Palette::find(&name).ok_or("no such theme"))
}

fn severity_parser() -> impl clap::builder::TypedValueParser<Value = Severity> {
    use clap::builder::TypedValueParser as _;
    let by_name = |name: String| Severity::ALL.into_iter().find(|severity| severity.name() == name);
    PossibleValuesParser::new(Severity::ALL.map(Severity::name))
        .try_map(move |name| by_name(name).ok_or("no such severity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(args: &[&str]) -> Result<ReportArgs, clap::Error> {
        let args = Args::try_parse_from([&["iova", "report"], args].concat())?;
        match args.command {
            Command::Report(report) => Ok(report),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn a_command_keeps_its_own_flags() {
        let args = report(&["--profile", "full", "--", "dd", "--format", "x"]).unwrap();
        assert_eq!(args.command, ["dd", "--format", "x"]);
        assert_eq!((args.profile, args.format), (Profile::Full, ReportFormat::Text));
    }

    #[test]
    fn nonsense_is_refused_with_exit_code_2() {
        for bad in [
            &["--duration", "10x"][..],
            &["--duration", "5s", "--", "true"],
            &["--profile", "heavy"],
            &["--fail-on", "fatal"],
            &["--format", "xml"],
            &["10"],
        ] {
            let error = report(bad).expect_err(&bad.join(" "));
            assert_eq!(error.exit_code(), 2, "{bad:?}");
        }
    }

    #[test]
    fn several_devices_may_follow_one_flag_or_several() {
        let args = report(&["--device", "eth0", "nvme0n1", "--device", "00:04.0"]).unwrap();
        assert_eq!(args.devices, ["eth0", "nvme0n1", "00:04.0"]);
    }
}
