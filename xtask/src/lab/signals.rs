//! Ctrl-C and its relatives while a guest runs.
//!
//! A guest dies with us in any case (see `fds::inherit`); catching the signal lets us end it in order, give the
//! terminal back and return the exit code that a shell expects.

use std::fmt;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use anyhow::Result;

const CAUGHT_SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

static GUESTS: AtomicUsize = AtomicUsize::new(0);
static CAUGHT: AtomicI32 = AtomicI32::new(0);

/// While one of these lives, signals are noticed by [`check`] instead of ending the process.
pub(crate) struct Watch(());

impl Watch {
    /// Starts to notice signals.
    pub(crate) fn start() -> Self {
        if GUESTS.fetch_add(1, Ordering::SeqCst) == 0 {
            for signal in CAUGHT_SIGNALS {
                let handler = caught as extern "C" fn(libc::c_int) as libc::sighandler_t;
                // SAFETY: the handler makes only async-signal-safe calls.
                unsafe { libc::signal(signal, handler) };
            }
        }
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        GUESTS.fetch_sub(1, Ordering::SeqCst);
    }
}

extern "C" fn caught(signal: libc::c_int) {
    CAUGHT.store(signal, Ordering::SeqCst);
    if GUESTS.load(Ordering::SeqCst) == 0 {
        // No guest runs (a build does, say), so nobody would look: end as if there were no handler.
        // SAFETY: both calls are async-signal-safe.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}

/// Fails with [`Interrupted`] once a signal has come.
pub(crate) fn check() -> Result<()> {
    match CAUGHT.load(Ordering::SeqCst) {
        0 => Ok(()),
        signal => Err(Interrupted(signal).into()),
    }
}

/// The error of a run that the user ended.
#[derive(Debug)]
pub(crate) struct Interrupted(libc::c_int);

impl Interrupted {
    /// The signal of a user who leaves an interactive guest by its escape keys.
    pub(crate) const ESCAPED: Self = Self(libc::SIGINT);

    /// As a shell reports a command that a signal ended.
    pub(crate) fn exit_code(&self) -> u8 {
        128_u8.saturating_add(self.0 as u8)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted; the guest is gone")
    }
}

impl std::error::Error for Interrupted {}
