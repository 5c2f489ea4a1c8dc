//! A process with less: fewer mounts, other files, fewer capabilities. Nobody else notices.

use std::ffi::CString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;

/// One change to the file systems that a command sees.
enum Step {
    Unmount(CString),
    Bind(CString, CString),
}

/// Changes to what a command sees.
#[derive(Default)]
pub(super) struct View(Vec<Step>);

impl View {
    /// Without what is mounted here.
    pub(super) fn without(mut self, path: &str) -> Result<Self> {
        self.0.push(Step::Unmount(CString::new(path)?));
        Ok(self)
    }

    /// With this file or directory in place of that.
    pub(super) fn with(mut self, file: &str, at: &str) -> Result<Self> {
        self.0.push(Step::Bind(CString::new(file)?, CString::new(at)?));
        Ok(self)
    }

    /// Makes it the view of `command`, in a mount namespace of its own.
    pub(super) fn of(self, mut command: Command) -> Command {
        // SAFETY: between fork and exec only system calls are made; all strings were made before.
        unsafe {
            command.pre_exec(move || {
                check(libc::unshare(libc::CLONE_NEWNS))?;
                let private = libc::MS_REC | libc::MS_PRIVATE;
                let none = std::ptr::null();
                check(libc::mount(none, c"/".as_ptr(), none, private, none.cast()))?;
                self.0.iter().try_for_each(apply)
            });
        }
        command
    }
}

fn apply(step: &Step) -> io::Result<()> {
    // SAFETY: all strings are NUL-terminated and outlive the calls.
    check(unsafe {
        match step {
            Step::Unmount(path) => libc::umount2(path.as_ptr(), libc::MNT_DETACH),
            Step::Bind(file, at) => {
                let none = std::ptr::null();
                libc::mount(file.as_ptr(), at.as_ptr(), none, libc::MS_BIND, none.cast())
            }
        }
    })
}

/// Takes capabilities away for good, from root too.
pub(super) fn without_capabilities(mut command: Command, capabilities: &'static [libc::c_ulong]) -> Command {
    // SAFETY: prctl is async-signal-safe and gets no pointers.
    unsafe {
        command.pre_exec(move || {
            capabilities
                .iter()
                .try_for_each(|&capability| check(libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0)))
        });
    }
    command
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
