//! A part of a recording, replayed.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are not marked as tests")]

use std::process::{Command, Output};

use serde_json::Value;

/// 28 seconds in which a disk's space fills up.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/v1.iova");
const DISK: &str = "0000:00:04.0";

fn replay(args: &[&str]) -> Output {
    let args = [&["replay", FILE][..], args].concat();
    Command::new(env!("CARGO_BIN_EXE_iova")).args(args).env("LC_ALL", "C.UTF-8").output().unwrap()
}

fn report(args: &[&str]) -> Value {
    let output = replay(&[args, &["report", "--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn disk(report: &Value) -> &Value {
    report["devices"].as_array().unwrap().iter().find(|device| device["bdf"] == DISK).unwrap()
}

fn count(report: &Value) -> u64 {
    disk(report)["alloc"]["count"].as_u64().unwrap()
}

#[test]
fn a_part_is_what_was_counted_in_it() {
    let whole = report(&[]);
    let parts =
        [&["--until", "10s"][..], &["--from", "10s", "--until", "-5s"], &["--from", "-5s"]].map(report);
    let length = |report: &Value| report["duration_s"].as_f64().unwrap();
    assert!(length(&parts[0]) <= 10.0 && length(&parts[0]) > 7.0, "{}", length(&parts[0]));
    assert!(length(&parts[2]) <= 5.0 && length(&parts[2]) > 2.0, "{}", length(&parts[2]));
    // Between two parts an interval is in neither.
    let sum: u64 = parts.iter().map(count).sum();
    assert!(sum <= count(&whole) && sum * 2 > count(&whole), "{sum} of {}", count(&whole));
    assert!(parts.iter().all(|part| part["interrupted"] == false));
}

#[test]
fn what_nobody_looked_at_is_unknown_with_its_reason() {
    let pressure = |report: &Value| disk(report)["low_space"]["pressure"].as_f64();
    let begun_later = report(&["--from", "10s"]);
    assert_eq!(pressure(&begun_later), pressure(&report(&[])));
    let output = replay(&["report", "--from", "3s", "--until", "4500ms"]);
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn a_part_that_is_none_is_refused() {
    for (args, says) in [
        (&["--from", "10m"][..], "no sample from --from"),
        (&["--from", "10s", "--until", "5s"], "later than --until"),
        (&["--from", "noon"], "21:40:00"),
        (&["--until", "5x"], "21:40:00"),
    ] {
        let output = replay(&[args, &["report"]].concat());
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
        assert!(complaint.contains(says), "{args:?}: {complaint}");
    }
}
