//! `iova record merge`.

use super::copy::Copy;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::Played;
use iova_core::record::{Ending, Head, Joined, Look};
use std::path::{Path, PathBuf};

/// Clocks are set while a host runs, and a recording's start is known to a second only.
const CLOCKS_APART_S: u64 = 10;

/// One of the recordings.
struct Part {
    path: PathBuf,
    played: Played,
}

pub(super) fn run(files: &[PathBuf], output: &Path) -> Result<Exit, Stop> {
    let mut parts = files.iter().map(|file| Part::open(file)).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by_key(|part| part.played.next_ns());
    for pair in parts.windows(2) {
        if let [earlier, later] = pair {
            earlier.fits(later)?;
        }
    }
    let Some(first) = parts.first() else { return Err(Stop::unusable("which recordings?")) };
    let mut copy = Copy::begin(output, first.played.reader().head())?;
    let (mut joined, mut ending, mut last_ns) = (Joined::default(), Ending::default(), 0);
    for part in &mut parts {
        joined.next_recording();
        last_ns = part.copy(&mut copy, &mut joined, last_ns)?;
        part.played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
        ending = part.played.reader().ending().cloned().unwrap_or(ending);
    }
    copy.end(&ending)?;
    Ok(Exit::Done)
}

impl Part {
    fn open(path: &Path) -> Result<Self, Stop> {
        Ok(Self { path: path.to_owned(), played: Played::open(path)? })
    }

    /// When the host was booted, seconds since 1970, about.
    fn booted(&self) -> u64 {
        let started = self.played.reader().head().started_unix_s;
        started.saturating_sub(self.played.next_ns().unwrap_or(0) / 1_000_000_000)
    }

    fn fits(&self, later: &Self) -> Result<(), Stop> {
        let host = |part: &Self| {
            let Head { inventory, profile, .. } = part.played.reader().head();
            (inventory.host.name.clone(), inventory.host.kernel.clone(), profile.clone())
        };
        if host(self) == host(later) && self.booted().abs_diff(later.booted()) <= CLOCKS_APART_S {
            return Ok(());
        }
        Err(Stop::unusable(format!(
            "{} and {} are not of one boot of one host in one profile: only such recordings can be merged",
            self.path.display(),
            later.path.display()
        )))
    }

    /// Copies all of it; says when it ended.
    fn copy(&mut self, copy: &mut Copy, joined: &mut Joined, after_ns: u64) -> Result<u64, Stop> {
        let Head { inventory, snapshot, .. } = self.played.reader().head().clone();
        let mut start = Some(Look { inventory: Some(inventory), snapshot });
        let mut last_ns = after_ns;
        while let Some(mut moment) = self.played.moment_and(&mut |_, calls| copy.calls(&calls))? {
            if moment.sample.ns < last_ns {
                return Err(Stop::unusable(format!(
                    "{} begins before another one ends: only recordings that follow each other can be merged",
                    self.path.display()
                )));
            }
            last_ns = moment.sample.ns;
            moment.look = moment.look.or(start.take());
            moment.sample = joined.push(moment.sample);
            copy.moment(&moment)?;
        }
        Ok(last_ns)
    }
}
