//! `--bpf-log`: what the eBPF programs log on rare paths, line by line on standard error. Only in a build for debugging them.

use crate::exit::Stop;
use crate::poll::{self, For};
use iova_core::probe::Tracer;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From one look to the next where nothing wakes the thread.
const LOOK: Duration = Duration::from_secs(60);

static WANTED: AtomicBool = AtomicBool::new(false);

/// Says that it was asked for, or not.
pub(super) fn want(wanted: bool) {
    WANTED.store(wanted, Ordering::Relaxed);
}

/// Prints what is logged from now on, if that is wanted, in a thread of its own until the program ends.
pub(super) fn follow(tracer: &Tracer) -> Result<(), Stop> {
    if !WANTED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut logger = tracer
        .bpf_log(Lines)
        .ok_or_else(|| Stop::unusable("--bpf-log: the eBPF programs of this iova log nothing: build it by `cargo xtask build --bpf-log`"))?;
    let follow = move || {
        block_signals();
        loop {
            let _ = poll::wait(&[(logger.as_fd(), For::Reading)], Instant::now() + LOOK);
            logger.flush();
        }
    };
    let thread = thread::Builder::new().name("bpf-log".into()).spawn(follow);
    thread.map(drop).map_err(|error| Stop::internal(format!("a thread for --bpf-log: {error}")))
}

/// They are the main thread's.
fn block_signals() {
    // SAFETY: the set is filled before it is used, and the old one is not asked for.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

#[derive(Clone, Copy)]
struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("bpf: {} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}
