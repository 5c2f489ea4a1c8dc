//! `iova report --compat`: what this host can tell about its devices' widths, and nothing else about it.

use super::announce;
use crate::args::ReportArgs;
use crate::commands::live::Live;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::{self, Plan, Source as _, Until};
use iova_core::compat::report::{ReportId, Sources};
use iova_core::kernel::Root;
use iova_core::policy::StateDir;
use iova_core::policy::history::History;
use iova_core::policy::verify::journals;
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

pub(super) fn run(args: &ReportArgs, until: Until) -> Result<Exit, Stop> {
    if let Some(path) = &args.output {
        possible(path, args.yes)?;
    }
    let (root, state) = (Root::default(), StateDir::default());
    let id = ReportId::of_host(&state, &root).map_err(Stop::unusable)?;
    let journals = journals(&state).map_err(Stop::unusable)?;
    let history = History::at(state).read().map_err(Stop::unusable)?.entries;
    announce(&until);
    let mut live = Live::new()?;
    let plan = Plan { until, profile: args.profile, devices: args.devices.clone() };
    let measured = session::measure(&mut live, &plan)?;
    let inventory = live.inventory();
    let sources = Sources {
        root: &root,
        inventory: &inventory,
        measured: &measured,
        journals: &journals,
        history: &history,
    };
    let report = sources.report(id, args.product).map_err(Stop::unusable)?;
    let text = report.to_text().map_err(Stop::internal)?;
    output::print(&text)?;
    match &args.output {
        None => {
            output::complain("this is all that a report would hold; nothing was sent, and no file written")
        }
        Some(path) if args.yes || agreed(path) => write(path, &text)?,
        Some(_) => output::complain("nothing was written"),
    }
    Ok(Exit::Done)
}

/// What can be known before the measurement.
fn possible(path: &Path, yes: bool) -> Result<(), Stop> {
    if path.symlink_metadata().is_ok() {
        return Err(there(path));
    }
    if !yes && !io::stdin().is_terminal() {
        return Err(Stop::unusable(
            "--output writes a report after a question, and there is no terminal to ask on: look at the report without \
             --output first, then say --yes",
        ));
    }
    Ok(())
}

fn there(path: &Path) -> Stop {
    Stop::unusable(format!("--output {}: there is something of that name; choose another", path.display()))
}

fn agreed(path: &Path) -> bool {
    let question = format!("Write exactly this to {}? Nothing is sent. [y/N] ", path.display());
    let _ = io::stderr().lock().write_all(crate::render::clean(&question, true).as_bytes());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// A new file; what somebody else has put there meanwhile stays as it is.
fn write(path: &Path, text: &str) -> Result<(), Stop> {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let written = made.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => {
            output::complain(&format!("written to {}; nothing was sent", path.display()));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(there(path)),
        Err(error) => Err(Stop::unusable(format!(
            "--output {}: it can't be written ({error}): choose another place",
            path.display()
        ))),
    }
}
