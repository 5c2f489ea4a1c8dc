//! The project's only entry point for building, booting and testing: one command per file.

mod apt;
mod bench;
mod bpf;
mod build;
mod checks;
mod chroot;
mod cmd;
mod fsx;
mod kernels;
mod lab;
mod module;
mod paths;
mod pool;
mod setup;
mod steps;
mod test;
mod vm_suites;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const ENVIRONMENT: &str = "Environment:
  IOVA_CACHE           where downloads and chroots go (default: ~/.cache/iova-lab)
  IOVA_DEBIAN_MIRROR   instead of http://deb.debian.org
  IOVA_ABREAST         guests at once (default: three to two CPUs)";

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Build, boot and test iova", after_help = ENVIRONMENT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find or install everything the other commands need (they call it themselves for just their part)
    Setup {
        /// Look for newer kernels of each line too
        #[arg(long)]
        upgrade: bool,
    },
    /// Build the eBPF object and the static target/dist/iova
    Build(build::Args),
    /// Build a kernel module for some kernels, each in its own release's chroot
    Module {
        /// The directory with its Kbuild file
        source: PathBuf,
        /// For these kernels (default: all)
        #[arg(long, value_enum, value_name = "LINE")]
        kernel: Vec<kernels::Line>,
    },
    /// Boot a kernel with an emulated IOMMU and run a command in it
    Lab(lab::Args),
    /// Measure what tracing adds to a map+unmap pair, in exact instructions, and compare with the baseline
    Bench(bench::Args),
    /// Run every test: on the host, then in virtual machines
    Test(test::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup { upgrade } => setup::run(upgrade).map(|()| ExitCode::SUCCESS),
        Command::Build(args) => build::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Module { source, kernel } => module::run(&source, &kernel).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Lab(args) => lab::run(&args),
        Command::Test(args) => test::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

/// Progress goes to stderr: stdout belongs to what a command was asked for.
fn say(text: impl std::fmt::Display) {
    eprintln!("xtask: {text}");
}
