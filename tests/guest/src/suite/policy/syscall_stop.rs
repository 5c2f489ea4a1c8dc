//! A process stopped at the entry of a system call: a moment that no signal hits twice.

use std::io;
use std::mem::{size_of, zeroed};
use std::ptr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::device::PATIENCE;

/// A child of this process whose main thread is about to make an ioctl.
pub(super) struct AtIoctl {
    pid: libc::pid_t,
}

impl AtIoctl {
    /// Lets the child go on until it enters an ioctl of this request.
    pub(super) fn stop(pid: libc::pid_t, request: u32) -> Result<Self> {
        trace(libc::PTRACE_SEIZE, pid, 0, libc::PTRACE_O_TRACESYSGOOD as usize).context("seizing")?;
        trace(libc::PTRACE_INTERRUPT, pid, 0, 0).context("interrupting")?;
        let begun = Instant::now();
        loop {
            let signal = stopped(pid)?;
            if signal == libc::SIGTRAP | 0x80 && enters(pid, request)? {
                return Ok(Self { pid });
            }
            ensure!(begun.elapsed() < PATIENCE, "process {pid} makes no such ioctl");
            // A trap is ours; any other signal is the child's.
            let passed = if signal & 0x7f == libc::SIGTRAP { 0 } else { signal as usize };
            trace(libc::PTRACE_SYSCALL, pid, 0, passed).context("going on")?;
        }
    }

    /// Lets the child make its call.
    pub(super) fn release(self) -> Result<()> {
        trace(libc::PTRACE_DETACH, self.pid, 0, 0).context("detaching")
    }
}

/// Waits for the child's next stop: the signal, with bit 7 for a system call.
fn stopped(pid: libc::pid_t) -> Result<i32> {
    let mut status = 0;
    // SAFETY: the pointer is valid for the call.
    let got = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
    ensure!(got == pid, "waiting for {pid}: {}", io::Error::last_os_error());
    ensure!(libc::WIFSTOPPED(status), "process {pid} has ended: {status:#x}");
    Ok(libc::WSTOPSIG(status))
}

/// True if the child is at the entry of an ioctl of this request.
fn enters(pid: libc::pid_t, request: u32) -> Result<bool> {
    // SAFETY: integers only.
    let mut call: libc::ptrace_syscall_info = unsafe { zeroed() };
    let place = ptr::from_mut(&mut call) as usize;
    trace(libc::PTRACE_GET_SYSCALL_INFO, pid, size_of::<libc::ptrace_syscall_info>(), place)
        .context("asking for the call")?;
    if call.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return Ok(false);
    }
    // SAFETY: the kernel has filled this member, as `op` says.
    let entry = unsafe { call.u.entry };
    Ok(entry.nr == libc::SYS_ioctl as u64 && entry.args[1] == u64::from(request))
}

fn trace(request: libc::c_uint, pid: libc::pid_t, addr: usize, data: usize) -> io::Result<()> {
    // SAFETY: both are numbers for these requests, but for the one that fills a struct of the caller's, of the size given.
    let result = unsafe { libc::ptrace(request, pid, addr, data) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
