//! Everything of `iova` but its `main`.

mod args;
mod commands;
mod duration;
mod exit;
mod output;
mod poll;
mod render;
mod session;
mod signals;
mod size;
mod term;
mod tui;

use clap::Parser;
use std::process::ExitCode;

#[cfg(feature = "bench")]
#[doc(hidden)]
pub use tui::bench::main as bench_top;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    commands::run(&args::Args::parse()).into()
}
