//! `iova policy`: its pages.

mod changes;
mod explain;
mod log;
mod show;
mod trial;

pub(super) use changes::write as changes;
pub(super) use explain::write as explain;
pub(super) use log::write as log;
pub(super) use show::write as show;
pub(super) use trial::{line as trial_line, view as trial_view, write as trial};

use super::short;
use crate::commands::policy::Target;
use iova_core::policy::module::{Effective, State};
use std::time::Duration;

/// "00:04.0 nvme0n1".
pub(super) fn title(device: &Target) -> String {
    match super::role(&device.functions, device.driver.as_deref()).as_str() {
        "-" => short(&device.bdf).to_owned(),
        role => format!("{} {role}", short(&device.bdf)),
    }
}

/// What the module reads back, as in sysfs.
fn effective(effective: Effective) -> String {
    match effective {
        Effective::SacFirst(bits) => format!("sac-first {bits}"),
        Effective::FullRange(bits) => format!("full-range {bits}"),
        Effective::Low(bits) => format!("low {bits}"),
        Effective::Unknown => "-".to_owned(),
    }
}

fn state(state: &State) -> String {
    match state {
        State::Leased { left_ms } => format!("leased {}", clock(Duration::from_millis(*left_ms))),
        other => other.name().to_owned(),
    }
}

/// "1:05" for a minute and five seconds, "1:00:00" for an hour.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}
