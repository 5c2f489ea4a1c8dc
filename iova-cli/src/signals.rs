//! Waiting for what ends a measurement: time, a signal, the end of the measured command.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// What woke us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The time is over.
    Time,
    /// A signal that ends it: SIGINT, SIGTERM, in a trial also SIGHUP and SIGQUIT; `tty` if it came from the terminal, which tells the whole process group.
    Ended { signal: i32, tty: bool },
    /// A child changed its state.
    Child,
    /// SIGUSR1, where that is waited for: somebody asks for what there is.
    Asked,
}

/// SIGINT, SIGTERM and SIGCHLD, held back so that they can be waited for: no handler, no race.
///
/// To be made before any thread is started. They stay blocked until the process ends, so that the report is printed even
/// if somebody keeps pressing Ctrl-C.
#[derive(Clone)]
pub(crate) struct Signals {
    set: libc::sigset_t,
}

/// What a measurement waits for.
const MEASURING: &[i32] = &[libc::SIGINT, libc::SIGTERM, libc::SIGCHLD];
/// What a trial waits for: whatever may end it must take the policy back first.
const TRYING: &[i32] = &[libc::SIGINT, libc::SIGTERM, libc::SIGCHLD, libc::SIGHUP, libc::SIGQUIT];

/// What a recording waits for.
const RECORDING: &[i32] = &[libc::SIGINT, libc::SIGTERM, libc::SIGCHLD, libc::SIGHUP, libc::SIGUSR1];

impl Signals {
    pub(crate) fn block() -> io::Result<Self> {
        Self::hold(MEASURING)
    }

    /// The same for a trial: the loss of the terminal (SIGHUP) and Ctrl-\ too.
    pub(crate) fn block_for_trial() -> io::Result<Self> {
        Self::hold(TRYING)
    }

    /// The same for a recording: the loss of the terminal ends it, and SIGUSR1 asks for what there is.
    pub(crate) fn block_for_recording() -> io::Result<Self> {
        Self::hold(RECORDING)
    }

    fn hold(signals: &[i32]) -> io::Result<Self> {
        // SAFETY: sigset_t is plain memory, filled by sigemptyset before use.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` lives, and the signal numbers are valid.
        let result = unsafe {
            libc::sigemptyset(&raw mut set);
            for &signal in signals {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
        };
        if result == 0 { Ok(Self { set }) } else { Err(io::Error::from_raw_os_error(result)) }
    }

    /// A descriptor that polls as readable when one of them is there; [`Signals::wait`] fetches it.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: `set` is initialised.
        let fd = unsafe { libc::signalfd(-1, &raw const self.set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Waits until `deadline` at most.
    pub(crate) fn wait(&self, deadline: Instant) -> Wake {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // SAFETY: siginfo_t is plain memory that the kernel fills.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let timeout = timespec(left);
            // SAFETY: all three pointers are valid for the call.
            let signal =
                unsafe { libc::sigtimedwait(&raw const self.set, &raw mut info, &raw const timeout) };
            match signal {
                libc::SIGCHLD => return Wake::Child,
                libc::SIGUSR1 => return Wake::Asked,
                libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT => {
                    return Wake::Ended { signal, tty: info.si_code == libc::SI_KERNEL };
                }
                // EINTR: a signal outside the set, for example a stop and continue.
                _ if Instant::now() < deadline => {}
                _ => return Wake::Time,
            }
        }
    }
}

/// To be called in a child between fork and exec: it shall not inherit what we block.
pub(crate) fn unblock_all() -> io::Result<()> {
    // SAFETY: sigemptyset and pthread_sigmask are async-signal-safe and get valid pointers.
    let result = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
