//! The files that advice is made from.

use crate::args::advise::AdviseArgs;
use crate::commands::replay;
use crate::exit::Stop;
use crate::session::Played;
use iova_core::advise::evidence::{Evidence, What};
use iova_core::model::Report;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// One document: a report of 200 devices is about 1 MiB.
const DOCUMENT: u64 = 8 << 20;

/// A recording, or any JSON that counts as evidence.
fn one(path: &Path) -> Result<Evidence, Stop> {
    let name = path.display().to_string();
    if Played::is_recording(path) {
        return Ok(Evidence::measured(replay::report(path)?, &name));
    }
    let cannot = |why: String| Stop::unusable(format!("{name} cannot be used: {why}"));
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(DOCUMENT + 1).read_to_end(&mut bytes));
    read.map_err(|error| cannot(error.to_string()))?;
    if bytes.len() as u64 > DOCUMENT {
        return Err(cannot(format!("it is larger than {} MiB", DOCUMENT >> 20)));
    }
    Evidence::parse(&bytes, &name).map_err(cannot)
}

/// All of them, with what is known about devices that were verified.
pub(super) fn evidence(args: &AdviseArgs) -> Result<Vec<Evidence>, Stop> {
    let mut list = args.files.iter().map(|path| one(path)).collect::<Result<Vec<_>, _>>()?;
    for known in &args.known {
        let name = known.file.display().to_string();
        let of = list.iter_mut().find(|evidence| evidence.source == name);
        match of.map(|evidence| &mut evidence.what) {
            Some(What::Verification(verification)) => verification.known_bits = Some(known.bits),
            Some(_) => return Err(Stop::unusable(format!("--known: {name} is not what iova verify wrote"))),
            None => {
                return Err(Stop::unusable(format!(
                    "--known: {name} is not among the files: give it there as well, spelled the same"
                )));
            }
        }
    }
    Ok(list)
}

/// A measurement of one host.
pub(super) fn report(path: &Path) -> Result<Report, Stop> {
    match one(path)?.what {
        What::Report(report) => Ok(*report),
        What::Compat(_) | What::Verification(_) => Err(Stop::unusable(format!(
            "{} says nothing about what to set on a host: give a recording, or the output of iova report --format json; or see \
             --for distro",
            path.display()
        ))),
    }
}
