//! `iova replay FILE table`: a row per device and interval, as a Parquet file for any engine.

mod about;
mod cells;
mod column;
mod schema;
mod writer;

use crate::args::record::{ReplayTableArgs, TableFormat};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::{Piece, create};
use crate::tui::Player;
use column::Row;
use iova_core::model::Step;
use parquet::errors::ParquetError;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use writer::Table;

pub(super) fn run(piece: &Piece, args: &ReplayTableArgs) -> Result<Exit, Stop> {
    let TableFormat::Parquet = args.format;
    let mut player = Player::open(piece, 0.0, &args.devices)?;
    match &args.output {
        Some(path) => {
            let out = create(path)?;
            let written = write(&mut player, out, args.histograms);
            // Half a table is none: its reader needs the end.
            written
                .inspect_err(|_| drop(fs::remove_file(path)))
                .map_err(|error| error.stop(path.display()))?;
        }
        None if io::stdout().is_terminal() => {
            return Err(Stop::unusable(
                "a Parquet file is nothing for a terminal: name a file with -o, or send standard output to one",
            ));
        }
        None => match write(&mut player, io::stdout(), args.histograms) {
            // Who has seen enough is no error.
            Err(Failed::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(error.stop("standard output")),
            Ok(_) => {}
        },
    }
    player.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
    Ok(Exit::Done)
}

/// Why there is no table.
enum Failed {
    /// The recording can't be read on.
    Input(Stop),
    Output(io::Error),
}

impl Failed {
    fn stop(self, name: impl std::fmt::Display) -> Stop {
        match self {
            Self::Input(stop) => stop,
            Self::Output(error) => Stop::unusable(format!("{name} can't be written: {error}")),
        }
    }
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Input(stop)
    }
}

impl From<ParquetError> for Failed {
    fn from(error: ParquetError) -> Self {
        Self::Output(match error {
            ParquetError::External(error) => {
                error.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error)
            }
            error => io::Error::other(error),
        })
    }
}

/// Everything the player has yet to show.
fn write<W: Write + Send>(player: &mut Player, out: W, histograms: bool) -> Result<W, Failed> {
    let mut table = Table::begin(out, column::all(histograms))?;
    let clock = Clock::of(player);
    loop {
        let (before, exact_before) = (player.ns(), player.is_exact());
        let Some((step, _)) = player.next_step()? else { break };
        let seen = Seen {
            begun_us: clock.micros(before),
            looked_us: player.looked_ns().map(|ns| clock.micros(ns)),
            exact: exact_before && player.is_exact(),
        };
        rows(&mut table, &step, &seen)?;
    }
    let reader = player.reader();
    Ok(table.end(about::recording(reader.head(), reader.ending(), reader.flaw()))?)
}

/// What all rows of an interval have in common.
struct Seen {
    begun_us: i64,
    looked_us: Option<i64>,
    exact: bool,
}

fn rows<W: Write + Send>(table: &mut Table<W>, step: &Step, seen: &Seen) -> Result<(), ParquetError> {
    let report = &step.interval;
    report.devices.iter().try_for_each(|device| {
        let domain = report.domain_of(device);
        let &Seen { begun_us, looked_us, exact } = seen;
        table.push(&Row { report, device, domain, begun_us, looked_us, exact })
    })
}

/// From the recorded host's CLOCK_MONOTONIC to UTC.
struct Clock {
    first_ns: u64,
    started_us: i64,
}

impl Clock {
    fn of(player: &Player) -> Self {
        let started_s = i64::try_from(player.reader().head().started_unix_s).unwrap_or(0);
        Self { first_ns: player.first_ns(), started_us: started_s.saturating_mul(1_000_000) }
    }

    fn micros(&self, ns: u64) -> i64 {
        let passed = (i128::from(ns) - i128::from(self.first_ns)) / 1000;
        self.started_us.saturating_add(i64::try_from(passed).unwrap_or(0))
    }
}

#[cfg(test)]
mod duckdb_tests;
#[cfg(test)]
mod tests;
