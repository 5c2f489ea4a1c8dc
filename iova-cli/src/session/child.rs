//! The measured command.

use crate::exit::Stop;
use crate::signals::unblock_all;
use iova_core::model::Command;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, ExitStatus};

/// A running command.
pub(crate) struct Child {
    argv: Vec<String>,
    child: process::Child,
    status: Option<ExitStatus>,
}

impl Child {
    pub(crate) fn spawn(argv: &[String]) -> Result<Self, Stop> {
        let [program, args @ ..] = argv else { return Err(Stop::unusable("there is no command after --")) };
        let mut command = process::Command::new(program);
        // The report alone is on standard output, so that it can be parsed.
        command.args(args).stdout(std::io::stderr());
        // SAFETY: unblock_all only makes async-signal-safe calls.
        unsafe { command.pre_exec(unblock_all) };
        let child =
            command.spawn().map_err(|error| Stop::unusable(format!("cannot run '{program}': {error}")))?;
        Ok(Self { argv: argv.to_vec(), child, status: None })
    }

    /// True once it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        if self.status.is_none() {
            // An error here means that there is nothing to wait for.
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status.is_some()
    }

    /// True if it has ended with exit code 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Passes a signal on.
    pub(crate) fn signal(&self, signal: i32) {
        let Ok(pid) = libc::pid_t::try_from(self.child.id()) else { return };
        if self.status.is_none() {
            // SAFETY: kill has no memory effects; the child is not reaped yet, so the id is still its own.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// What the report says about it.
    pub(crate) fn into_command(self) -> Command {
        let status = self.status;
        Command {
            argv: self.argv,
            exit_code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
        }
    }
}
