//! What a trial shows while it runs: on standard error, so that the summary alone is on standard output.

use super::meter::Phase;
use crate::args::Format;
use crate::poll::{self, For};
use crate::render::{Text, clean};
use crate::term::Term;
use iova_core::inventory::Device;
use iova_core::policy::Policy;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
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

/// Standard error.
pub(super) struct Screen {
    text: Text,
    term: Term,
    /// Redraws in place, else a line per second.
    redraws: bool,
    quiet: bool,
    /// Lines to go up for the next redraw.
    drawn: usize,
}

impl Screen {
    /// `term` is that of standard error. Programs that read JSON are told what happens, not how it goes on.
    pub(super) fn new(format: Format, term: Term, command_runs: bool) -> Self {
        Self {
            text: Text::new(term),
            term,
            // The command's own output would be overwritten.
            redraws: io::stderr().is_terminal() && !command_runs,
            quiet: format == Format::Json,
            drawn: 0,
        }
    }

    /// One sentence.
    pub(super) fn say(&mut self, sentence: &str) {
        self.put(&format!("iova: {}\n", clean(sentence, self.term.unicode)));
        self.drawn = 0;
    }

    /// A question, with the cursor behind it.
    pub(super) fn prompt(&mut self, question: &str) {
        self.put(&clean(question, self.term.unicode));
        self.drawn = 0;
    }

    /// The figures now.
    pub(super) fn show(&mut self, view: &View<'_>) {
        if self.quiet {
            return;
        }
        if !self.redraws {
            let line = self.text.trial_line(view);
            return self.put(&line);
        }
        let page = self.text.trial_view(view);
        let up = match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        };
        self.put(&format!("{up}{page}"));
        self.drawn = page.lines().count();
    }

    /// Nobody can be told if that fails; that the terminal is gone is told by other ways. A terminal that is stopped
    /// (Ctrl-S) or hangs must not keep the trial from seeing a fault.
    fn put(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let ready = poll::wait(&[(stderr.as_fd(), For::Writing)], Instant::now());
        if ready.is_ok_and(|ready| ready.contains(&true)) {
            let _ = stderr.write_all(text.as_bytes());
        }
    }
}
