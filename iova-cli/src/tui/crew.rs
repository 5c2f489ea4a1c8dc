//! Who carries wishes out: other processes of this program. A trial has a process of its own, because what protects data
//! must not wait for a screen; it ends with its input, however this process ends.

use super::News;
use super::desk::{Answer, Plan, Wish};
use super::export::{self, Kind};
use super::past::Recording;
use super::source::Order;
use crate::commands::policy::{Summary, Told};
use crate::signals;
use iova_core::model::Report;
use serde::Deserialize;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;

/// What the history says about a change made here.
const REASON: &str = "iova top";
/// What is read of a process's complaints.
const COMPLAINT: u64 = 16 << 10;

pub(super) struct Crew {
    tell: Sender<News>,
    /// To the source.
    orders: Sender<Order>,
    unicode: bool,
    /// Those that are watched, as the user named them; empty for all.
    devices: Vec<String>,
    /// What is to become of the last minutes, which are on their way.
    kind: Kind,
    /// The trial's input: its end is a no.
    trial: Option<ChildStdin>,
}

impl Crew {
    pub(super) fn new(tell: Sender<News>, orders: Sender<Order>, unicode: bool, devices: &[String]) -> Self {
        Self { tell, orders, unicode, devices: devices.to_vec(), kind: Kind::Text, trial: None }
    }

    /// Asks for the last minutes, to write this.
    pub(super) fn want(&mut self, kind: Kind) {
        self.kind = kind;
        let _ = self.orders.send(kind.order());
    }

    /// Writes it; not here, because the disk may be the device in trouble.
    pub(super) fn write_report(&self, report: Box<Report>) {
        let (kind, unicode) = (self.kind, self.unicode);
        self.ask(move || Answer::Written(export::report(&report, kind, unicode)));
    }

    pub(super) fn write_recording(&self, recording: Recording) {
        let (kind, devices) = (self.kind, self.devices.clone());
        self.ask(move || Answer::Written(export::recording(&recording, kind, &devices)));
    }

    pub(super) fn carry_out(&mut self, wish: Wish) {
        match wish {
            Wish::Explain { bdf, policy } => self.ask(move || {
                let plan = explain(&bdf, &policy);
                Answer::Explained { bdf, policy, plan }
            }),
            Wish::Revert { bdf } => self.ask(move || Answer::Reverted(revert(&bdf))),
            Wish::Try { bdf, policy } => {
                if let Err(error) = self.start(&bdf, &policy) {
                    self.say(Answer::NoTrial(format!("no trial can be started: {error}")));
                }
            }
            Wish::Answer(yes) => self.answer(yes),
        }
    }

    /// Lets a running trial go, which takes its policy back.
    pub(super) fn dismiss(&mut self) {
        self.trial = None;
    }

    fn say(&self, answer: Answer) {
        let _ = self.tell.send(News::Answer(answer));
    }

    fn ask(&self, question: impl FnOnce() -> Answer + Send + 'static) {
        let tell = self.tell.clone();
        std::thread::spawn(move || {
            let _ = tell.send(News::Answer(question()));
        });
    }

    fn start(&mut self, bdf: &str, policy: &str) -> io::Result<()> {
        let arguments = ["policy", "try", bdf, policy, "--flush", "--attended", "--reason", REASON];
        let mut child = program(&arguments).stdin(Stdio::piped()).spawn()?;
        self.trial = child.stdin.take();
        let tell = self.tell.clone();
        std::thread::spawn(move || follow(child, &tell));
        Ok(())
    }

    fn answer(&mut self, yes: bool) {
        let word: &[u8] = if yes { b"y\n" } else { b"n\n" };
        let told = self.trial.as_mut().is_some_and(|trial| trial.write_all(word).is_ok());
        if !told {
            self.say(Answer::NoTrial("the trial is over already: see iova policy log".to_owned()));
        }
    }
}

/// This program, with what it says on pipes. It shall not inherit the signals that are blocked here.
pub(super) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: it is async-signal-safe.
    unsafe { command.pre_exec(signals::unblock_all) };
    command
}

fn explain(bdf: &str, policy: &str) -> Result<Plan, String> {
    document(&["policy", "--format", "json", "explain", "--flush", bdf, policy])
}

fn revert(bdf: &str) -> String {
    #[derive(Deserialize)]
    struct Changes {
        changes: Vec<Change>,
    }
    #[derive(Deserialize)]
    struct Change {
        done: bool,
        text: String,
    }
    let made = document::<Changes>(&["policy", "--format", "json", "revert", bdf, "--reason", REASON]);
    let one = |change: Change| {
        if change.done { format!("{bdf} is back to stock: {}", change.text) } else { change.text }
    };
    let sentences = made.map(|made| made.changes.into_iter().map(one).collect::<Vec<_>>());
    sentences.map_or_else(|why| why, |sentences| sentences.join("; "))
}

/// What a command prints, or its complaint.
fn document<T: for<'a> Deserialize<'a>>(arguments: &[&str]) -> Result<T, String> {
    let output = program(arguments).output().map_err(|error| format!("it can't be asked: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| complaint(&output.stderr))
}

/// The last line of what was said on standard error, without the name in front.
pub(super) fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a word");
    line.strip_prefix("iova: ").unwrap_or(line).to_owned()
}

/// Hands over what the trial tells, to its end.
fn follow(mut child: Child, tell: &Sender<News>) {
    let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
    let mut over = false;
    for line in lines.map_while(Result::ok) {
        let Ok(told) = serde_json::from_str::<Told<Box<Summary>>>(&line) else { continue };
        over |= matches!(told, Told::Over { .. });
        let _ = tell.send(News::Answer(Answer::Trial(told)));
    }
    let mut stderr = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        let _ = pipe.take(COMPLAINT).read_to_end(&mut stderr);
    }
    let _ = child.wait();
    if !over {
        let _ = tell.send(News::Answer(Answer::NoTrial(complaint(&stderr))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_the_last_line() {
        assert_eq!(complaint(b"iova: one\niova: 0000:00:04.0: two\n\n"), "0000:00:04.0: two");
        assert_eq!(complaint(b""), "it ended without a word");
    }
}
