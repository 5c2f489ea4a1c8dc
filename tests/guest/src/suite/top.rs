//! `iova top` on a real terminal: what a user types, what comes, and what is left behind.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::robust::{NVME, hotplug};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("top.shows_and_gives_the_terminal_back", session),
    ("top.prints_plain_tables", batch),
    ("top.goes_on_without_the_device_it_shows", unplugged),
    ("top.without_an_input_says_so", no_input),
    ("top.ends_with_its_terminal", hung_up),
    ("top.lives_in_one_cell", one_cell),
];

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
        Self::of_size(SIZE)
    }

    pub(crate) fn of_size((rows, columns): (NonZeroU16, NonZeroU16)) -> Result<Self> {
        let (mut ours, mut theirs) = (-1, -1);
        let size = libc::winsize { ws_row: rows.get(), ws_col: columns.get(), ws_xpixel: 0, ws_ypixel: 0 };
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
        // Who inherits our end keeps its own terminal alive.
        for (fd, command, flags) in [
            (&ours, libc::F_SETFL, libc::O_NONBLOCK),
            (&ours, libc::F_SETFD, libc::FD_CLOEXEC),
            (&theirs, libc::F_SETFD, libc::FD_CLOEXEC),
        ] {
            // SAFETY: a descriptor of ours and flags.
            let result = unsafe { libc::fcntl(fd.as_raw_fd(), command, flags) };
            ensure!(result == 0, "fcntl: {}", std::io::Error::last_os_error());
        }
        Ok(Self { ours: File::from(ours), theirs, screen: vt100::Parser::new(rows, columns, 0) })
    }

    pub(crate) fn start(&self, args: &[&str]) -> Result<Child> {
        self.start_with(args, |_| {})
    }

    /// Starts it in a session of its own, with this terminal; `last` is for what is different.
    pub(crate) fn start_with(&self, args: &[&str], last: impl FnOnce(&mut Command)) -> Result<Child> {
        let end = || self.theirs.try_clone().map(Stdio::from);
        let mut command = Command::new("iova");
        command.args(args).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.stdin(end()?).stdout(end()?).stderr(end()?);
        // SAFETY: both calls are safe between fork and exec; descriptor 1 is the terminal.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(1, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        last(&mut command);
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

    /// Reads all there is, without waiting for more.
    pub(crate) fn take_all(&mut self) -> Result<()> {
        let mut fd = libc::pollfd { fd: self.ours.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry.
        while unsafe { libc::poll(&raw mut fd, 1, 0) } > 0 {
            self.read()?;
        }
        Ok(())
    }

    /// True while a program has the screen to itself.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    fn until_taken(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.is_taken() {
            ensure!(start.elapsed() < PATIENCE, "the screen is not taken");
            self.read()?;
        }
        Ok(())
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

    /// Quits by the key, and looks at what is left.
    fn quit(&mut self, child: &mut Child, before: [libc::tcflag_t; 4]) -> Result<Outcome> {
        self.press("q")?;
        let code = self.wait(child)?;
        ensure!(code == 0, "the exit code is {code}");
        ensure!(!self.is_taken() && self.settings()? == before, "the terminal was not given back");
        Ok(Outcome::Passed)
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
    pty.press("s")?;
    pty.shows("vp99")?;
    pty.press("/nvme\r")?;
    pty.until("only the disk", |screen| screen.contains("nvme0n1") && !screen.contains("eth0"))?;
    pty.press("\r")?;
    pty.shows("space below 4 GiB, now")?;
    for (key, ending) in [("t", "txt"), ("j", "json"), ("h", "html"), ("r", "iova")] {
        pty.press("e")?;
        pty.shows("t text  j JSON  h HTML  r recording")?;
        pty.press(key)?;
        pty.until("where it is", |screen| {
            screen.contains("are in ./iova-report-") && screen.contains(&format!(".{ending}"))
        })?;
    }
    pty.press("p")?;
    pty.shows("PAUSED")?;
    pty.quit(&mut child, before)?;
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

/// The device that is looked at goes, and comes back.
fn unplugged() -> Result<Outcome> {
    let mut pty = Pty::open()?;
    let before = pty.settings()?;
    let mut child = pty.start(&["top", "200ms"])?;
    pty.shows("nvme0n1")?;
    pty.press("/nvme\r\r")?;
    pty.shows("space below 4 GiB, now")?;
    hotplug::unplug(NVME, "/dev/nvme0n1")?;
    let gone = pty.shows("is not there any more");
    // Others need it, whatever came of this.
    hotplug::plug("/dev/nvme0n1")?;
    gone?;
    pty.shows("space below 4 GiB, now")?;
    pty.quit(&mut child, before)
}

/// There is a screen, but nobody could ever press a key.
fn no_input() -> Result<Outcome> {
    let mut pty = Pty::open()?;
    let before = pty.settings()?;
    let close = || {
        // SAFETY: close is safe between fork and exec.
        unsafe { libc::close(0) };
        Ok(())
    };
    let mut child = pty.start_with(&["top"], |command| {
        // SAFETY: the closure makes only that call.
        unsafe { command.pre_exec(close) };
    })?;
    let code = pty.wait(&mut child)?;
    ensure!(code == 2, "the exit code is {code}");
    pty.shows("--batch")?;
    ensure!(!pty.is_taken() && pty.settings()? == before, "the terminal was not left alone");
    Ok(Outcome::Passed)
}

/// The window is closed, or the connection breaks.
fn hung_up() -> Result<Outcome> {
    let mut pty = Pty::open()?;
    let mut child = pty.start(&["top", "200ms"])?;
    pty.shows("LIVE")?;
    drop(pty);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.code().is_some_and(|code| code == 0 || code == 2), "it ended with {status}");
            return Ok(Outcome::Passed);
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            anyhow::bail!("it goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nothing of use is in a terminal so small, and nothing breaks.
fn one_cell() -> Result<Outcome> {
    let one = NonZeroU16::MIN;
    let mut pty = Pty::of_size((one, one))?;
    let before = pty.settings()?;
    let mut child = pty.start(&["top", "200ms"])?;
    pty.until_taken()?;
    pty.press("\r?fsp[")?;
    std::thread::sleep(Duration::from_secs(1));
    pty.quit(&mut child, before)
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
