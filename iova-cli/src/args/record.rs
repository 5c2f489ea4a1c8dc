//! `iova record` and `iova replay`.

use super::export::ExportArgs;
use super::{DevicesArgs, Format, ReportFormat, profile_parser, severity_parser};
use crate::session::{Piece, Place};
use crate::{duration, size};
use clap::{Args as ClapArgs, Subcommand};
use iova_core::finding::Severity;
use iova_core::probe::Profile;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  iova record -o slow.iova --duration 10m       ten minutes
  iova record -o fio.iova -- fio job.fio        while fio runs
  iova record -o day.iova --max-size 100M       until it has 100 MB, or Ctrl-C
  iova record --ring 10m --on-finding warning   the ten minutes before something
                                                is wrong, each time it is
  iova record --events=1/16 -o calls.iova       and one allocation or free in 16
                                                by itself
  iova record info slow.iova                    what is in it
  iova replay slow.iova report                  what iova report would have said

A recording is good up to its last block, however iova ends; Ctrl-C, SIGTERM and
SIGHUP end it properly. It is readable by its owner only: it has the names of
devices and of the host, and kernel addresses; iova record anonymize takes them
out. With --ring nothing is written until SIGUSR1 comes or --on-finding is met;
then a file gets the time into its name, and the ring goes on.

Exit codes: 0 recorded, 2 wrong usage, a host that cannot be measured or a file
that cannot be written, 3 an internal error.";

pub(super) const REPLAY_HELP: &str = "\
Examples:
  iova replay slow.iova report                  findings, devices, 32-bit space
  iova replay slow.iova report --device nvme0n1 --format json
  iova replay slow.iova report --format html > slow.html
  iova replay old.iova report --versus new.iova --format html > both.html
  iova replay slow.iova top                     the screen, as it was
  iova replay slow.iova top --speed 60          a minute per second
  iova replay slow.iova devices
  iova replay slow.iova --from -5m report       only the last five minutes
  iova replay slow.iova trace > slow.json       for ui.perfetto.dev
  iova replay slow.iova table -o slow.parquet   for DuckDB, pandas, Spark
  iova replay calls.iova events --device nvme0n1
                                                single allocations and frees

Replay needs no rights and no IOMMU. A file that was cut off or is damaged is
played up to its last good block, and what is wrong is said at the end.

Exit codes: those of the command; 2 also for a file that is no recording.";

#[cfg(feature = "parquet")]
const TABLE_HELP: &str = "\
Examples:
  iova replay slow.iova table -o slow.parquet
  iova replay slow.iova --format parquet -o slow.parquet        the same
  iova replay slow.iova table --device nvme0n1 --histograms > disk.parquet
  duckdb -c \"SELECT bdf, max(alloc.latency_ns.p99) FROM 'slow.parquet' GROUP BY bdf\"

