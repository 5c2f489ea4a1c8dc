//! Outputs that can't take it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::IDLE;
use super::run::{answer, iova};
use crate::Outcome;

/// A measurement that has nowhere to go; the other commands are tested on the host.
pub(super) fn outputs() -> Result<Outcome> {
    let report = || iova(&["report", "--profile", "light", "--duration", "10ms"]);
    let mut full = report();
    full.stdout(File::options().write(true).open("/dev/full")?);
    answer(full)?.code(2)?.sentence(&["standard output", "No space left"])?;

    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let mut broken = report();
    broken.stdout(writer);
    answer(broken).context("a closed pipe")?.code(0)?.quiet()?;
    Ok(Outcome::Passed)
}

/// A report of a device that does nothing, on a terminal of 20 columns, with standard input closed.
pub(super) fn narrow() -> Result<Outcome> {
    let (mut master, slave) = terminal(20)?;
    let args = ["report", "--profile", "light", "--duration", "10ms", "--device", IDLE];
    let mut command = iova(&args);
    command.stdout(slave).env("TERM", "xterm");
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // The end of a terminal is an I/O error.
        let _ = master.read_to_end(&mut shown);
        shown
    });
    answer(closed(command, 0))?.code(0)?.quiet()?;
    let shown = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    let shown = String::from_utf8(shown)?;
    ensure!(shown.contains("00:1f.2"), "the report is not about the device: {shown}");
    ensure!(!shown.contains("nvme0n1"), "the report is about others too: {shown}");
    ensure!(shown.contains("No device allocated"), "it does not say that nothing happened: {shown}");
    Ok(Outcome::Passed)
}

/// Without one of its standard streams.
fn closed(mut command: Command, stream: i32) -> Command {
    // SAFETY: close is async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            libc::close(stream);
            Ok(())
        });
    }
    command
}

/// Both ends of a terminal with so many columns.
fn terminal(columns: u16) -> Result<(File, OwnedFd)> {
    let size = libc::winsize { ws_row: 5, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    let (name, mode) = (std::ptr::null_mut(), std::ptr::null());
    // SAFETY: both descriptors are written to live variables, and `size` outlives the call.
    let result = unsafe { libc::openpty(&raw mut master, &raw mut slave, name, mode, &raw const size) };
    ensure!(result == 0, "no pseudo-terminal: {}", std::io::Error::last_os_error());
    // SAFETY: openpty made both descriptors for us alone.
    Ok(unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) })
}
