//! `iova top`.

use crate::args::record::ReplayTopArgs;
use crate::args::{Format, TopArgs};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::Piece;
use crate::term::Term;
use crate::tui::config::{self, Config};
use crate::tui::{self, Feed, LiveFeed, Origin, Palette, Player};
use std::io::IsTerminal as _;

pub(super) fn run(args: &TopArgs, term: Term) -> Result<Exit, Stop> {
    if args.write_config {
        let path = config::write(args.config.as_deref())?;
        output::print(&format!("{} is written: take a # away to change what is usual\n", path.display()))?;
        return Ok(Exit::Done);
    }
    // Before anything touches the kernel.
    let config = config::read(args.config.as_deref())?;
    let term = Term { unicode: term.unicode && !config.ascii, ..term };
    let plan = plan(args, config, term);
    if args.batch {
        return tui::batch(&plan, args.count, args.format, term, live);
    }
    needs_terminal(args.count, args.format)?;
    tui::run(&plan, term, live)
}

fn live(plan: &tui::Plan) -> Result<Box<dyn Feed>, Stop> {
    LiveFeed::start(plan).map(|feed| Box::new(feed) as Box<dyn Feed>)
}

/// `iova replay FILE top`.
pub(super) fn replay(piece: &Piece, args: &ReplayTopArgs, term: Term) -> Result<Exit, Stop> {
    let config = config::read(None)?;
    let term = Term { unicode: term.unicode && !config.ascii, ..term };
    let mut habits = config.habits;
    habits.palette = if term.color { habits.palette } else { Palette::Mono };
    let plan = tui::Plan {
        interval: config.interval,
        profile: config.profile,
        devices: args.devices.clone(),
        read_only: true,
        origin: Origin::Played,
        habits,
    };
    let speed = if args.batch { 0.0 } else { args.speed };
    let player = |plan: &tui::Plan| {
        Player::open(piece, speed, &plan.devices).map(|feed| Box::new(feed.keeping()) as Box<dyn Feed>)
    };
    if args.batch {
        return tui::batch(&plan, args.count, args.format, term, player);
    }
    needs_terminal(args.count, args.format)?;
    tui::run(&plan, term, player)
}

fn needs_terminal(count: Option<u64>, format: Format) -> Result<(), Stop> {
    if count.is_some() || format != Format::Text {
        return Err(Stop::unusable("--count and --format are for --batch: say that too"));
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Stop::unusable(
            "iova top needs a terminal for its input and output: use --batch, or iova report, without one",
        ));
    }
    Ok(())
}

/// The command line wins over the file.
fn plan(args: &TopArgs, config: Config, term: Term) -> tui::Plan {
    let mut habits = config.habits;
    habits.mouse = args.mouse.unwrap_or(habits.mouse);
    habits.palette = if term.color { args.theme.unwrap_or(habits.palette) } else { Palette::Mono };
    tui::Plan {
        interval: args.interval.unwrap_or(config.interval),
        profile: args.profile.unwrap_or(config.profile),
        devices: args.devices.clone(),
        read_only: args.read_only.unwrap_or(config.read_only),
        origin: Origin::Live,
        habits,
    }
}
