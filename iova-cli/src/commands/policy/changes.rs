//! What `confirm`, `revert`, `set`, `flush`, `release`, `persist`, `forget`, `restore` and `boot-ok` have done.

use super::host::{Host, Target};
use crate::args::Format;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::inventory::Device;
use iova_core::policy::Policy;
use iova_core::policy::module::{self, Effective, State};
use serde::Serialize;

/// The JSON document of these commands; `schema` tells which.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Changes {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) changes: Vec<Change>,
}

/// One device.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Change {
    pub(crate) device: Target,
    /// False if it was refused or not necessary; `text` says why.
    pub(crate) done: bool,
    pub(crate) old: Option<Policy>,
    pub(crate) new: Option<Policy>,
    /// Read back afterwards.
    pub(crate) effective: Option<Effective>,
    pub(crate) state: Option<State>,
    /// Still mapped at or above 4 GiB in the device's domain, where that was looked at.
    pub(crate) mapped_high_bytes: Option<u64>,
    /// One sentence.
    pub(crate) text: String,
}

impl Change {
    /// Of `device`, with what the module says now.
    pub(super) fn of(host: &Host, device: &Device, text: impl Into<String>) -> Self {
        let now = module::configured(&host.root(), &device.bdf);
        Self {
            device: Target::from(device),
            done: true,
            new: now.as_ref().map(|now| now.policy),
            effective: now.as_ref().map(|now| now.effective),
            state: now.map(|now| now.state),
            text: text.into(),
            ..Self::default()
        }
    }
}

/// Prints; exit code 1 if anything was not done.
pub(super) fn print(
    schema: &'static str,
    changes: Vec<Change>,
    format: Format,
    term: Term,
) -> Result<Exit, Stop> {
    let all_done = changes.iter().all(|change| change.done);
    let document = Changes { schema, schema_version: 1, changes };
    output::print(&renderer(format, term).changes(&document)?)?;
    Ok(if all_done { Exit::Done } else { Exit::No })
}
