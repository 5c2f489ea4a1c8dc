//! An audit daemon that has stopped reading, and many who write to it: whoever waits for the audit log now waits for a minute (ten
//! seconds here). The module does not.

use std::io::{self, BufRead as _, BufReader};
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::device::{self, EDU, NVME, PATIENCE};
use super::lease::Control;
use crate::Outcome;

/// `AUDIT_SET` and `AUDIT_USER_AVC` are numbers of include/uapi/linux/audit.h; messages of users begin at 1100.
const AUDIT_SET: u16 = 1001;
const AUDIT_USER: u16 = 1112;
const ENABLED: u32 = 1;
const PID: u32 = 4;
const BACKLOG_LIMIT: u32 = 0x10;
const BACKLOG_WAIT_TIME: u32 = 0x20;
const LIMIT: u32 = 64;
const WRITERS: u32 = 250;
/// So long the audit log makes its writers wait here, and usually, in ticks: ten seconds, and a minute.
const WAIT_TIME: u32 = 10 * 250;
const USUAL_WAIT_TIME: u32 = 60 * 250;
/// Nobody waits as long for a log that has room.
const FULL: Duration = Duration::from_secs(2);

const LEASE_MS: u32 = 300;
/// Limit for each operation: above what it takes on a slow machine, below the wait time of the audit log.
const AT_ONCE: Duration = Duration::from_secs(3);

/// The head of `struct audit_status`; the kernel takes a short one for one with zeroes (since 3.13).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Status {
    mask: u32,
    enabled: u32,
    failure: u32,
    pid: u32,
    rate_limit: u32,
    backlog_limit: u32,
    lost: u32,
    backlog: u32,
    features: u32,
    backlog_wait_time: u32,
}

struct Socket(OwnedFd);

impl Socket {
    fn open() -> Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers; the descriptor that it returns is ours alone.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_AUDIT) };
        if socket < 0 {
            return Err(io::Error::last_os_error()).context("a socket of the audit log");
        }
        // SAFETY: the descriptor was just opened, and only this owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(socket) }))
    }

    fn send(&self, kind: u16, body: &[u8]) -> io::Result<()> {
        let length = size_of::<libc::nlmsghdr>() + body.len();
        let mut message = Vec::with_capacity(length.next_multiple_of(4));
        message.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
        // Sequence number, and the sender: the kernel knows it.
        message.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(body);
        message.resize(length.next_multiple_of(4), 0);
        // SAFETY: zeroes are a valid address of this family: the kernel's.
        let mut kernel: libc::sockaddr_nl = unsafe { mem::zeroed() };
        kernel.nl_family = libc::AF_NETLINK as u16;
        let (to, size) = ((&raw const kernel).cast(), size_of_val(&kernel) as u32);
        // SAFETY: message and address outlive the call and are as long as said.
        let sent =
            unsafe { libc::sendto(self.0.as_raw_fd(), message.as_ptr().cast(), message.len(), 0, to, size) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn set(&self, status: Status) -> io::Result<()> {
        let words = [
            status.mask,
            status.enabled,
            status.failure,
            status.pid,
            status.rate_limit,
            status.backlog_limit,
            status.lost,
            status.backlog,
            status.features,
            status.backlog_wait_time,
        ];
        self.send(AUDIT_SET, &words.map(u32::to_ne_bytes).concat())
    }
}

/// Registers as the audit daemon and reads nothing (`guest-suite --audit-deaf`).
pub(crate) fn deaf() -> Result<()> {
    let socket = Socket::open()?;
    let small: libc::c_int = 4096;
    // SAFETY: the value outlives the call and is as long as said.
    unsafe {
        libc::setsockopt(
            socket.0.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const small).cast(),
            size_of_val(&small) as u32,
        )
    };
    let mask = ENABLED | PID | BACKLOG_LIMIT | BACKLOG_WAIT_TIME;
    socket.set(Status {
        mask,
        enabled: 1,
        pid: std::process::id(),
        backlog_wait_time: WAIT_TIME,
        backlog_limit: LIMIT,
        ..Status::default()
    })?;
    println!("deaf");
    loop {
        thread::park();
    }
}

/// Writes to the audit log from many threads until it is killed (`guest-suite --audit-writers`).
pub(crate) fn writers() -> Result<()> {
    for _ in 0..WRITERS {
        let socket = Socket::open()?;
        thread::spawn(move || while socket.send(AUDIT_USER, b"op=test\0").is_ok() {});
    }
    println!("writing");
    loop {
        thread::park();
    }
}

/// Returns when whoever writes has to wait.
fn until_full() -> Result<()> {
    let (socket, start) = (Socket::open()?, Instant::now());
    while timed(|| Ok(socket.send(AUDIT_USER, b"op=test\0")?))? < FULL {
        ensure!(start.elapsed() < PATIENCE, "the audit log takes everything");
    }
    println!("# a writer waited, after {:?}", start.elapsed());
    Ok(())
}

/// A full backlog, until this is dropped.
pub(super) struct Pressure([Child; 2]);

impl Pressure {
    pub(super) fn start() -> Result<Self> {
        let deaf = helper("--audit-deaf")?;
        let writers = match helper("--audit-writers") {
            Ok(writers) => writers,
            Err(error) => {
                end(deaf);
                return Err(error);
            }
        };
        let pressure = Self([deaf, writers]);
        until_full().map(|()| pressure)
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
        let _ = Socket::open().map(|socket| {
            socket.set(Status {
                mask: ENABLED | PID | BACKLOG_WAIT_TIME,
                backlog_wait_time: USUAL_WAIT_TIME,
                ..Status::default()
            })
        });
    }
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// This program as something else, which has said something.
fn helper(what: &str) -> Result<Child> {
    let mut child = Command::new("/proc/self/exe").arg(what).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let heard = child.stdout.take().map(BufReader::new).context("no output")?.read_line(&mut line);
    if heard? == 0 {
        end(child);
        bail!("{what} said nothing");
    }
    println!("# {what}: {}", line.trim());
    Ok(child)
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// Checks that a full audit log delays no lease, no read of a state and no removal of a device.
pub(super) fn full_backlog() -> Result<Outcome> {
    device::module()?;
    let control = Control::open()?;
    let stock = NVME.shows()?;
    let pressure = Pressure::start()?;
    let start = Instant::now();
    let staged = timed(|| control.stage_dac(NVME, LEASE_MS).map(drop));
    let read = timed(|| NVME.get("state").map(drop));
    let over = NVME.until("state", |state| state == "idle", PATIENCE).map(|_| start.elapsed());
    let replugged = timed(|| EDU.replug());
    drop(pressure);
    let times = [
        ("STAGE", staged?),
        ("reading state", read?),
        ("the lease", over?),
        ("removing a device", replugged?),
    ];
    println!("# {times:?}");
    for (what, took) in times {
        ensure!(took <= AT_ONCE, "{what} took {took:?} while the audit log was full");
    }
    ensure!(NVME.shows()? == stock, "{stock}; after the lease {}", NVME.shows()?);
    Ok(Outcome::Passed)
}
