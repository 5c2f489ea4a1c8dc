//! Running `iova` and judging how it ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::bpf::Objects;

/// Nothing here takes a tenth of it, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A command that says when it has begun, and lasts until its standard input is closed.
pub(crate) const UNTIL_CLOSED: [&str; 4] = ["--", "sh", "-c", "echo up; exec cat"];

/// How `iova` ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `iova` with these arguments, its streams caught.
pub(crate) fn iova(args: &[&str]) -> Command {
    let mut command = Command::new("/bin/iova");
    command.args(args).env("LC_ALL", "C.UTF-8").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `iova` to its end.
pub(crate) fn ask(args: &[&str]) -> Result<Answer> {
    answer(iova(args)).with_context(|| format!("iova {}", args.join(" ")))
}

/// Runs a prepared `iova` to its end.
pub(crate) fn answer(command: Command) -> Result<Answer> {
    Running::start(command)?.end()
}

impl Answer {
    /// Demands an exit code; the answer goes on to further questions.
    pub(crate) fn code(self, code: i32) -> Result<Self> {
        let stderr = self.stderr.trim();
        ensure!(self.status.code() == Some(code), "{}, not exit code {code}: {stderr}", self.status);
        Ok(self)
    }

    /// Demands that standard error holds exactly one sentence of ours, with all of these words.
    pub(crate) fn sentence(self, words: &[&str]) -> Result<Self> {
        let line = self.stderr.trim_end_matches('\n');
        ensure!(line.starts_with("iova: ") && !line.contains('\n'), "not one sentence: {line:?}");
        for word in words {
            ensure!(line.contains(word), "{line:?} says nothing of {word:?}");
        }
        Ok(self)
    }

    /// Demands that nothing was complained about.
    pub(crate) fn quiet(self) -> Result<Self> {
        ensure!(self.stderr.is_empty(), "on standard error: {:?}", self.stderr);
        Ok(self)
    }

    /// Demands all of these words in the output, whose lines may break anywhere.
    pub(crate) fn says(self, words: &[&str]) -> Result<Self> {
        let flat = self.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            ensure!(flat.contains(word), "the output says nothing of {word:?}: {flat}");
        }
        Ok(self)
    }

    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {:.200}", self.stdout))
    }
}

/// An `iova` at work.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<String>,
    heard: String,
    before: Objects,
    deadline: Instant,
}

impl Running {
    pub(crate) fn start(command: Command) -> Result<Self> {
        Self::start_beside(command, Objects::now()?)
    }

    /// Starts while another one is at work: `before` is what the kernel held without both.
    pub(crate) fn start_beside(mut command: Command, before: Objects) -> Result<Self> {
        let mut child = command.spawn().context("starting iova")?;
        let stdout = child.stdout.take().map_or_else(|| mpsc::channel().1, whole);
        let stderr = child.stderr.take().map_or_else(|| mpsc::channel().1, lines);
        let deadline = Instant::now() + PATIENCE;
        Ok(Self { child, stdout, stderr, heard: String::new(), before, deadline })
    }

    /// Starts `iova report` and returns when it measures; it goes on until [`Running::end`].
    pub(crate) fn measure(args: &[&str]) -> Result<Self> {
        Self::measure_beside(args, Objects::now()?)
    }

    pub(crate) fn measure_beside(args: &[&str], before: Objects) -> Result<Self> {
        let mut command = iova(&[&["report"], args, &UNTIL_CLOSED].concat());
        command.stdin(Stdio::piped());
        let mut running = Self::start_beside(command, before)?;
        running.hear("up")?;
        Ok(running)
    }

    pub(crate) fn pid(&self) -> libc::pid_t {
        self.child.id().cast_signed()
    }

    /// What the kernel held before this one was started.
    pub(crate) fn before(&self) -> Objects {
        self.before.clone()
    }

    /// Waits for a line on standard error.
    pub(crate) fn hear(&mut self, wanted: &str) -> Result<()> {
        self.hear_one(wanted, |line| line.trim_end() == wanted, false)
    }

