//! The binary as a user meets it: exit codes, closed pipes, signals.
//!
//! What needs a kernel with an IOMMU is in the VM suites; these tests run anywhere, so those that measure are skipped
//! on a host that has one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of these tests are not marked as tests"
)]

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn iova(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iova"));
    command.args(args).env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
    // A test run in the background of a script inherits an ignored SIGINT, and iova respects that as it should.
    // SAFETY: signal() is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        })
    };
    command
}

fn run(args: &[&str]) -> Output {
    iova(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// True if a report needs no privilege here, because no device is behind an IOMMU.
fn nothing_to_measure() -> bool {
    std::fs::read_dir("/sys/kernel/iommu_groups").map_or(true, |mut groups| groups.next().is_none())
}

#[test]
fn wrong_usage_is_exit_code_2_with_a_hint() {
    for (args, hint) in [
        (&["report", "--duration", "10x"][..], "no unit of time"),
        (&["report", "--duration", "0"], "10ms to 24h"),
        (&["report", "--profile", "heavy"], "light, default, full"),
        (&["report", "--fail-on", "fatal"], "note, info, warning, critical"),
        (&["report", "--format", "xml"], "text, json"),
        (&["report", "--duration", "1s", "--", "true"], "cannot be used with"),
        (&["policy", "try", "eth0", "dac:99"], "33 to 57"),
        (&["policy", "try", "eth0", "forcedac"], "no policy"),
        (&["policy", "try", "eth0", "dac:40", "--for", "10x"], "no unit of time"),
        (&["policy", "try", "eth0", "dac:40", "--keep-if-ok"], "COMMAND"),
        (&["policy", "revert"], "DEVICE"),
        (&["policy", "revert", "eth0", "--all"], "cannot be used with"),
        (&["policy", "set", "eth0"], "POLICY"),
        (&["top", "--theme", "blue"], "dark, light, mono"),
        (&["top", "--mouse=5"], "true, false"),
        (&["export", "--listen", "9969"], "HOST:PORT or unix:/PATH"),
        (&["export", "--listen", "unix:x"], "absolute path"),
        (&["export", "--interval", "10m"], "10ms to 5m"),
        (&["export", "--top", "0"], "1..=1000"),
        (&["export", "--keep"], "--textfile"),
        #[cfg(feature = "otlp")]
        (&["export", "--otlp", "https://x"], "http:// URL"),
        (&["compat", "build"], "--format"),
        (&["compat", "build", "--format", "xml"], "hwdb, rules, c, markdown, json"),
        (&["compat", "check", "--format", "xml"], "text, json"),
        (&["reprot"], "report"),
        (&[], "Usage"),
    ] {
        let output = run(args);
        let complaint = text(&output.stderr);
        assert_eq!(code(&output), 2, "{args:?}: {complaint}");
        assert!(complaint.contains(hint), "{args:?}: {complaint}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_names_the_exit_codes() {
    let policy = [
        "show", "explain", "try", "confirm", "revert", "set", "flush", "release", "log", "persist", "forget",
    ];
    let policy = policy.map(|command| vec!["policy", command, "--help"]);
    let others = [
        vec!["--help"],
        vec!["report", "--help"],
        vec!["top", "--help"],
        vec!["export", "--help"],
        vec!["doctor", "--help"],
        vec!["devices", "--help"],
        vec!["compat", "--help"],
        vec!["compat", "lint", "--help"],
        vec!["compat", "build", "--help"],
        vec!["compat", "check", "--help"],
        vec!["compat", "merge", "--help"],
    ];
    for args in others.iter().chain(&policy).chain([&vec!["policy", "--help"]]) {
        let output = run(args);
        assert_eq!(code(&output), 0);
        assert!(text(&output.stdout).contains("xit codes"), "{args:?}");
    }
    assert!(text(&run(&["report", "-h"]).stdout).lines().count() < 40, "-h is the short one");
}

/// Before anything is measured.
#[test]
fn a_report_for_the_list_is_only_written_on_a_word() {
    let there = env!("CARGO_MANIFEST_DIR");
    for (args, hint) in [
        (&["--compat", "--format", "json"][..], "--format"),
        (&["--compat", "--fail-on", "warning"], "--fail-on"),
        (&["--compat", "--record", "x"], "--record"),
        (&["--output", "x"], "--compat"),
        (&["--product"], "--compat"),
        (&["--compat", "--yes"], "--output"),
        (&["--compat", "--output", "/tmp/no-such-report"], "say --yes"),
        (&["--compat", "--yes", "--output", there], "choose another"),
    ] {
        let output = run(&[&["report"], args].concat());
        let complaint = text(&output.stderr);
        assert_eq!(code(&output), 2, "{args:?}: {complaint}");
        assert!(complaint.contains(hint) && output.stdout.is_empty(), "{args:?}: {complaint}");
    }
}

#[test]
fn an_unknown_device_is_one_sentence_and_exit_code_2() {
    for command in ["devices", "report"] {
        let flag: &[&str] = if command == "report" { &["--device"] } else { &[] };
        let output = run(&[&[command], flag, &["no\x1b[2Jsuch"]].concat());
        let complaint = text(&output.stderr);
        assert_eq!(code(&output), 2, "{complaint}");
        assert!(complaint.starts_with("iova: ") && complaint.lines().count() == 1, "{complaint:?}");
        assert!(!complaint.contains('\x1b'), "{complaint:?}");
    }
}

/// Before the kernel is touched, and so without any rights.
#[test]
fn what_an_exporter_cannot_have_is_one_sentence_and_exit_code_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (args, hint) in [
        (["--listen", taken.as_str()], "choose another address"),
        (["--listen", "unix:/no/such/directory/socket"], "choose another path"),
        (["--listen", "systemd"], "iova-export.socket"),
        (["--textfile", "/no/such/directory/iova.prom"], "choose a directory"),
        (["--textfile", "/tmp/iova.txt"], "*.prom"),
    ] {
        let output = run(&[&["export"], &args[..]].concat());
        let complaint = text(&output.stderr);
        assert_eq!(code(&output), 2, "{complaint}");
        assert!(complaint.starts_with("iova: --") && complaint.contains(hint), "{complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = iova(&["devices"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
}

#[test]
fn the_exit_code_of_the_command_is_in_the_report_and_not_ours() {
    if !nothing_to_measure() {
        return;
    }
    let output = run(&["report", "--format", "json", "--", "sh", "-c", "exit 3"]);
    assert_eq!(code(&output), 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["command"]["exit_code"], 3);
    assert_eq!(report["command"]["argv"][2], "exit 3");
    let missing = run(&["report", "--", "/no/such/command"]);
    assert_eq!(code(&missing), 2);
    assert!(text(&missing.stderr).contains("cannot run '/no/such/command'"));
}

#[test]
fn fail_on_has_nothing_to_judge_where_nothing_is_measured() {
    if !nothing_to_measure() {
        return;
    }
    assert_eq!(code(&run(&["report"])), 0);
    for limit in ["note", "critical"] {
        let output = run(&["report", "--fail-on", limit]);
        assert_eq!(code(&output), 2, "{limit}");
        assert!(text(&output.stderr).contains("nothing was measured"), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("No IOVA allocation happens here"), "the report is there");
    }
}

#[test]
fn a_terminated_measurement_still_prints_its_report_and_tells_the_command() {
    if !nothing_to_measure() {
        return;
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let args = ["report", "--format", "json", "--", "sh", "-c", "echo up; exec sleep 60"];
        let mut child = iova(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // The command's own output keeps out of the report's way.
        let mut ready = [0; 3];
        child.stderr.as_mut().unwrap().read_exact(&mut ready).unwrap();
        let start = Instant::now();
        // SAFETY: the child is ours and not reaped yet.
        unsafe { libc::kill(child.id() as i32, signal) };
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(30), "it did not wait for the command's own end");
        let report: serde_json::Value = serde_json::from_str(&rest).unwrap();
        assert_eq!(report["interrupted"], true);
        assert_eq!(report["command"]["signal"], signal);
    }
}

#[test]
fn a_pipe_gets_no_colour_unless_asked() {
    assert!(!run(&["devices"]).stdout.contains(&0x1b));
    let ascii = run(&["report", "--ascii"]);
    assert!(ascii.stdout.is_ascii());
}

/// A directory for configuration files, gone afterwards.
struct ConfigHome(std::path::PathBuf);

impl ConfigHome {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("iova-cli-{name}-{}", std::process::id())))
    }

    fn top(&self, args: &[&str]) -> Output {
        let args = [&["top"], args].concat();
        iova(&args).env("XDG_CONFIG_HOME", &self.0).env("HOME", "/nowhere").output().unwrap()
    }
}

impl Drop for ConfigHome {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn write_config_writes_once_and_says_where() {
    let home = ConfigHome::new("write");
    let path = home.0.join("iova/top.toml");
    let output = home.top(&["--write-config"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
    assert!(text(&output.stdout).starts_with(path.to_str().unwrap()), "{}", text(&output.stdout));
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("#read-only = false"), "{written}");
    let again = home.top(&["--write-config"]);
    let complaint = text(&again.stderr);
    assert_eq!(code(&again), 2);
    assert!(complaint.contains("stays as it is") && complaint.lines().count() == 1, "{complaint}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    // What was written can be read: what fails next is the terminal.
    assert!(text(&home.top(&[]).stderr).contains("needs a terminal"));
}

#[test]
fn without_a_place_for_it_no_config_is_written() {
    let output =
        iova(&["top", "--write-config"]).env_remove("XDG_CONFIG_HOME").env_remove("HOME").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("--config FILE"), "{}", text(&output.stderr));
}

#[test]
fn an_error_in_the_config_is_one_sentence_and_exit_code_2() {
    let home = ConfigHome::new("errors");
    let path = home.0.join("iova/top.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (content, hint) in [
        ("mouse = true\nintervall = \"1s\"\n", "line 2: 'intervall' is no key here: use interval, profile"),
        ("theme = \"\u{1b}[2J\"", "line 1: "),
        ("theme = \"blue\"", "line 1: theme: use one of \"dark\", \"light\", \"mono\""),
    ] {
        std::fs::write(&path, content).unwrap();
        let named = ["--config", path.to_str().unwrap()];
        for args in [&[][..], &["--batch"], &named] {
            let output = home.top(args);
            let complaint = text(&output.stderr);
            assert_eq!(code(&output), 2, "{complaint}");
            assert!(complaint.starts_with("iova: /") && complaint.contains(hint), "{complaint}");
            assert!(complaint.lines().count() == 1 && !complaint.contains('\x1b'), "{complaint:?}");
        }
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let complaint = text(&home.top(&[]).stderr);
    assert!(complaint.contains("no regular file"), "{complaint}");
    let missing = home.top(&["--config", "/no/such/file.toml"]);
    assert_eq!(code(&missing), 2);
    assert!(text(&missing.stderr).contains("/no/such/file.toml"));
}
