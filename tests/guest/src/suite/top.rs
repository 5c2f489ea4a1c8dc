//! `iova top` on a real terminal: what a user types, what comes, and what is left behind.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("top.shows_and_gives_the_terminal_back", session), ("top.prints_plain_tables", batch)];

const PATIENCE: Duration = Duration::from_secs(60);
/// The size of a terminal that nobody has made larger.
const SIZE: (NonZeroU16, NonZeroU16) = (vt100::Parser::DEFAULT_ROWS, vt100::Parser::DEFAULT_COLS);

/// Both ends of a pseudo-terminal, and what is on its screen.
pub(crate) struct Pty {
    ours: File,
    theirs: OwnedFd,
    screen: vt100::Parser,
}

impl Pty {
    pub(crate) fn open() -> Result<Self> {
        let (mut ours, mut theirs) = (-1, -1);
        let size = libc::winsize { ws_row: SIZE.0.get(), ws_col: SIZE.1.get(), ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: two places for descriptors, no name, no settings, and a size to read.
        let result = unsafe {
            libc::openpty(
                &raw mut ours,
                &raw mut theirs,
                std::ptr::null_mut(),
                std::ptr::null(),
                &raw const size,
            )
        };
        ensure!(result == 0, "openpty: {}", std::io::Error::last_os_error());
        // SAFETY: both are open and ours alone.
        let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
        // SAFETY: a descriptor of ours and flags.
        let result = unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        ensure!(result == 0, "O_NONBLOCK: {}", std::io::Error::last_os_error());
        Ok(Self { ours: File::from(ours), theirs, screen: vt100::Parser::new(SIZE.0, SIZE.1, 0) })
    }

    pub(crate) fn start(&self, args: &[&str]) -> Result<Child> {
        let end = || self.theirs.try_clone().map(Stdio::from);
        let mut command = Command::new("iova");
        command.args(args).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.stdin(end()?).stdout(end()?).stderr(end()?);
        // SAFETY: both calls are safe between fork and exec; descriptor 0 is the terminal.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        command.spawn().context("starting iova")
    }

    pub(crate) fn press(&mut self, keys: &str) -> Result<()> {
        self.ours.write_all(keys.as_bytes()).context("typing")
    }

    /// Reads until the screen is so.
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&str) -> bool) -> Result<()> {
        let start = Instant::now();
        while !so(&self.screen.screen().contents()) {
            ensure!(start.elapsed() < PATIENCE, "no {what}, but {}", self.screen.screen().contents());
            self.read()?;
        }
        Ok(())
    }

    pub(crate) fn shows(&mut self, text: &str) -> Result<()> {
        self.until(text, |screen| screen.contains(text))
    }

    /// True while a program has the screen to itself.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    fn read(&mut self) -> Result<()> {
        let mut bytes = [0; 4096];
        match self.ours.read(&mut bytes) {
            Ok(count) => self.screen.process(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut fd = libc::pollfd { fd: self.ours.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                // SAFETY: one entry.
                unsafe { libc::poll(&raw mut fd, 1, 100) };
            }
            Err(error) => return Err(error).context("reading the terminal"),
        }
        Ok(())
    }

    /// How the terminal is set: flags of input, output, control and local modes.
    pub(crate) fn settings(&self) -> Result<[libc::tcflag_t; 4]> {
        // SAFETY: zeroes are a valid termios.
        let mut termios: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: a terminal of ours, and a termios to write to.
        let result = unsafe { libc::tcgetattr(self.theirs.as_raw_fd(), &raw mut termios) };
        ensure!(result == 0, "tcgetattr: {}", std::io::Error::last_os_error());
        Ok([termios.c_iflag, termios.c_oflag, termios.c_cflag, termios.c_lflag])
    }

    pub(crate) fn wait(&mut self, child: &mut Child) -> Result<i32> {
        let start = Instant::now();
        loop {
            // Who writes to a full terminal would never end.
            self.read()?;
            if let Some(status) = child.try_wait()? {
                self.read()?;
                return status.code().context("it ended by a signal");
            }
            ensure!(start.elapsed() < PATIENCE, "it does not end");
        }
    }
}

fn session() -> Result<Outcome> {
    let mut pty = Pty::open()?;
    let before = pty.settings()?;
    let mut child = pty.start(&["top", "200ms"])?;
    pty.shows("nvme0n1")?;
    pty.shows("LIVE")?;
    ensure!(
        pty.is_taken() && pty.settings()? != before,
        "the terminal is as before, so keys would be echoed"
    );
    pty.press("?")?;
    pty.shows("show or hide this help")?;
    pty.press("?")?;
    pty.until("table", |screen| screen.contains("nvme0n1") && !screen.contains("this help"))?;
    pty.press("ss")?;
    pty.shows("vp99")?;
    pty.press("/nvme\r")?;
    pty.until("only the disk", |screen| screen.contains("nvme0n1") && !screen.contains("eth0"))?;
    pty.press("\r")?;
    pty.shows("space below 4 GiB, now")?;
    pty.press("p")?;
    pty.shows("PAUSED")?;
    pty.press("q")?;
    let code = pty.wait(&mut child)?;
    ensure!(code == 0, "the exit code is {code}");
    ensure!(!pty.is_taken() && pty.settings()? == before, "the terminal was not given back");
    by_signal(&mut pty, before)
}

/// A signal ends it as well as a key does.
fn by_signal(pty: &mut Pty, before: [libc::tcflag_t; 4]) -> Result<Outcome> {
    let mut child = pty.start(&["top"])?;
    pty.shows("LIVE")?;
    ensure!(pty.is_taken(), "the screen is not taken");
    // SAFETY: a process of ours that has not been waited for.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
    let code = pty.wait(&mut child)?;
    ensure!(code == 0, "the exit code after SIGTERM is {code}");
    ensure!(!pty.is_taken() && pty.settings()? == before, "the terminal was not given back");
    Ok(Outcome::Passed)
}

fn batch() -> Result<Outcome> {
    let output =
        Command::new("iova").args(["top", "200ms", "--batch", "-n", "3", "--format", "json"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(text.lines().count() == 3, "three intervals, but {} lines", text.lines().count());
    for line in text.lines() {
        let report: serde_json::Value = serde_json::from_str(line).context("a line is no JSON")?;
        ensure!(report["schema"] == "iova.report", "the schema is {}", report["schema"]);
        ensure!(report["devices"].as_array().is_some_and(|devices| !devices.is_empty()), "no devices");
    }
    let output = Command::new("iova").arg("top").output()?;
    ensure!(output.status.code() == Some(2), "without a terminal: {:?}", output.status);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(said.contains("--batch"), "without a terminal it says {said}");
    Ok(Outcome::Passed)
}
