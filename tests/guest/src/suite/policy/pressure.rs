//! Everything that others may have to wait for, made to keep them waiting: the audit log, the console, udev, and the disk
//! that is on trial.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::device::{NVME, PATIENCE};
use super::uevent::Listener;
use super::{audit, disk};

/// A serial console whose other end nobody reads; the lab gives it to the guest that counts instructions.
const UNREAD: &str = "/dev/ttyS2";
const LEVELS: &str = "/proc/sys/kernel/printk";
/// Consoles then get notices, too.
const ALL_BUT_DEBUG: &str = "7";

/// More events than the smallest buffer of a socket takes.
const EVENTS: u32 = 64;

/// The command register of a PCI device, and the bit without which it can't read or write memory.
const COMMAND: u64 = 4;
const BUS_MASTER: u8 = 1 << 2;
const IO_TIMEOUT: &str = "/sys/block/nvme0n1/queue/io_timeout";
/// Longer than any test, ms.
const NEVER: &str = "3600000";
const THREADS: usize = 4;

/// All of it, until this is dropped.
pub(super) struct Pressure {
    disk: Disk,
    _udev: Listener,
    _console: Console,
    _audit: audit::Pressure,
}

impl Pressure {
    pub(super) fn start() -> Result<Self> {
        let (audit, console, udev) = (audit::Pressure::start()?, Console::fill()?, stopped_udev()?);
        Ok(Self { disk: Disk::silence()?, _udev: udev, _console: console, _audit: audit })
    }

    /// Requests that the disk has answered.
    pub(super) fn answered(&self) -> u64 {
        self.disk.load.as_ref().map_or(0, disk::Load::done)
    }

    /// Ends it, and checks that nothing was lost on the disk.
    pub(super) fn end(mut self) -> Result<()> {
        self.disk.wake()?;
        self.disk.load.take().context("no load on the disk")?.stop()?.is_clean()
    }
}

/// A listener whose buffer is full: to the kernel it is a daemon that was stopped.
fn stopped_udev() -> Result<Listener> {
    let listener = Listener::new()?;
    listener.shrink()?;
    for _ in 0..EVENTS {
        fs::write("/sys/bus/pci/devices/0000:00:00.0/uevent", "change")?;
    }
    Ok(listener)
}

/// Printing to it takes 10 ms for each character or for each filling of its FIFO, with interrupts off (`wait_for_lsr()`,
/// drivers/tty/serial/8250/8250_port.c, 6.12).
struct Console {
    tty: File,
    levels: String,
}

impl Console {
    fn fill() -> Result<Self> {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let tty = File::options().write(true).custom_flags(flags).open(UNREAD);
        let mut tty = tty.with_context(|| format!("opening {UNREAD}"))?;
        let start = Instant::now();
        let mut last = Instant::now();
        // A moment without room may be one in which the UART is being emptied.
        while last.elapsed() < Duration::from_secs(2) {
            match tty.write(&[b'x'; 64]) {
                Ok(_) => last = Instant::now(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error).context(UNREAD),
            }
            ensure!(start.elapsed() < PATIENCE, "{UNREAD} takes everything");
        }
        let levels = fs::read_to_string(LEVELS)?;
        fs::write(LEVELS, ALL_BUT_DEBUG)?;
        Ok(Self { tty, levels })
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = fs::write(LEVELS, &self.levels);
        // Else the last close waits for what nobody reads.
        // SAFETY: the descriptor is open.
        unsafe { libc::tcflush(self.tty.as_raw_fd(), libc::TCOFLUSH) };
    }
}

/// The NVMe disk with requests under way, and unable to see them.
struct Disk {
    load: Option<disk::Load>,
    config: File,
    command: u8,
    timeout: String,
}

impl Disk {
    fn silence() -> Result<Self> {
        let timeout = fs::read_to_string(IO_TIMEOUT)?;
        fs::write(IO_TIMEOUT, NEVER)?;
        let config = File::options().read(true).write(true).open(NVME.path("config"))?;
        let mut command = [0];
        config.read_exact_at(&mut command, COMMAND)?;
        let load = disk::Load::start(THREADS);
        let disk = Self { load: Some(load), config, command: command[0], timeout };
        disk.config.write_all_at(&[disk.command & !BUS_MASTER], COMMAND)?;
        Ok(disk)
    }

    /// Lets it see memory again; it has found out meanwhile that it could not, and has to be reset.
    fn wake(&self) -> Result<()> {
        self.config.write_all_at(&[self.command], COMMAND)?;
        fs::write(controller()?.join("reset_controller"), "1").context("resetting the disk")?;
        fs::write(IO_TIMEOUT, self.timeout.trim())?;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.load.is_some() {
            let _ = self.wake();
        }
    }
}

fn controller() -> Result<PathBuf> {
    let mut all = fs::read_dir(NVME.path("nvme"))?;
    Ok(all.next().context("the disk has no controller")??.path())
}
