//! One measurement from start to end. Knows where the data comes from only as a [`Source`], and nothing of how the
//! result is written.

mod begin;
mod child;
pub(crate) mod missing;
mod nameless;
mod part;
mod played;
mod run;
mod taping;
mod tell;

pub(crate) use begin::{cursor, readable};
pub(crate) use child::Child;
pub(crate) use nameless::{Nameless, Names};
pub(crate) use part::{Piece, Place};
pub(crate) use played::Played;
pub(crate) use run::{Pace, measure, measure_told, pace, translates};
pub(crate) use taping::{Taped, Taping, create, head};

use crate::exit::Stop;
use iova_core::inventory::Inventory;
use iova_core::model::{Command, SacControl, Unknown};
use iova_core::probe::Profile;
use iova_core::sample::{Calls, Sample};
use iova_core::snapshot::Snapshot;
use std::time::Duration;

/// Where measurements come from: the running kernel, or a fake in tests.
pub(crate) trait Source {
    /// The devices now.
    fn inventory(&mut self) -> Inventory;
    /// The devices that the user's words name; all if there are no words.
    fn select(&self, inventory: &Inventory, words: &[String]) -> Result<Vec<String>, Stop>;
    /// What decides where addresses go.
    fn sac_control(&self, inventory: &Inventory) -> SacControl;
    /// Starts counting.
    fn attach(&mut self, profile: Profile, inventory: &Inventory) -> Result<(), Stop>;
    /// The allocator's state now.
    fn snapshot(&mut self) -> Snapshot;
    /// The counters since [`Source::attach`].
    fn sample(&mut self) -> Result<Sample, Stop>;
    /// Single allocations and frees since the last time, where they are wanted.
    fn calls(&mut self) -> Result<Option<Calls>, Stop> {
        Ok(None)
    }
    /// Both, in the middle of a measurement.
    fn look(&mut self) -> Result<(Inventory, Snapshot), Stop> {
        Ok((self.inventory(), self.snapshot()))
    }
    /// Whether somebody looked since the last sample; `None` if that is to be decided now.
    fn looked(&self) -> Option<bool> {
        None
    }
    /// False at the end of a recording.
    fn has_more(&self) -> bool {
        true
    }
    /// How a recording ended: by a signal, with a command.
    fn ended(&self) -> (bool, Option<Command>) {
        (false, None)
    }
    /// What could not be hooked.
    fn unmeasured(&self) -> Vec<Unknown>;
}

/// When a measurement ends, if nobody ends it earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// After this time.
    Time(Duration),
    /// When this command has ended.
    Command(Vec<String>),
    /// When somebody ends it; of a recording, at its end.
    Over,
}

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) until: Until,
    pub(crate) profile: Profile,
    /// Device names as given; empty for all.
    pub(crate) devices: Vec<String>,
}

#[cfg(test)]
mod tape_tests;
#[cfg(test)]
mod tests;
