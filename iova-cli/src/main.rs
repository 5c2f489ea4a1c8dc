//! `iova`: see what the Linux IOVA allocator does to each device.

mod args;
mod commands;
mod duration;
mod exit;
mod output;
mod poll;
mod render;
mod session;
mod signals;
mod term;
mod tui;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(&args::Args::parse()).into()
}
