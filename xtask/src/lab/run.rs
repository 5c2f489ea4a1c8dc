//! Boots a guest and watches it until it is gone.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::collect::Collector;
use super::console::Console;
use super::cut::{Cut, Fate, Severed};
use super::initramfs::{self, Programs};
use super::pin::Pin;
use super::qemu::{self, Accel, Backends};
use super::signals::{self, Interrupted};
use super::spec::{GuestResult, GuestSpec, Io};
use super::spent::{self, Spent};
use super::terminal::{self, RawMode};
use super::watch::{self, Event};
use super::{accel, fds, systemd};
use crate::kernels::{self, Kernel, Line};

/// A guest that has reported only has to power off.
const POWER_OFF: Duration = Duration::from_secs(60);

/// What a panic has to say comes at once.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Boots the guest, runs its command and returns what came of it. An error means that the guest did not get so far
/// as to report: it did not boot, panicked, hung, or the user interrupted it.
pub(crate) fn run(spec: &GuestSpec, programs: &Programs) -> Result<GuestResult> {
    let kernel = kernels::ensure(spec.line)?;
    let accel = if spec.icount { Accel::Tcg } else { accel::choose()? };
    boot(&kernel, spec, accel, &initramfs::pack(&kernel, spec, programs)?)
}

/// An image that many guests boot, one after the other.
pub(crate) struct Image {
    kernel: Kernel,
    bytes: Vec<u8>,
}

impl Image {
    /// Debian's systemd with `iova` installed, and with our own modules from these directories.
    pub(crate) fn systemd(line: Line, programs: &Programs, own_modules: &[&str]) -> Result<Self> {
        let kernel = kernels::ensure(line)?;
        let bytes = systemd::pack(&kernel, programs, own_modules)?;
        Ok(Self { kernel, bytes })
    }

    /// Writes kernel and initramfs to a directory, for a guest that boots them by itself.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        crate::fsx::copy_file(&self.kernel.vmlinuz, &directory.join("vmlinuz"))?;
        let initrd = directory.join("initrd");
        std::fs::write(&initrd, &self.bytes).with_context(|| format!("cannot write {}", initrd.display()))
    }

    /// The lab's own init and what this spec has it do; of the specs that are booted then, only the machine counts.
    pub(crate) fn lab(spec: &GuestSpec, programs: &Programs) -> Result<Self> {
        let kernel = kernels::ensure(spec.line)?;
        let bytes = initramfs::pack(&kernel, spec, programs)?;
        Ok(Self { kernel, bytes })
    }

    /// Boots it; see [`run`].
    pub(crate) fn boot(&self, spec: &GuestSpec) -> Result<GuestResult> {
        boot(&self.kernel, spec, accel::choose()?, &self.bytes)
    }

    /// Boots it and cuts its power at the given moment, if it lives so long.
    pub(crate) fn boot_and_cut(&self, spec: &GuestSpec, cut: &Cut) -> Result<Fate> {
        let image = fds::in_memory("initramfs", &self.bytes)?;
        let _signals = signals::Watch::start();
        Guest::start(&self.kernel, spec, accel::choose()?, image)?.sever(spec, cut)
    }
}

/// Like [`run`], with everything decided and built.
pub(crate) fn boot(kernel: &Kernel, spec: &GuestSpec, accel: Accel, image: &[u8]) -> Result<GuestResult> {
    let image = fds::in_memory("initramfs", image)?;
    let _signals = signals::Watch::start();
    let raw = if spec.io == Io::Terminal { Some(RawMode::enter()?) } else { None };
    let result = Guest::start(kernel, spec, accel, image)?.watch(spec);
    if raw.is_some() && result.is_err() {
        terminal::clear_up();
    }
    drop(raw);
    result
}

/// A guest that was over before it had reported, and what it took; some are meant to be.
#[derive(Debug)]
pub(crate) struct EndedEarly(pub(crate) Spent);

impl std::fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a guest was over too early")
    }
}

/// How often a guest that says nothing is looked after.
const TICK: Duration = Duration::from_millis(100);

/// How it came that a guest is not followed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// QEMU is gone.
    Own,
    /// Its time was over.
    Late,
    /// Its power is to be cut.
    Cut,
}

/// A running QEMU; dropping it ends the guest.
struct Guest {
    qemu: Child,
    events: Receiver<Event>,
    console: Console,
    started: Instant,
    /// Its CPU of the host, until it is gone.
    _pin: Option<Pin>,
}

