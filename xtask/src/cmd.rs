//! Running other programs: quiet when they work, the command line and the end of their output when not.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

const TAIL_LINES: usize = 40;

/// A command that dies with us: SIGINT reaches it through the process group, and if we are killed in
/// another way the kernel ends it.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // SAFETY: prctl is async-signal-safe and touches only the child.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
    command
}

/// Runs it and shows nothing unless it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    captured(command).map(drop)
}

/// Runs it and returns what it printed to stdout.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&captured(command)?.stdout).into_owned())
}

/// Runs it and returns stdout and stderr together, in the order stdout, stderr.
pub(crate) fn both(command: &mut Command) -> Result<String> {
    let output = captured(command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

/// Runs it on our own terminal.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("{status} from: {}", line(command));
    }
    Ok(())
}

/// Whether it starts and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Where a program is on PATH, with the directories Debian keeps out of a user's PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(extra).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn captured(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("{} from: {}\n{}", output.status, line(command), tail(&output));
    }
    Ok(output)
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`; is it installed? (`cargo xtask setup` installs what is needed)",
        line(command)
    )
}

/// The command as one would type it, with the variables that were set for it.
pub(crate) fn line(command: &Command) -> String {
    let vars = command.get_envs().filter_map(|(key, value)| {
        let value = value?.to_string_lossy().replace('\x1f', " ");
        Some(format!("{}={}", key.to_string_lossy(), quoted(&value)))
    });
    let args = std::iter::once(command.get_program()).chain(command.get_args());
    vars.chain(args.map(|arg| quoted(&arg.to_string_lossy()))).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:+,@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{word}'") }
}

fn tail(output: &Output) -> String {
    let all = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = all.lines().collect();
    let cut = lines.len().saturating_sub(TAIL_LINES);
    let skipped = if cut > 0 { format!("    ({cut} lines before this)\n") } else { String::new() };
    skipped + &lines[cut..].iter().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_shows_its_output() {
        let error = run(command("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("sh -c") && error.contains("why"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_program_is_a_sentence() {
        let error = run(&mut command("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("is it installed?"), "{error}");
    }

    #[test]
    fn long_output_is_cut_to_its_end() {
        let error = run(command("sh").args(["-c", "seq 1000; false"])).unwrap_err().to_string();
        assert!(error.contains("960 lines before this") && error.ends_with("1000"), "{error}");
    }
}
