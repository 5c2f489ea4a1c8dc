//! `iova generate`: manual pages and completions, for those who package or install it.

mod man;
#[cfg(test)]
mod tests;

use crate::args::Args;
use crate::args::generate::{GenerateArgs, What};
use crate::exit::{Exit, Stop};
use crate::output;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::fs;
use std::path::Path;

/// Its name, and that of the file that has its completions.
const NAME: &str = "iova";

pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Stop> {
    let files = files(args.what)?;
    match (&args.out, files.first()) {
        (Some(dir), _) => write(dir, &files)?,
        (None, Some((_, text))) => output::print(text)?,
        (None, None) => {}
    }
    Ok(Exit::Done)
}

/// Names and texts, the most important first.
fn files(what: What) -> Result<Vec<(String, String)>, Stop> {
    let (shell, file) = match what {
        What::Man => return man::pages(Args::command()).map_err(Stop::internal),
        // As bash-completion and its like look for them.
        What::Bash => (Shell::Bash, NAME.to_owned()),
        What::Zsh => (Shell::Zsh, format!("_{NAME}")),
        What::Fish => (Shell::Fish, format!("{NAME}.fish")),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    Ok(vec![(file, String::from_utf8(script).map_err(Stop::internal)?)])
}

fn write(dir: &Path, files: &[(String, String)]) -> Result<(), Stop> {
    let failed = |what: &str, error| {
        Stop::unusable(format!("--out {}: {what} ({error}): choose another directory", dir.display()))
    };
    fs::create_dir_all(dir).map_err(|error| failed("it can't be made", error))?;
    for (name, text) in files {
        fs::write(dir.join(name), text)
            .map_err(|error| failed(&format!("{name} can't be written"), error))?;
    }
    Ok(())
}
