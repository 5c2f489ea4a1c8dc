//! The UART that carries frames, from the guest's side: raw, so that the kernel's line discipline changes no byte.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};

use crate::wire::{self, Kind};

/// The frame stream, shared by the threads that send on it.
pub type Channel = Arc<Mutex<File>>;

/// Opens a UART and puts it into raw mode.
pub fn open(path: &str) -> Result<Channel> {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(path)
        .with_context(|| format!("opening {path}"))?;
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
    Ok(Arc::new(Mutex::new(file)))
}

/// Sends one frame; frames of several threads never mix.
pub fn send(channel: &Channel, kind: Kind, payload: &[u8]) -> Result<()> {
    let mut uart = channel.lock().map_err(|_| anyhow::anyhow!("a thread died while it held the channel"))?;
    wire::write(&mut *uart, kind, payload).context("sending a frame to the host")
}

/// Sends the kernel's log record by record, from the oldest that is still there.
pub fn send_kernel_log(channel: &Channel) -> Result<()> {
    let mut log = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
    // The kernel refuses to cut a record, and none is longer than this.
    let mut record = [0; 16 << 10];
    loop {
        match log.read(&mut record) {
            Ok(0) => return Ok(()),
            Ok(length) => send(channel, Kind::Kmsg, &record[..length])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // Records were overwritten while we read; the sequence numbers show the host how many.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the last byte has left: power-off would cut it.
pub fn drain(channel: &Channel) {
    if let Ok(file) = channel.lock() {
        // SAFETY: the descriptor is open for as long as the lock is held.
        unsafe { libc::tcdrain(file.as_raw_fd()) };
    }
}
