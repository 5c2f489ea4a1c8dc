//! `iova compat merge`.

use crate::args::compat::MergeArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::compat::merge::{Merged, Proposal};
use iova_core::compat::report::{CompatReport, MAX_BYTES};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub(super) fn run(args: &MergeArgs, term: Term) -> Result<Exit, Stop> {
    let list = super::list(args.list.as_deref())?;
    let reports = read(&args.files)?;
    let merged = Merged::new(&reports, &list).map_err(|complaints| {
        let first = complaints.first().map(ToString::to_string).unwrap_or_default();
        Stop::internal(format!("a proposal that the linter refuses: {first}"))
    })?;
    if let Some(dir) = &args.out {
        write(dir, &merged)?;
    }
    output::print(&renderer(args.format, term).merged(&merged)?)?;
    Ok(Exit::Done)
}

/// All of them, or a sentence for each that is none.
fn read(files: &[PathBuf]) -> Result<Vec<CompatReport>, Stop> {
    let mut reports = Vec::new();
    let mut complaints = Vec::new();
    for path in files {
        match one(path) {
            Ok(report) => reports.push(report),
            Err(why) => complaints.push(format!("{}: {why}", path.display())),
        }
    }
    let Some(last) = complaints.pop() else { return Ok(reports) };
    complaints.iter().for_each(|complaint| output::complain(complaint));
    Err(Stop::unusable(last))
}

fn one(path: &Path) -> Result<CompatReport, String> {
    let unreadable = |error| format!("it can't be read ({error}): give files of `iova report --compat`");
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    CompatReport::parse(&bytes).map_err(|error| error.to_string())
}

/// All files or none: what is there already and says something else is never written over.
fn write(dir: &Path, merged: &Merged) -> Result<(), Stop> {
    let trouble = |error: std::io::Error| {
        Stop::unusable(format!(
            "--out {}: it can't be written to ({error}): choose another directory",
            dir.display()
        ))
    };
    fs::create_dir_all(dir).map_err(trouble)?;
    let differs = |proposal: &&Proposal| {
        let path = dir.join(&proposal.file);
        path.symlink_metadata().is_ok() && fs::read(&path).ok().as_deref() != Some(proposal.toml.as_bytes())
    };
    if let Some(proposal) = merged.proposals().find(differs) {
        return Err(Stop::unusable(format!(
            "--out {}: {} is there already and says something else; choose an empty directory",
            dir.display(),
            proposal.file
        )));
    }
    for proposal in merged.proposals() {
        fs::write(dir.join(&proposal.file), &proposal.toml).map_err(trouble)?;
    }
    Ok(())
}
