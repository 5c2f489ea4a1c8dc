//! Outputs that can't take it, and terminals of any width. No kernel with an IOMMU is necessary.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are not marked as tests")]

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

fn iova(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iova"));
    command.args(args).env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Closes streams before the program starts.
fn without(mut command: Command, streams: &'static [i32]) -> Output {
    // SAFETY: close is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            streams.iter().for_each(|&stream| {
                libc::close(stream);
            });
            Ok(())
        });
    }
    command.output().unwrap()
}

#[test]
fn a_full_disk_is_one_sentence_and_exit_code_2() {
    for args in [&["devices"][..], &["doctor"], &["devices", "--format", "json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = iova(args).stdout(full).output().unwrap();
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
        assert!(complaint.starts_with("iova: standard output cannot be written: "), "{complaint:?}");
        assert_eq!(complaint.lines().count(), 1, "{complaint:?}");
    }
}

#[test]
fn closed_streams_are_no_reason_to_fail() {
    let closed: [&'static [i32]; 4] = [&[0], &[1], &[2], &[0, 1, 2]];
    for streams in closed {
        let output = without(iova(&["devices"]), streams);
        assert_eq!(output.status.code(), Some(0), "{streams:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_complaint_nobody_can_read_keeps_its_exit_code() {
    let mut command = iova(&["devices", "no-such-device"]);
    command.stderr(Stdio::null());
    assert_eq!(without(command, &[2]).status.code(), Some(2));
}

#[test]
fn any_width_will_do() {
    for columns in ["0", "1", "20", "80", "100000", "x", "-1", "99999999999999999999"] {
        let output = iova(&["doctor"]).env("COLUMNS", columns).output().unwrap();
        assert!(matches!(output.status.code(), Some(0..=2)), "{columns}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("iova doctor"), "{columns}");
    }
}
