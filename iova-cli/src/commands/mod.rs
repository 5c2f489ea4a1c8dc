//! The commands, one file each.

pub(crate) mod advise;
#[cfg(feature = "bpf-log")]
mod bpf_log;
mod calls;
pub(crate) mod compat;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod export;
mod gate;
mod generate;
pub(crate) mod live;
pub(crate) mod policy;
mod record;
mod replay;
mod report;
#[cfg(feature = "parquet")]
mod table;
mod top;
mod trace;
pub(crate) mod verify;

pub(crate) use live::select;

use crate::args::{Args, Command};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::term::Term;

/// Runs what the command line asks for and says on standard error what went wrong.
pub(crate) fn run(args: &Args) -> Exit {
    let term = Term::detect(args.ascii, args.color);
    #[cfg(feature = "bpf-log")]
    bpf_log::want(args.bpf_log);
    let result = match &args.command {
        Command::Doctor(options) => doctor::run(options, term),
        Command::Devices(options) => devices::run(options, term),
        Command::Report(options) => report::run(options, term),
        Command::Record(options) => record::run(options, term),
        Command::Replay(options) => replay::run(options, term),
        Command::Top(options) => top::run(options, term),
        Command::Advise(options) => advise::run(options, term),
        Command::Gate(options) => gate::run(options, term),
        Command::Export(options) => export::run(options),
        Command::Compat(options) => compat::run(options, term),
        Command::Verify(options) => verify::run(options, term),
        Command::Generate(options) => generate::run(options),
        Command::Policy(options) => policy::run(options, term, Term::detect_errors(args.ascii, args.color)),
    };
    result.unwrap_or_else(|Stop { exit, message }| {
        output::complain(&message);
        exit
    })
}
