//! Exit codes, and how a command ends early.

use std::fmt;
use std::process::ExitCode;

/// Every exit code of `iova`; documented in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, nothing wrong.
    Done = 0,
    /// Done, and the answer is "no".
    No = 1,
    /// Wrong usage, or a host that cannot be measured.
    Unusable = 2,
    /// A fault of this program.
    Internal = 3,
    /// Measured, and it can't be said whether it is worse: `iova gate`.
    CannotJudge = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that cannot go on: one sentence for the user, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Stop {
    /// The user or the host has to change something.
    pub(crate) fn unusable(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Unusable, message: message.to_string() }
    }

    /// The answer is "no".
    pub(crate) fn no(message: impl fmt::Display) -> Self {
        Self { exit: Exit::No, message: message.to_string() }
    }

    /// This should not happen.
    pub(crate) fn internal(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Internal, message: message.to_string() }
    }
}