impl Guest {
    fn start(kernel: &Kernel, spec: &GuestSpec, accel: Accel, image: std::fs::File) -> Result<Self> {
        let (console, guest_console) = UnixStream::pair()?;
        let (channel, guest_channel) = UnixStream::pair()?;
        let unread = spec.unread_console.then(UnixStream::pair).transpose()?;
        let disk = match &spec.disk {
            Some(disk) => disk.try_clone().context("a disk that outlives its guest")?,
            None => fds::disk(qemu::DISK_BYTES)?,
        };
        let backends = Backends { console: guest_console, unread, channel: guest_channel, image, disk };
        let mut command = qemu::command(kernel, spec, accel, &backends);
        let pin = if accel == Accel::Tcg && spec.pinned { Pin::take() } else { None };
        if let Some(pin) = &pin {
            pin.apply(&mut command);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut qemu = command.spawn().with_context(|| {
            format!("cannot start {}; install the package qemu-system-x86", qemu::PROGRAM)
        })?;
        let complaints = qemu.stderr.take().context("QEMU has no stderr")?;
        let keys = if spec.io == Io::Terminal { Some(console.try_clone()?) } else { None };
        let (sender, events) = std::sync::mpsc::channel();
        if let Some(keys) = keys {
            let escaped = sender.clone();
            terminal::send_keys(keys, move || drop(escaped.send(Event::Escaped)));
        }
        watch::start(console, channel, complaints, sender);
        Ok(Self { qemu, events, console: Console::new(spec.io == Io::Terminal), started, _pin: pin })
    }

    /// Follows the guest to its end.
    fn watch(mut self, spec: &GuestSpec) -> Result<GuestResult> {
        let mut collector = Collector::new(spec, self.started);
        let end = self.follow(spec, &mut collector, None)?;
        self.finish(spec, collector, end == End::Own)
    }

    /// Follows the guest to the moment of the cut, and ends it there.
    fn sever(mut self, spec: &GuestSpec, cut: &Cut) -> Result<Fate> {
        let mut collector = Collector::new(spec, self.started);
        let end = self.follow(spec, &mut collector, Some(cut))?;
        if end == End::Cut {
            let spent = collector.spent(self.end());
            return Ok(Fate::Cut(Severed { stdout: collector.into_stdout(), spent }));
        }
        self.finish(spec, collector, end == End::Own).map(Fate::Ended)
    }

    /// Takes what the guest sends until it ends, its time is over, or it is cut.
    fn follow(&mut self, spec: &GuestSpec, collector: &mut Collector, cut: Option<&Cut>) -> Result<End> {
        let mut deadline = self.started + spec.timeout;
        let mut fuse = cut.map(Cut::fuse);
        let mut open = watch::SOURCES;
        while open > 0 {
            signals::check()?;
            let now = Instant::now();
            if now > deadline {
                return Ok(End::Late);
            }
            let left = fuse.as_ref().and_then(|fuse| fuse.left(now));
            if left == Some(Duration::ZERO) {
                return Ok(End::Cut);
            }
            match self.events.recv_timeout(left.unwrap_or(TICK).min(TICK)) {
                Ok(Event::Frame(kind, payload)) => {
                    collector.frame(kind, &payload)?;
                    if let Some(fuse) = &mut fuse {
                        fuse.see(collector.stdout());
                    }
                    if collector.reported() {
                        self.console.hide();
                    }
                }
                Ok(Event::Console(bytes)) => self.console.add(&bytes),
                Ok(Event::Complaint(line)) => self.console.complaint(line),
                Ok(Event::Escaped) => return Err(Interrupted::ESCAPED.into()),
                Ok(Event::Broken(error)) => {
                    return Err(self.failed(&format!("garbled its channel ({error})")));
                }
                Ok(Event::Ended) => open -= 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(End::Late),
            }
            let limit = match (self.console.panicked(), collector.reported()) {
                (true, _) => LAST_WORDS,
                (_, true) => POWER_OFF,
                _ => continue,
            };
            deadline = deadline.min(Instant::now() + limit);
        }
        Ok(End::Own)
    }

    fn finish(mut self, spec: &GuestSpec, collector: Collector, ended: bool) -> Result<GuestResult> {
        let spent = collector.spent(self.end());
        // Ctrl-C reaches QEMU too, and its end may be seen before our own signal is.
        signals::check()?;
        if self.console.panicked() {
            return Err(self.failed("panicked"));
        }
        match collector.finish(spent) {
            Some(result) if ended => Ok(result),
            Some(_) => Err(self.failed(&format!("did not power off within {} s", POWER_OFF.as_secs()))),
            None if ended => Err(self.failed("ended without a result").context(EndedEarly(spent))),
            None => Err(self.failed(&format!(
                "did not finish within {} s (--timeout); it has been ended",
                spec.timeout.as_secs()
            ))),
        }
    }

    fn failed(&self, what: &str) -> anyhow::Error {
        anyhow::anyhow!("the guest {what}.\n{}", self.console.excerpt())
    }

    /// Ends QEMU; its CPU time.
    fn end(&mut self) -> Option<Duration> {
        // Fails only if it has ended already.
        let _ = self.qemu.kill();
        spent::cpu_time(&self.qemu)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail only if QEMU has ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Fails if the kernel complained about itself, or if its log is too incomplete to know.
pub(crate) fn splat_check(result: &GuestResult) -> Result<()> {
    if let Some(gap) = result.log.gap() {
        bail!("{gap}, so the splat check proves nothing");
    }
    let splats = result.log.splats();
    if !splats.is_empty() {
        let trace = result.log.first_splat(40).join("\n    ");
        bail!("the kernel complained about itself {} times, first:\n    {trace}", splats.len());
    }
    Ok(())
}
