//! One measurement from start to end. Knows where the data comes from only as a [`Source`], and nothing of how the
//! result is written.

mod child;
pub(crate) mod missing;
mod run;

pub(crate) use child::Child;
pub(crate) use run::{measure, translates};

use crate::exit::Stop;
use iova_core::inventory::Inventory;
use iova_core::model::{SacControl, Unknown};
use iova_core::probe::Profile;
use iova_core::sample::Sample;
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
mod tests;
