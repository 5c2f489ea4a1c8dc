//! Runs the job's command, and the duties of a PID 1 while it runs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use iova_guest::channel::{Channel, send};
use iova_guest::wire::Kind;
use iova_guest::{Job, Terminal, job};

/// What a shell returns for a command that it cannot find.
const NOT_FOUND: i32 = 127;

/// Runs the command to its end and returns its exit code. What it left running is killed, so that its files are
/// final when they are collected.
pub(crate) fn run(job: &Job, channel: &Channel, problems: &mut Vec<String>) -> Result<i32> {
    let Some((program, arguments)) = job.argv.split_first() else {
        problems.push("the job names no command".to_string());
        return Ok(NOT_FOUND);
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")
        .env("HOME", "/root")
        .current_dir("/root");
    command.envs(job.env.iter().map(|(key, value)| (key, value)));
    match &job.terminal {
        Some(terminal) => attach(&mut command, terminal)?,
        None => {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        }
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            problems.push(format!("{program}: {error}"));
            return Ok(NOT_FOUND);
        }
    };
    let (done, finished) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, Kind::Stdout, channel, &done);
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, Kind::Stderr, channel, &done);
    }
    drop(done);
    let code = reap_until(child.id() as libc::pid_t)?;
    // SAFETY: no pointers; from PID 1, -1 means every process but this one.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    // Both forwarders end when the last writer is gone; one stuck in the kernel must not hold up the report.
    while let Ok(()) = finished.recv_timeout(Duration::from_secs(10)) {}
    Ok(code)
}

/// Copies one output of the command to the host, as it comes.
fn forward(mut from: impl Read + Send + 'static, kind: Kind, channel: &Channel, done: &mpsc::Sender<()>) {
    let (channel, done) = (channel.clone(), done.clone());
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || send(&channel, kind, &buffer[..length]).is_err() {
                break;
            }
        }
        let _ = done.send(());
    });
}

/// Collects every process that ends (orphans become ours) until `pid` does.
fn reap_until(pid: libc::pid_t) -> Result<i32> {
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        let ended = unsafe { libc::waitpid(-1, &mut status, 0) };
        if ended == pid {
            let signalled = libc::WIFSIGNALED(status);
            return Ok(if signalled { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) });
        }
        if ended < 0 {
            let error = std::io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINTR) {
                return Err(error).context("waiting for the command");
            }
        }
    }
}

/// Makes the console the command's controlling terminal.
fn attach(command: &mut Command, terminal: &Terminal) -> Result<()> {
    let mut console =
        File::options().read(true).write(true).open(job::CONSOLE).context("opening the console")?;
    let size = libc::winsize { ws_row: terminal.rows, ws_col: terminal.cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open and `size` outlives the call.
    unsafe { libc::ioctl(console.as_raw_fd(), libc::TIOCSWINSZ, &size) };
    // What the firmware left on the screen is not the command's.
    console.write_all(b"\r")?;
    command.env("TERM", &terminal.term);
    command.stdin(console.try_clone()?).stdout(console.try_clone()?).stderr(console);
    // SAFETY: between fork and exec only async-signal-safe calls are made.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    Ok(())
}
