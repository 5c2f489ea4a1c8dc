//! Everything that others may have to wait for, made to keep them waiting: the audit log, the console, udev, and the disk
//! that is on trial.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::device::{NVME, PATIENCE};
use super::uevent::Listener;
use super::{audit, disk};

/// The lab gives it to the guest that counts instructions.
const UNREAD: &str = "ttyS2";
const LEVELS: &str = "/proc/sys/kernel/printk";
const ALL_BUT_DEBUG: &str = "7";
const EMERGENCIES: &str = "1";
/// A line with the level of a notice.
const NOTICE: &str = "<5>filling the console\n";
/// A line takes longer only on a full console.
const FULL: Duration = Duration::from_millis(50);

/// More events than the smallest buffer of a socket takes.
const EVENTS: u32 = 64;

/// The command register of a PCI device, and the bit without which it can't read or write memory.
const COMMAND: u64 = 4;
const BUS_MASTER: u8 = 1 << 2;
const IO_TIMEOUT: &str = "/sys/block/nvme0n1/queue/io_timeout";
/// Longer than any test, ms.
const NEVER: &str = "3600000";
const THREADS: usize = 4;

/// All of it but the console, until this is dropped.
pub(super) struct Pressure {
    disk: Disk,
    _printed: Printed,
    _udev: Listener,
    _audit: audit::Pressure,
}

impl Pressure {
    pub(super) fn start() -> Result<Self> {
        // The kernel says on consoles that it loses audit records.
        let printed = Printed::set(EMERGENCIES)?;
        let (audit, udev) = (audit::Pressure::start()?, stopped_udev()?);
        Ok(Self { disk: Disk::silence()?, _printed: printed, _udev: udev, _audit: audit })
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

/// A serial console without a reader: each character that is printed there takes 10 ms, with interrupts off
/// (`wait_for_lsr()`, drivers/tty/serial/8250/8250_port.c, 6.12), so that nothing else happens on that CPU.
///
/// Not beside a full audit log, of which the kernel tells there.
pub(super) struct Console(#[expect(dead_code, reason = "kept until it is dropped")] Printed);

impl Console {
    /// Fills it, and has the kernel print all that it prints without the boot option `quiet`.
    pub(super) fn fill() -> Result<Self> {
        let consoles = fs::read_to_string("/proc/consoles")?;
        ensure!(consoles.contains(UNREAD), "{UNREAD} is no console: {consoles}");
        let console = Self(Printed::set(ALL_BUT_DEBUG)?);
        let start = Instant::now();
        loop {
            let line = Instant::now();
            fs::write("/dev/kmsg", NOTICE)?;
            if line.elapsed() > FULL {
                println!("# a line on {UNREAD} takes {:?}", line.elapsed());
                return Ok(console);
            }
            ensure!(start.elapsed() < PATIENCE, "{UNREAD} takes everything");
        }
    }
}

/// The console log level (`/proc/sys/kernel/printk`), until this is dropped.
struct Printed(String);

impl Printed {
    fn set(level: &str) -> Result<Self> {
        let before = fs::read_to_string(LEVELS)?;
        fs::write(LEVELS, level)?;
        Ok(Self(before))
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _ = fs::write(LEVELS, &self.0);
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