    /// Waits for a line on standard error that has this in it; it is kept for the answer.
    pub(crate) fn hear_part(&mut self, wanted: &str) -> Result<()> {
        self.hear_one(wanted, |line| line.contains(wanted), true)
    }

    fn hear_one(&mut self, wanted: &str, is_it: impl Fn(&str) -> bool, keep: bool) -> Result<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) if is_it(&line) => {
                    self.heard.push_str(if keep { &line } else { "" });
                    return Ok(());
                }
                Ok(line) => self.heard.push_str(&line),
                Err(_) => {
                    let _ = self.child.kill();
                    bail!("it never said {wanted:?}, but: {}", self.heard.trim());
                }
            }
        }
    }

    /// Waits until the kernel holds a link of it: then it catches signals.
    pub(crate) fn attached(&mut self) -> Result<()> {
        while Objects::now()?.without(&self.before).links.is_empty() {
            ensure!(self.child.try_wait()?.is_none(), "it ended instead of attaching");
            ensure!(Instant::now() < self.deadline, "it never attached");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: no pointers; the child is ours and not reaped, so the id is its own.
        unsafe { libc::kill(self.pid(), signal) };
    }

    /// Lets the measured command end.
    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The measured command goes on until this is dropped, or a signal ends it.
    pub(crate) fn keep_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Lets the measured command end, collects everything, and looks at what is left in the kernel.
    pub(crate) fn end(self) -> Result<Answer> {
        let before = self.before.clone();
        let answer = self.end_beside()?;
        before.wait_until_back()?;
        Ok(answer)
    }

    /// The same while another one is at work: what is in the kernel is not ours alone.
    pub(crate) fn end_beside(mut self) -> Result<Answer> {
        self.close_stdin();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let stdout = match self.stdout.recv_timeout(left) {
            Ok(bytes) => bytes,
            Err(mpsc::RecvTimeoutError::Disconnected) => Vec::new(),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                bail!("it did not end");
            }
        };
        let status = self.child.wait()?;
        self.heard.extend(self.stderr.iter());
        let stdout = String::from_utf8(stdout).context("the output is no UTF-8")?;
        ensure!(!self.heard.contains("panicked"), "it panicked: {}", self.heard);
        ensure!(!matches!(status.signal(), Some(libc::SIGABRT | libc::SIGSEGV)), "it crashed: {status}");
        Ok(Answer { status, stdout, stderr: std::mem::take(&mut self.heard) })
    }
}

/// A test that fails leaves nobody at work.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn whole(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    receiver
}

/// A remark between the results.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "# {text}");
}

/// The device of a report with this address and presence.
pub(crate) fn device<'a>(report: &'a Value, bdf: &str, presence: &str) -> Result<&'a Value> {
    let devices = report["devices"].as_array().context("no devices in the report")?;
    let mut found = devices.iter().filter(|device| device["bdf"] == bdf && device["presence"] == presence);
    let device = found.next().with_context(|| {
        let all: Vec<_> =
            devices.iter().map(|device| format!("{} {}", device["bdf"], device["presence"])).collect();
        format!("the report has no {presence} {bdf}: {}", all.join(", "))
    })?;
    ensure!(found.next().is_none(), "{bdf} is in the report twice as {presence}");
    Ok(device)
}

/// Its allocations.
pub(crate) fn allocations(device: &Value) -> Result<u64> {
    device["alloc"]["count"].as_u64().context("no alloc.count")
}

/// Why a report has no value for a metric.
pub(crate) fn unknown<'a>(report: &'a Value, metric: &str) -> Result<&'a str> {
    let list = report["quality"]["unknown"].as_array().context("no quality.unknown")?;
    let entry = list.iter().find(|entry| entry["metric"] == metric);
    let why = entry.and_then(|entry| entry["why"].as_str());
    why.with_context(|| format!("{metric} is not said to be unknown: {list:?}"))
}
