//! The row of boots that shows what persisted policies do: one state disk, and a machine that comes up or does not.

use std::sync::Arc;

use anyhow::Result;

use super::matrix::Configuration;
use super::{Tally, judge, quote};
use crate::lab::{self, GuestSpec, Io, Programs};
use crate::say;

/// As `tests/guest/src/boot` has them. Each depends on what those before it left on the state disk.
const BOOTS: [&str; 6] = ["first", "restored", "dies-1", "dies-2", "skipped", "forgotten"];

/// Runs the row up to the first boot that fails a test, and adds what the guests said to `text`.
pub(super) fn run(
    configuration: Configuration,
    programs: &Programs,
    io: Io,
    text: &mut String,
) -> Result<Tally> {
    let name = configuration.to_string();
    let image = lab::Image::systemd(configuration.line, programs)?;
    let state = Arc::new(lab::state_disk()?);
    let mut total = Tally::default();
    for boot in BOOTS {
        let mut spec = GuestSpec { io, state: Some(Arc::clone(&state)), ..configuration.guest(Vec::new()) };
        // A trial attaches tracers while the disk is busy.
        spec.parallel &= boot != BOOTS[0];
        spec.append.extend(["systemd.condition-needs-update=0".into(), format!("iova.boot={boot}")]);
        let result = image.boot(&spec)?;
        let (up, off) = (result.boot.as_secs_f32(), result.total.as_secs_f32());
        say(format_args!("{name}: {boot}: tests after {up:.1} s, off after {off:.1} s"));
        quote(&result, io, text);
        total.add(judge(&name, &result, text));
        if !total.failed.is_empty() {
            break;
        }
    }
    Ok(total)
}
