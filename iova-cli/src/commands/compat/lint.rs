//! `iova compat lint`.

use crate::args::compat::LintArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use iova_core::compat::{LOCAL_DIR, lint_paths};
use std::path::Path;

pub(super) fn run(args: &LintArgs) -> Result<Exit, Stop> {
    let local = [Path::new("/").join(LOCAL_DIR)];
    let paths = match args.paths.as_slice() {
        [] if !local.iter().all(|dir| dir.is_dir()) => {
            return Err(Stop::unusable(format!("there is no /{LOCAL_DIR}: name the records to look at")));
        }
        [] => &local[..],
        paths => paths,
    };
    match lint_paths(paths) {
        Ok(records) => {
            output::print(&format!("{} {}, no complaint\n", records.len(), plural(records.len())))?;
            Ok(Exit::Done)
        }
        Err(complaints) => {
            let lines: String = complaints.iter().map(|complaint| format!("{complaint}\n")).collect();
            output::print(&lines)?;
            Ok(Exit::No)
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "record" } else { "records" }
}
