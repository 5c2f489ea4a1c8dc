//! Single allocations and frees of a recording of the lab: listed, summed up, copied.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are not marked as tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// 6.12 behind a VT-d, one call in 16; see fixtures/README.md.
const CALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/calls.iova");
const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/v1.iova");

fn iova(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_iova")).args(args).env("LC_ALL", "C.UTF-8").output().unwrap()
}

fn said(args: &[&str]) -> String {
    let output = iova(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn listed(file: &str, more: &[&str]) -> Vec<Value> {
    let args = [&["replay", file, "events", "--format", "json"][..], more].concat();
    said(&args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn info(file: &str) -> Value {
    serde_json::from_str(&said(&["record", "info", file, "--format", "json"])).unwrap()
}

fn place(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("iova-calls-{}-{name}.iova", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Allocations and frees that the counters of all devices have.
fn counted(file: &str) -> u64 {
    let report: Value = serde_json::from_str(&said(&["replay", file, "report", "--format", "json"])).unwrap();
    let count = |device: &Value, what: &str| device[what]["count"].as_u64().unwrap();
    report["devices"].as_array().unwrap().iter().map(|it| count(it, "alloc") + count(it, "free")).sum()
}

#[test]
fn each_call_is_kept_lost_or_passed_over() {
    let info = info(CALLS);
    let number = |name: &str| info["calls"][name].as_u64().unwrap();
    assert_eq!(number("sampling"), 16);
    assert_eq!(number("kept") + number("lost") + number("passed"), counted(CALLS));
    let list = listed(CALLS, &[]);
    assert_eq!(list.len() as u64, number("kept"));
    assert!(list.is_sorted_by_key(|call| call["time_ns"].as_u64()));
    let of = |kind: &str| list.iter().filter(|call| call["call"] == kind).count();
    assert!(of("alloc") > 100 && of("free") > 100);
    let text = said(&["record", "info", CALLS]);
    assert!(text.contains("allocations and frees, 1/16 drawn, 0 lost"), "{text}");
}

#[test]
fn only_the_wanted_devices_are_listed() {
    let all = listed(CALLS, &[]);
    let disk = listed(CALLS, &["--device", "nvme0n1"]);
    assert!(!disk.is_empty() && disk.len() < all.len());
    assert!(disk.iter().all(|call| call["device"] == "0000:00:04.0"));
    let text = said(&["replay", CALLS, "events", "--device", "nvme0n1"]);
    assert_eq!(text.lines().count(), disk.len() + 1);
    assert!(text.starts_with("time_ns "), "{text:.100}");
}

#[test]
fn a_copy_of_nobody_has_the_same_calls() {
    let copy = place("anonymous");
    said(&["record", "anonymize", CALLS, "-o", &copy.to_string_lossy()]);
    assert_eq!(listed(&copy.to_string_lossy(), &[]), listed(CALLS, &[]));
    assert_eq!(info(&copy.to_string_lossy())["calls"], info(CALLS)["calls"]);
    std::fs::remove_file(copy).unwrap();
}

#[test]
fn a_recording_without_calls_says_so() {
    let output = iova(&["replay", OLD, "events"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("v1.iova has no single allocations and frees: record with --events"));
    assert!(info(OLD)["calls"].is_null());
}

#[test]
fn a_share_that_is_none_is_refused() {
    for bad in
        ["--events=2/3", "--events=1/0", "--events=64", "--events=1/1000001", "--events=x", "--events="]
    {
        let output = iova(&["record", bad, "-o", "/nowhere/x.iova"]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}: {complaint}");
        assert!(complaint.contains("--events"), "{bad}: {complaint}");
    }
    assert!(!Path::new("/nowhere").exists());
}
