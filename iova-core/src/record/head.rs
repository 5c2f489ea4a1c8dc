//! What a recording says in words: JSON, in which later versions may add fields.

use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::model::{Command, HostFigures, SacControl, Unknown};
use crate::snapshot::Snapshot;

/// What is known when a recording begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the program that wrote it.
    pub written_by: String,
    /// Seconds since 1970 when it began.
    pub started_unix_s: u64,
    /// Intended time between two samples, ms.
    pub interval_ms: u64,
    /// Profile of the probes.
    pub profile: String,
    /// What decides where addresses go.
    pub sac_control: SacControl,
    /// The devices.
    pub inventory: Inventory,
    /// The allocator's state.
    pub snapshot: Option<Snapshot>,
    /// What is not measured, and why.
    pub unknown: Vec<Unknown>,
}

impl Head {
    /// The machine it was recorded on.
    pub fn host(&self) -> HostFigures {
        HostFigures::new(&self.inventory, self.sac_control)
    }
}

/// What was seen when somebody looked again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The devices, if they are others than before.
    pub inventory: Option<Inventory>,
    /// The allocator's state.
    pub snapshot: Option<Snapshot>,
}

/// How a recording ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// The devices and the allocator's state.
    pub look: Look,
    /// What was not measured, and why, as known at the end.
    pub unknown: Vec<Unknown>,
    /// A signal ended it early.
    pub interrupted: bool,
    /// The command that was measured.
    pub command: Option<Command>,
    /// Why it ended before its time, if it did: "1 GiB written" and the like.
    #[serde(default)]
    pub why: Option<String>,
}
