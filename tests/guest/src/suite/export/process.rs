//! The exporter's two processes, as /proc shows them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Process(pub(super) libc::pid_t);

impl Process {
    /// Its only child.
    pub(super) fn child(self) -> Result<Self> {
        let parent = self.0.to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // It may have ended meanwhile.
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            if field(&status, "PPid")? == parent {
                found.push(pid);
            }
        }
        ensure!(found.len() == 1, "beside the process that was started there are {found:?}, not one");
        found.first().map(|&pid| Self(pid)).context("no child")
    }

    pub(super) fn signal(self, signal: i32) {
        // SAFETY: no pointers.
        unsafe { libc::kill(self.0, signal) };
    }

    /// Waits for its end, after its parent has died and this process has got it: the exit code.
    pub(super) fn inherited_end(self) -> Result<i32> {
        let mut status = 0;
        // SAFETY: `status` is an int to write to.
        let reaped = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        ensure!(reaped == self.0, "waiting for {}: {}", self.0, std::io::Error::last_os_error());
        ensure!(libc::WIFEXITED(status), "{} ended with status {status:#x}", self.0);
        Ok(libc::WEXITSTATUS(status))
    }

    fn path(self, of: &str) -> PathBuf {
        format!("/proc/{}/{of}", self.0).into()
    }

    /// Of every thread: rights are those of a thread.
    pub(super) fn statuses(self) -> Result<Vec<String>> {
        let threads = fs::read_dir(self.path("task"))?;
        threads.map(|thread| Ok(fs::read_to_string(thread?.path().join("status"))?)).collect()
    }

    /// What its descriptors are, by number.
    pub(super) fn descriptors(self) -> Result<Vec<(u32, String)>> {
        let mut all = Vec::new();
        for file in fs::read_dir(self.path("fd"))?.flatten() {
            let number = file.file_name().to_str().and_then(|name| name.parse().ok());
            let Ok(to) = fs::read_link(file.path()) else { continue };
            all.push((number.context("a descriptor without a number")?, to.to_string_lossy().into_owned()));
        }
        Ok(all)
    }
}

/// Orphans of this process's children become its own.
pub(super) fn adopt_orphans() {
    // SAFETY: prctl gets no pointers.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// A line of a status.
pub(super) fn field<'a>(status: &'a str, name: &str) -> Result<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("no {name} in the status"))?.trim())
}
