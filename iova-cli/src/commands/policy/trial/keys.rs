//! Where answers come from: the keyboard, by whole lines, because the terminal stays as it is; or a program.

use crate::poll::{self, For};
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// Standard input, where somebody may answer.
pub(super) struct Keys {
    stdin: io::Stdin,
    /// An answer counts without a question.
    pub(super) unasked: bool,
}

/// What came from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A line that is a yes.
    Yes,
    /// Any other line.
    Other,
    /// The end of the input, or of the terminal.
    Closed,
}

impl Keys {
    /// The terminal, if standard input is one, the question can be seen, and we are in the foreground: reading in the
    /// background would stop the process.
    pub(super) fn open() -> Option<Self> {
        let stdin = io::stdin();
        // SAFETY: both take no pointers.
        let foreground = unsafe { libc::tcgetpgrp(libc::STDIN_FILENO) == libc::getpgrp() };
        (stdin.is_terminal() && io::stderr().is_terminal() && foreground)
            .then_some(Self { stdin, unasked: false })
    }

    /// The program that attends, whatever its input is: when it dies, the input ends.
    pub(super) fn of_program() -> Self {
        Self { stdin: io::stdin(), unasked: true }
    }

    /// An answer is waiting, or the input has ended.
    pub(super) fn has_something(&self) -> bool {
        let ready = poll::wait(&[(self.as_fd(), For::Reading)], Instant::now());
        ready.is_ok_and(|ready| ready.contains(&true))
    }

    /// What was typed; to be called when the descriptor is readable.
    pub(super) fn read(&self) -> Key {
        let mut line = [0; 256];
        match self.stdin.lock().read(&mut line) {
            Ok(0) => Key::Closed,
            Ok(count) => Key::of(&line[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Key::Other,
            Err(_) => Key::Closed,
        }
    }
}

impl Key {
    /// Only a plain yes is a yes.
    fn of(line: &[u8]) -> Self {
        let word = line.trim_ascii();
        if word.eq_ignore_ascii_case(b"y") || word.eq_ignore_ascii_case(b"yes") {
            Self::Yes
        } else {
            Self::Other
        }
    }
}

impl AsFd for Keys {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_a_yes() {
        for yes in ["y\n", "Y\n", " yes \r\n", "YES\n"] {
            assert_eq!(Key::of(yes.as_bytes()), Key::Yes, "{yes:?}");
        }
        for other in ["\n", "n\n", "yeah\n", "y y\n", "", "yy\n"] {
            assert_eq!(Key::of(other.as_bytes()), Key::Other, "{other:?}");
        }
    }
}
