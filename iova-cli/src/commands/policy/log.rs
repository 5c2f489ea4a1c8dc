//! `iova policy log`: who changed what, when, why, and on what evidence.

use super::host::Host;
use super::journal::{Journal, history};
use crate::args::Format;
use crate::args::policy::LogArgs;
use crate::commands::live;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::policy::history::Entry;
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The JSON document.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyLog {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Lines of the file that are no entries.
    pub(crate) unreadable: usize,
}

pub(super) fn run(args: &LogArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let wanted = live::select(&host.inventory, &args.devices).or_else(|stop| gone(&args.devices, stop))?;
    Journal::collect(host.kernel.as_ref());
    let past = history().read().map_err(Stop::unusable)?;
    let from = args.since.map_or(0, |since| ns(SystemTime::now() - since));
    let mut entries = past.entries;
    entries.retain(|entry| {
        let device = entry.device().map(|bdf| bdf.to_string());
        let about = wanted.is_empty() || device.is_none_or(|bdf| wanted.contains(&bdf));
        about && entry.time_ns >= from
    });
    // Two sources write in turn; a stable sort keeps the order of what happened in one instant.
    entries.sort_by_key(|entry| entry.time_ns);
    let log =
        PolicyLog { schema: "iova.policy.log", schema_version: 1, entries, unreadable: past.unreadable };
    output::print(&renderer(format, term).policy_log(&log)?)?;
    Ok(Exit::Done)
}

/// The history remembers devices that are gone: full addresses need no device.
fn gone(words: &[String], stop: Stop) -> Result<Vec<String>, Stop> {
    let bdf = |word: &String| word.parse::<iova_core::policy::Bdf>().ok().map(|bdf| bdf.to_string());
    words.iter().map(bdf).collect::<Option<Vec<String>>>().ok_or(stop)
}

fn ns(time: SystemTime) -> u64 {
    let since: Duration = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
