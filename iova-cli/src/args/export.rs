//! `iova export`.

use super::profile_parser;
use crate::commands::export::Address;
#[cfg(feature = "otlp")]
use crate::commands::export::Collector;
use crate::duration;
use clap::Args as ClapArgs;
use iova_core::probe::Profile;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Examples:
  iova export                                  http://127.0.0.1:9969/metrics
  iova export --listen unix:/run/iova/metrics  at a unix socket
  iova export --textfile /var/lib/prometheus/node-exporter/iova.prom
  iova export --otlp http://127.0.0.1:4318/v1/metrics

Counters count from the start of the exporter. One process reads the kernel,
another one answers and pushes: that one never had the kernel's memory open.
Once attached, both have given up every capability: what can't be read any more
is absent, and said in iova_unknown_info. docs/export.md has all families,
alerts and a dashboard.

Exit codes:
  0  ended by a signal
  2  wrong usage, missing privileges, a kernel that cannot be measured, an
     address that cannot be listened at, or a file that cannot be written
  3  an internal error, or one of the two processes has died: the other one ends
     and says so";

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// Answer at this address: HOST:PORT, unix:/PATH or systemd [default: 127.0.0.1:9969].
    ///
    /// With --textfile or --otlp there is no default. systemd: the socket of the service's .socket unit.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<Address>,
    /// Write this file (*.prom) for the textfile collector of node_exporter.
    #[arg(long, value_name = "FILE")]
    pub(crate) textfile: Option<PathBuf>,
    /// With --textfile: leave the file when the exporter ends.
    #[arg(long, requires = "textfile")]
    pub(crate) keep: bool,
    /// Push to this OpenTelemetry collector, as in http://127.0.0.1:4318/v1/metrics.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<Collector>,
    /// Time between two readings: 1s, 15s, 1m; at most 5m [default: 1s, and 15s if nobody listens].
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) interval: Option<Duration>,
    /// Only these devices: BDF, driver, network interface, block device, or vendor:device.
    #[arg(long = "device", value_name = "DEVICE", num_args = 1..)]
    pub(crate) devices: Vec<String>,
    /// How closely to look: see iova report.
    #[arg(long, default_value = "default", value_parser = profile_parser())]
    pub(crate) profile: Profile,
    /// So many devices get series of their own, the busiest; the others are summed up as device="other".
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) top: u16,
}

/// Longer, and a scrape would tell of the past.
const LONGEST: Duration = Duration::from_mins(5);

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration::parse(text)?;
    if interval > LONGEST { Err("use 10ms to 5m".to_owned()) } else { Ok(interval) }
}