Columns are named as in iova report --format json, and described in the file and
in docs/recording.md. What is not known is NULL.";

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RecordArgs {
    /// What to do with recordings that there are.
    #[command(subcommand)]
    pub(crate) with: Option<RecordCommand>,
    /// Where to write it; must not be there yet [default: iova-TIME.iova].
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How long to record: 90, 90s, 10m, 24h [default: until Ctrl-C].
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with = "command")]
    pub(crate) duration: Option<Duration>,
    /// Time between two samples.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) interval: Duration,
    /// How closely to look: see iova report.
    #[arg(long, default_value = "default", value_parser = profile_parser())]
    pub(crate) profile: Profile,
    /// End when the file has this size: 500K, 100M, 2G.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) max_size: Option<u64>,
    /// Keep only the last so long, in memory, until asked for.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) ring: Option<Duration>,
    /// With --ring: write a file when there is a finding at least this bad.
    #[arg(long, value_name = "SEVERITY", value_parser = severity_parser(), requires = "ring")]
    pub(crate) on_finding: Option<Severity>,
    /// Keep single allocations and frees too, one in so many, drawn at random [default with --events: 1/64].
    ///
    /// Each with its device, size, limit, address, latency, CPU and time; see iova replay FILE events. What comes faster
    /// than 75,000 per interval is lost, and counted.
    #[arg(long, value_name = "1/N", num_args = 0..=1, require_equals = true, default_missing_value = "1/64", value_parser = one_in)]
    pub(crate) events: Option<NonZeroU32>,
    /// Samples per block: what a killed recording loses at most. With 1 every second is exact, and the file larger.
    #[arg(long, value_name = "SAMPLES", default_value_t = 40, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) block: u8,
    /// Record while this command runs.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Say what is in a recording.
    Info {
        /// The recording.
        file: PathBuf,
        /// Output format.
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Put recordings of one boot of one host into one, in the order of their times.
    Merge {
        /// The recordings.
        #[arg(required = true, num_args = 2..)]
        files: Vec<PathBuf>,
        /// Where to write it; must not be there yet.
        #[arg(long, short = 'o', value_name = "FILE")]
        output: PathBuf,
    },
    /// Take the name of the host, kernel addresses, names of interfaces and stacks out.
    Anonymize {
        /// The recording.
        file: PathBuf,
        /// Where to write it; must not be there yet.
        #[arg(long, short = 'o', value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    /// The recording.
    pub(crate) file: PathBuf,
    /// Begin here: 10m from its beginning, -5m from its end, or 21:40:00 (UTC).
    #[arg(long, global = true, value_name = "TIME", value_parser = Place::parse, allow_hyphen_values = true)]
    pub(crate) from: Option<Place>,
    /// End here; times as for --from.
    #[arg(long, global = true, value_name = "TIME", value_parser = Place::parse, allow_hyphen_values = true)]
    pub(crate) until: Option<Place>,
    #[command(subcommand)]
    pub(crate) command: ReplayCommand,
}

impl ReplayArgs {
    /// What of the recording is to be played.
    pub(crate) fn piece(&self) -> Piece {
        Piece { file: self.file.clone(), from: self.from, until: self.until }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Report on all of it.
    Report {
        /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
        #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
        devices: Vec<String>,
        /// Output format.
        #[arg(long, default_value = "text")]
        format: ReportFormat,
        /// With --format html: side by side with this recording, which is the later one.
        #[arg(long, value_name = "FILE")]
        versus: Option<PathBuf>,
        /// Exit with 1 if there is a finding at least this bad.
        #[arg(long, value_name = "SEVERITY", value_parser = severity_parser())]
        fail_on: Option<Severity>,
    },
    /// The screen, as it was.
    Top(ReplayTopArgs),
    /// The devices at its end.
    Devices(DevicesArgs),
    /// The single allocations and frees that iova record --events kept, a line each.
    Events(ReplayEventsArgs),
    /// A trace for ui.perfetto.dev or chrome://tracing, on standard output.
    Trace(ReplayTraceArgs),
    /// A row per device and interval as a Parquet file, for DuckDB, pandas, Spark and others.
    #[cfg(feature = "parquet")]
    #[command(long_flag = "format", after_long_help = TABLE_HELP)]
    Table(ReplayTableArgs),
    /// Offer its figures to Prometheus and others, as they were; --interval and --profile are the recording's.
    #[command(after_long_help = super::export::HELP)]
    Export(ReplayExportArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayTopArgs {
    /// Seconds of the recording in one; 0: all at once.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// Print plain tables instead of a screen, all at once.
    #[arg(long)]
    pub(crate) batch: bool,
    /// With --batch: end after so many intervals.
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// With --batch: output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayEventsArgs {
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// Output format: a table, or a JSON object per line.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayTraceArgs {
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
}

/// Format of a table.
#[cfg(feature = "parquet")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TableFormat {
    /// Apache Parquet.
    Parquet,
}

#[cfg(feature = "parquet")]
#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayTableArgs {
    /// Format of the table.
    #[arg(default_value = "parquet")]
    pub(crate) format: TableFormat,
    /// Where to write it; must not be there yet [default: standard output].
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// Whole latency distributions too, for percentiles over many rows; several times as large.
    #[arg(long)]
    pub(crate) histograms: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayExportArgs {
    /// Seconds of the recording in one; 0: all at once.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    #[command(flatten)]
    pub(crate) export: ExportArgs,
}

/// "1/64", or "1" for all.
fn one_in(text: &str) -> Result<NonZeroU32, String> {
    let number = if text == "1" { Some(1) } else { text.strip_prefix("1/").and_then(|n| n.parse().ok()) };
    let number = number.filter(|number| (1..=1_000_000).contains(number)).and_then(NonZeroU32::new);
    number.ok_or_else(|| {
        format!("'{text}' is no share of all calls: take 1/1 to 1/1000000, as in --events=1/64")
    })
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.0..=1e6).contains(speed));
    speed.ok_or_else(|| format!("'{text}' is no speed: take a number from 0 to 1000000"))
}
