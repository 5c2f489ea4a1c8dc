//! `iova top`.

use crate::args::{Format, TopArgs};
use crate::exit::{Exit, Stop};
use crate::term::Term;
use crate::tui;
use std::io::IsTerminal as _;

pub(super) fn run(args: &TopArgs, term: Term) -> Result<Exit, Stop> {
    let plan = tui::Plan { interval: args.interval, profile: args.profile, devices: args.devices.clone() };
    if args.batch {
        return tui::batch(&plan, args.count, args.format, term);
    }
    if args.count.is_some() || args.format != Format::Text {
        return Err(Stop::unusable("--count and --format are for --batch: say that too"));
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Stop::unusable(
            "iova top needs a terminal for its input and output: use --batch, or iova report, without one",
        ));
    }
    tui::run(&plan, term)
}
