//! Rows of boots. One shows what persisted policies do: one state disk, and a machine that comes up or does not; then udev applies
//! the compatibility list. The other applies the files that `iova advise` wrote.

use std::sync::Arc;

use anyhow::Result;

use super::goes_on;
use super::matrix::{Configuration, Variant};
use super::tally::Tally;
use crate::kernels::Line;
use crate::lab::{self, GuestSpec, Io, Programs};
use crate::say;

/// As `tests/guest/src/boot` has them. Each depends on what those before it left on the state disk.
const DIES: [&str; 7] = ["first", "restored", "dies-1", "dies-2", "skipped", "forgotten", "capped"];
/// The same as far as nothing goes wrong.
const PERSISTED: [&str; 2] = ["first", "restored"];
/// Unmaps are synchronous, so that there is something to advise.
const ADVISED: [&str; 3] = ["measured", "advised", "fleet"];

/// What the disk is to be advised in those boots: from 6.2 on the kernel limits its requests by itself.
fn advice(line: Line) -> &'static str {
    if line == Line::V6_1 { "iova.advice=lazy-unmap,small-requests" } else { "iova.advice=lazy-unmap" }
}

/// The module's directory.
pub(super) const MODULE: &str = "iova-kmod";

/// Runs the row up to the first boot that fails a test, and adds what the guests said to `text`.
pub(super) fn run(
    configuration: Configuration,
    programs: &Programs,
    io: Io,
    text: &mut String,
) -> Result<Tally> {
    let name = configuration.to_string();
    let image = lab::Image::systemd(configuration.line, programs, &[MODULE])?;
    let state = Arc::new(lab::state_disk(64, None)?);
    let mut total = Tally::default();
    let strict = configuration.variant == Variant::BootAdvice;
    let row = match configuration.variant {
        Variant::BootAdvice => &ADVISED[..],
        Variant::BootDies => &DIES,
        _ => &PERSISTED,
    };
    for boot in row {
        let mut spec = GuestSpec { io, state: Some(Arc::clone(&state)), ..configuration.guest(Vec::new()) };
        spec.strict = strict;
        spec.append.extend(["systemd.condition-needs-update=0".into(), format!("iova.boot={boot}")]);
        spec.append.push(advice(configuration.line).into());
        let result = image.boot(&spec)?;
        let (up, off) = (result.boot().as_secs_f32(), result.spent.wall.as_secs_f32());
        say(format_args!("{name}: {boot}: tests after {up:.1} s, off after {off:.1} s"));
        if !goes_on(&name, &result, io, text, &mut total) {
            break;
        }
    }
    Ok(total)
}
