//! A part of a recording: from one time to another.

use super::Played;
use crate::exit::Stop;
use iova_core::record::Reader;
use iova_core::snapshot::Snapshot;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A time in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// So long after its beginning.
    AfterStart(Duration),
    /// So long before its end.
    BeforeEnd(Duration),
    /// The first such time of day, UTC, in seconds.
    TimeOfDay(u64),
}

const DAY: u64 = 86_400;

impl Place {
    /// "10m", "-5m" or "21:40" or "21:40:30".
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let hint = || {
            format!(
                "'{text}' is no time in a recording: take 10m from its beginning, -5m from its end, or 21:40:00 (UTC)"
            )
        };
        if text.contains(':') {
            let numbers = text.split(':').map(|part| part.parse::<u64>().ok().filter(|_| part.len() == 2));
            return match numbers.collect::<Option<Vec<_>>>().as_deref() {
                Some(&[hours @ ..24, minutes @ ..60]) => Ok(Self::TimeOfDay(hours * 3600 + minutes * 60)),
                Some(&[hours @ ..24, minutes @ ..60, seconds @ ..60]) => {
                    Ok(Self::TimeOfDay(hours * 3600 + minutes * 60 + seconds))
                }
                _ => Err(hint()),
            };
        }
        let (length, place): (&str, fn(Duration) -> Self) = match text.strip_prefix('-') {
            Some(length) => (length, Self::BeforeEnd),
            None => (text, Self::AfterStart),
        };
        if length == "0" {
            return Ok(place(Duration::ZERO));
        }
        crate::duration::parse(length).map(place).map_err(|_| hint())
    }

    /// The same in a recording's own time, ns.
    fn ns(self, span: &Span) -> u64 {
        let ns = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        match self {
            Self::AfterStart(length) => span.first_ns.saturating_add(ns(length)),
            Self::BeforeEnd(length) => span.last_ns.saturating_sub(ns(length)).max(span.first_ns),
            Self::TimeOfDay(seconds) => {
                let later = (seconds + DAY - span.started_unix_s % DAY) % DAY;
                span.first_ns.saturating_add(later * 1_000_000_000)
            }
        }
    }
}

/// What a recording spans.
struct Span {
    first_ns: u64,
    /// 0 if nobody asks.
    last_ns: u64,
    started_unix_s: u64,
}

/// A recording, or a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) file: PathBuf,
    pub(crate) from: Option<Place>,
    pub(crate) until: Option<Place>,
}

impl From<&Path> for Piece {
    fn from(file: &Path) -> Self {
        Self { file: file.to_owned(), from: None, until: None }
    }
}

impl From<&PathBuf> for Piece {
    fn from(file: &PathBuf) -> Self {
        Self::from(file.as_path())
    }
}

impl From<&Self> for Piece {
    fn from(piece: &Self) -> Self {
        piece.clone()
    }
}

impl Piece {
    /// Opens it at its first sample.
    pub(crate) fn open(&self) -> Result<Played, Stop> {
        let (mut played, from, until) = self.near()?;
        played.begin_at(from)?;
        if played.end_at(until) {
            return Ok(played);
        }
        Err(Stop::unusable(format!(
            "{} has no sample from --from on and up to --until: see iova record info for its length",
            self.file.display()
        )))
    }

    /// Opens it at a whole sample at its beginning or before; says from when until when it is, ns.
    pub(crate) fn near(&self) -> Result<(Played, u64, u64), Stop> {
        let mut played = Played::open(&self.file)?;
        let places = [self.from, self.until];
        let from_end = places.iter().any(|place| matches!(place, Some(Place::BeforeEnd(_))));
        let span = Span {
            first_ns: played.next_ns().unwrap_or(0),
            last_ns: if from_end { last_ns(&self.file)? } else { 0 },
            started_unix_s: played.reader().head().started_unix_s,
        };
        let [from, until] = places.map(|place| place.map(|place| place.ns(&span)));
        let (from, until) = (from.unwrap_or(0), until.unwrap_or(u64::MAX));
        if from > until {
            return Err(Stop::unusable("--from is later than --until"));
        }
        if from > span.first_ns {
            played.skip_to(from)?;
        }
        Ok((played, from, until))
    }
}

/// When the last sample of a recording was read.
fn last_ns(file: &Path) -> Result<u64, Stop> {
    let failed = |error| Stop::unusable(format!("{}: {error}", file.display()));
    let mut reader = Reader::open(file).map_err(failed)?;
    reader.skip_to(u64::MAX).map_err(failed)?;
    let mut last = 0;
    while let Some(moment) = reader.next_moment().map_err(failed)? {
        last = moment.sample.ns;
    }
    Ok(last)
}

/// The allocator's state where nobody looked.
pub(super) fn unseen() -> Snapshot {
    let why = "nobody looked at the allocator's state where this part of the recording begins or ends";
    Snapshot { missing: vec![why.to_owned()], ..Snapshot::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood_or_refused_with_a_hint() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (text, place) in [
            ("10m", Place::AfterStart(minutes(10))),
            ("0", Place::AfterStart(Duration::ZERO)),
            ("-5m", Place::BeforeEnd(minutes(5))),
            ("21:40", Place::TimeOfDay(78_000)),
            ("00:00:01", Place::TimeOfDay(1)),
        ] {
            assert_eq!(Place::parse(text), Ok(place), "{text}");
        }
        for bad in ["", "x", "24:00", "1:00", "10:60", "10:00:00:00", "--5m", "-", "5x", ":"] {
            assert!(Place::parse(bad).unwrap_err().contains("21:40:00"), "{bad}");
        }
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        // Begun at 23:50.
        let span = Span { first_ns: 7, last_ns: 0, started_unix_s: 5 * DAY + 85_800 };
        let seconds = |text| (Place::parse(text).unwrap().ns(&span) - 7) / 1_000_000_000;
        assert_eq!(["23:50", "23:51", "00:00", "23:49"].map(seconds), [0, 60, 600, 86_340]);
    }
}
