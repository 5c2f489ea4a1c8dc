//! `--out DIR`: files to install, and what to do with them.

use crate::exit::Stop;
use crate::render::clean;
use iova_core::advise::place::Places;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// Beside the files, what to do with them.
pub(super) const INSTALL: &str = "INSTALL";

/// Makes the new directory that everything goes into.
pub(super) fn directory(path: &Path) -> Result<(), Stop> {
    fs::create_dir(path).map_err(|error| cannot(path, &error))
}

/// Writes the files into a directory, and what to do with them.
pub(super) fn places(directory: &Path, places: &Places) -> Result<(), Stop> {
    let install = (INSTALL.to_owned(), instructions(places));
    let files = places.files.iter().map(|file| (file.path.clone(), file.text.clone()));
    for (name, text) in files.chain([install]) {
        let path = directory.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())
        });
        made.map_err(|error| cannot(&path, &error))?;
    }
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> Stop {
    match error.kind() {
        ErrorKind::AlreadyExists => Stop::unusable(format!(
            "{} is there already: name another directory, or remove it",
            path.display()
        )),
        _ => Stop::unusable(format!("{} can't be written: {error}", path.display())),
    }
}

fn instructions(places: &Places) -> String {
    let mut text = String::from("What iova advise advises. Nothing of it is in force yet.\n");
    // Names of hosts may come from files of others.
    let mut list = |title: &str, lines: &mut dyn Iterator<Item = String>| {
        let lines: String = lines.map(|line| format!("  {}\n", clean(&line, true))).collect();
        if !lines.is_empty() {
            let _ = write!(text, "\n{title}\n{lines}");
        }
    };
    list("Copy:", &mut places.files.iter().map(|file| format!("cp {0} /{0}", file.path)));
    list("Then, as root:", &mut places.install.iter().cloned());
    list("To take it back:", &mut places.remove.iter().cloned());
    if places == &Places::default() {
        text.push_str("\nThere is nothing to install.\n");
    }
    text
}
