//! The command line of `iova generate`.

use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Manual pages and completions say what --help says: they are made of the same
source, by the binary that they are about.

Examples:
  iova generate man | man -l -                       read the page of iova
  iova generate man --out /usr/local/share/man/man1  a page for each command
  iova generate bash --out /usr/share/bash-completion/completions
  iova generate zsh --out /usr/local/share/zsh/site-functions
  iova generate fish --out ~/.config/fish/completions

Exit codes: 0 done, 2 wrong usage or an output that can't be written, 3 an
internal error.";

/// `iova generate`.
#[derive(Debug, ClapArgs)]
pub(crate) struct GenerateArgs {
    /// What to make.
    pub(crate) what: What,
    /// Write into this directory, under the usual names; manual pages of all commands.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Manual pages: iova.1, iova-report.1 and so on.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
}
