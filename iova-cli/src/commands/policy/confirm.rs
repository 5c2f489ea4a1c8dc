//! `iova policy confirm`: a yes from another terminal.

use super::changes::{self, Change};
use super::door::{self, Question};
use super::host::Host;
use crate::args::Format;
use crate::args::policy::ConfirmArgs;
use crate::exit::{Exit, Stop};
use crate::term::Term;
use std::path::Path;

pub(super) fn run(args: &ConfirmArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let device = host.one(&args.device)?;
    let question = Question { reason: args.reason.text.clone() };
    let answer = door::ask(Path::new(door::PLACE), &device.bdf, &question).map_err(|error| {
        Stop::unusable(format!(
            "the trial of {} can't be asked ({error}): confirm as the user who tries it, or as root (sudo iova …)",
            device.bdf
        ))
    })?;
    let Some(answer) = answer else {
        return Err(Stop::no(format!(
            "no `iova policy try` is running for {}: what it changed has been taken back; start it again",
            device.bdf
        )));
    };
    let text = format!("{}: {}", answer.policy, answer.text);
    let change = Change { done: answer.accepted, ..Change::of(&host, device, text) };
    changes::print("iova.policy.confirm", vec![change], format, term)
}
