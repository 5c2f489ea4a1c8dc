//! Two processes: the reader measures, the server talks to the network. The reader is the one that was started; it forks the
//! server before it opens anything, and neither outlives the other.
//!
//! ```text
//! reader: kernel memory, maps, probes ──pipe, one way──> server: listener, connections
//! ```

use super::board::Board;
use super::frame::{self, Kind};
use super::listen::{Bound, Place};
#[cfg(feature = "otlp")]
use super::otlp::{self, Collector};
use super::publish::{self, Pushes};
use super::serving;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::signals::Signals;
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the server has to end, once it was told.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks whether it has.
const PAUSE: Duration = Duration::from_millis(10);

/// What the server gets.
pub(super) struct Outside {
    pub(super) listener: Option<Bound>,
    #[cfg(feature = "otlp")]
    pub(super) otlp: Option<Collector>,
}

impl Outside {
    /// True if there is anything for a server to do.
    pub(super) fn is_wanted(&self) -> bool {
        self.listener.is_some() || self.reaches_out()
    }

    /// True if it connects to somebody.
    #[cfg(feature = "otlp")]
    pub(super) fn reaches_out(&self) -> bool {
        self.otlp.is_some()
    }

    #[cfg(not(feature = "otlp"))]
    #[expect(clippy::unused_self, reason = "the same question with every feature")]
    pub(super) fn reaches_out(&self) -> bool {
        false
    }

    #[cfg(feature = "otlp")]
    fn pushes(&self) -> Option<Pushes> {
        self.otlp.as_ref().map(|_| Pushes { host: otlp::host() })
    }

    #[cfg(not(feature = "otlp"))]
    #[expect(clippy::unused_self, reason = "the same question with every feature")]
    fn pushes(&self) -> Option<Pushes> {
        None
    }
}

/// The server, as the reader sees it: ends when this is dropped.
pub(super) struct Server {
    pid: libc::pid_t,
    /// Until editions are handed over.
    pipe: Option<PipeWriter>,
    pushes: Option<Pushes>,
    /// The server may not remove files.
    _place: Option<Place>,
}

impl Server {
    /// Forks it. To be called while there is one thread, and nothing is open that the server shall not have.
    pub(super) fn start(outside: Outside, signals: &Signals) -> Result<Self, Stop> {
        let failed = |error: io::Error| Stop::internal(format!("the server can't be started: {error}"));
        let (receive, send) = io::pipe().map_err(failed)?;
        let (place, pushes) = (outside.listener.as_ref().and_then(Bound::place), outside.pushes());
        // SAFETY: this process has one thread, so the child finds no lock taken.
        match unsafe { libc::fork() } {
            -1 => Err(failed(io::Error::last_os_error())),
            0 => {
                // The end of the pipe is the end of the reader only if nobody else could write to it.
                drop(send);
                close_others(&outside, &receive);
                std::process::exit(serving::run(outside, receive, signals.clone()) as i32)
            }
            // What the server listens at is closed here.
            pid => Ok(Self { pid, pipe: Some(send), pushes, _place: place }),
        }
    }

    pub(super) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Hands over what `board` has from now on; tells once the server has ended, and how.
    pub(super) fn attend(
        &mut self,
        board: &Arc<Board>,
        tell: impl FnOnce(Result<Exit, Stop>) + Send + 'static,
    ) {
        if let Some(mut pipe) = self.pipe.take() {
            let (board, pushes) = (Arc::clone(board), self.pushes.clone());
            std::thread::spawn(move || match publish::publish(&board, &mut pipe, pushes.as_ref()) {
                // A server that has gone is told of below.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                    output::complain(&format!("the figures can't be handed over: {error}"));
                }
                _ => {}
            });
        }
        let pid = self.pid;
        std::thread::spawn(move || tell(ending(pid)));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = frame::write(&mut pipe, Kind::End, &[]);
        }
        let end = Instant::now() + PATIENCE;
        while !reaped(self.pid, libc::WNOHANG) {
            if Instant::now() >= end {
                // SAFETY: kill has no memory effects; the child is not reaped yet, so the id is still its own.
                unsafe { libc::kill(self.pid, libc::SIGKILL) };
                reaped(self.pid, 0);
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Closes what whoever started the exporter had open: all but the three streams and what the server was given.
fn close_others(outside: &Outside, pipe: &PipeReader) {
    let listener = outside.listener.as_ref().map(Bound::as_raw_fd);
    let mut kept: Vec<_> = listener.into_iter().chain([pipe.as_raw_fd()]).map(i32::cast_unsigned).collect();
    kept.sort_unstable();
    let mut from = libc::STDERR_FILENO.cast_unsigned() + 1;
    for end in kept.into_iter().map(Some).chain([None]) {
        let last = end.map_or(u32::MAX, |kept| kept.saturating_sub(1));
        if from <= last {
            // SAFETY: nobody here knows these descriptors. Before 5.9 there is no such call, and no type information either.
            unsafe { libc::syscall(libc::SYS_close_range, from, last, 0) };
        }
        from = end.map_or(from, |kept| kept + 1);
    }
}

/// True if it is no more.
fn reaped(pid: libc::pid_t, options: libc::c_int) -> bool {
    // SAFETY: no status is asked for. An error means that there is no such child any more.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), options) != 0 }
}

/// Waits for the end of the server, which is left to be reaped; what it means for the exporter.
fn ending(pid: libc::pid_t) -> Result<Exit, Stop> {
    // SAFETY: siginfo_t is plain memory that the kernel fills.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOWAIT;
    // SAFETY: `info` is a siginfo_t to write to.
    let waited = unsafe { libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, flags) };
    // SAFETY: after a successful waitid this field is set; before, it is zero.
    let status = unsafe { info.si_status() };
    let how = match info.si_code {
        _ if waited != 0 => "has ended".to_owned(),
        // A signal came to it, or it has said why it could not go on.
        libc::CLD_EXITED if status == Exit::Done as i32 => return Ok(Exit::Done),
        libc::CLD_EXITED if status == Exit::Internal as i32 => return Ok(Exit::Internal),
        libc::CLD_EXITED => format!("has ended with exit code {status}"),
        _ => format!("was ended by signal {status}"),
    };
    Err(Stop::internal(format!(
        "the process that answers {how}, so nothing is exported any more: start it again"
    )))
}
