//! What a trial shows while it runs: on standard error, so that the summary alone is on standard output; or to a program.

use super::meter::Phase;
use super::told::{self, Told};
use crate::args::Format;
use crate::args::policy::TryArgs;
use crate::poll::{self, For};
use crate::render::{Text, clean};
use crate::term::Term;
use iova_core::inventory::Device;
use iova_core::policy::Policy;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The trial at one moment.
pub(crate) struct View<'a> {
    pub(crate) policy: Policy,
    pub(crate) device: &'a Device,
    pub(crate) elapsed: Duration,
    pub(crate) left: Option<Duration>,
    pub(crate) flushes: Option<u32>,
    pub(crate) before: &'a Phase,
    pub(crate) after: &'a Phase,
    pub(crate) last: &'a Phase,
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// Somebody at a terminal: redrawn in place.
    Terminal,
    /// A log: a line per second.
    Log,
    /// A program that reads the summary as JSON is told what happens, not how it goes on.
    Summary,
    /// A program that shows everything itself.
    Program,
}

/// Standard error, or the program.
pub(super) struct Screen {
    text: Text,
    term: Term,
    audience: Audience,
    /// Lines to go up for the next redraw.
    drawn: usize,
}

impl Screen {
    /// `term` is that of standard error.
    pub(super) fn new(args: &TryArgs, format: Format, term: Term) -> Self {
        // The command's own output would be overwritten.
        let terminal = io::stderr().is_terminal() && args.command.is_empty();
        let audience = match format {
            _ if args.attended => Audience::Program,
            Format::Json => Audience::Summary,
            Format::Text if terminal => Audience::Terminal,
            Format::Text => Audience::Log,
        };
        Self { text: Text::new(term), term, audience, drawn: 0 }
    }

    /// One sentence.
    pub(super) fn say(&mut self, sentence: &str) {
        if self.audience == Audience::Program {
            return tell(&Told::Said { text: sentence.to_owned() });
        }
        put(&mut io::stderr().lock(), &format!("iova: {}\n", clean(sentence, self.term.unicode)));
        self.drawn = 0;
    }

    /// The question, with the cursor behind it.
    pub(super) fn ask(&mut self, policy: Policy, bdf: &str, left: Duration) {
        let text = told::question(policy, bdf);
        if self.audience == Audience::Program {
            return tell(&Told::Question { text, left_s: left.as_secs() });
        }
        put(&mut io::stderr().lock(), &clean(&format!("{text} [y/N] "), self.term.unicode));
        self.drawn = 0;
    }

    /// The figures now.
    pub(super) fn show(&mut self, view: &View<'_>) {
        let page = match self.audience {
            Audience::Summary => return,
            Audience::Program => return tell(&Told::Figures(Box::new(view.into()))),
            Audience::Log => self.text.trial_line(view),
            Audience::Terminal => self.text.trial_view(view),
        };
        let up = match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        };
        put(&mut io::stderr().lock(), &format!("{up}{page}"));
        self.drawn = if self.audience == Audience::Terminal { page.lines().count() } else { 0 };
    }
}

/// A line for the program.
fn tell(told: &Told<()>) {
    if let Ok(mut line) = serde_json::to_string(told) {
        line.push('\n');
        put(&mut io::stdout().lock(), &line);
    }
}

/// Nobody can be told if that fails; that the terminal is gone is told by other ways. A terminal that is stopped (Ctrl-S),
/// or a program that hangs, must not keep the trial from seeing a fault.
fn put(stream: &mut (impl Write + AsFd), text: &str) {
    let ready = poll::wait(&[(stream.as_fd(), For::Writing)], Instant::now());
    if ready.is_ok_and(|ready| ready.contains(&true)) {
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.flush();
    }
}
