//! The UART that carries frames: raw, so that the kernel's line discipline changes no byte.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};

/// The frame stream, shared by the threads that send on it.
pub(crate) type Channel = Arc<Mutex<File>>;

/// Opens a UART and puts it into raw mode.
pub(crate) fn open(path: &str) -> Result<File> {
    let file =
        File::options().read(true).write(true).open(path).with_context(|| format!("opening {path}"))?;
    // SAFETY: an all-zero termios is a valid value, and tcgetattr fills it before it is used.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `settings` outlives the calls.
    let result = unsafe {
        libc::tcgetattr(file.as_raw_fd(), &mut settings);
        libc::cfmakeraw(&mut settings);
        // By hand: the static glibc has no cfsetspeed under the name that the libc crate asks for.
        settings.c_cflag = settings.c_cflag & !libc::CBAUD | libc::B115200;
        libc::tcsetattr(file.as_raw_fd(), libc::TCSANOW, &settings)
    };
    if result != 0 {
        return Err(std::io::Error::last_os_error()).with_context(|| format!("putting {path} into raw mode"));
    }
    Ok(file)
}

/// Waits until the last byte has left: power-off would cut it.
pub(crate) fn drain(channel: &Channel) {
    if let Ok(file) = channel.lock() {
        // SAFETY: the descriptor is open for as long as the lock is held.
        unsafe { libc::tcdrain(file.as_raw_fd()) };
    }
}
