//! `iova compat` as a user meets it, on records that the test writes. No IOMMU is necessary.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are not marked as tests")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const RECORD: &str = r#"name = "Maker Part"
verdict = "cap"
width = 43
failure = "truncated"
evidence = "report"
note = "It drops bits."

[[match]]
device = "1b21:0612"

[[reference]]
url = "https://example.org/report"
says = "Data was lost."
opened = true
"#;

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("iova-compat-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("list")).unwrap();
        Self(path)
    }

    fn record(&self, name: &str, text: &str) {
        fs::write(self.0.join("list").join(name), text).unwrap();
    }

    fn iova(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iova"));
        command.arg("compat").args(args).current_dir(&self.0);
        command.env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8").output().unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn lint_names_every_mistake_as_a_compiler_does() {
    let dir = Dir::new("lint");
    dir.record("maker-part.toml", RECORD);
    let good = dir.iova(&["lint", "list"]);
    assert_eq!((code(&good), out(&good).as_str()), (0, "1 record, no complaint\n"));
    dir.record("maker-a.toml", &RECORD.replace("43", "99").replace("lost.", "lost"));
    dir.record("maker-z.toml", RECORD);
    let bad = dir.iova(&["lint", "list"]);
    assert_eq!(code(&bad), 1);
    let lines: Vec<String> = out(&bad).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("list/maker-a.toml:3: width: cap has 24 to 63 bits"), "{lines:?}");
    assert!(lines[1].starts_with("list/maker-a.toml:13: says: "), "{lines:?}");
    assert!(lines[2].starts_with("list/maker-z.toml:8: 1b21:0612 has a record"), "{lines:?}");
    let one = dir.iova(&["lint", "list/maker-part.toml"]);
    assert_eq!(code(&one), 0, "{}", out(&one));
    let none = dir.iova(&["lint", "nowhere"]);
    assert!(code(&none) == 1 && out(&none).starts_with("nowhere:1: it can't be read"), "{}", out(&none));
}

#[test]
fn build_writes_to_standard_output_a_file_or_a_directory() {
    let dir = Dir::new("build");
    dir.record("maker-part.toml", RECORD);
    let names = [
        ("hwdb", "60-iova-policy.hwdb", "ID_IOVA_WIDTH_MAX=43"),
        ("rules", "61-iova-policy.rules", "iova_policy/cap"),
        ("c", "iova_policy_list.h", ", 43, 0x00, 0xff },"),
        ("markdown", "compat.md", "| 43 |"),
        ("json", "compat.json", "\"width\": 43"),
    ];
    for (format, name, part) in names {
        let plain = dir.iova(&["build", "--format", format, "--list", "list"]);
        assert!(code(&plain) == 0 && out(&plain).contains(part), "{format}: {}", out(&plain));
        let written = dir.iova(&["build", "--format", format, "--list", "list", "--out", "new/place"]);
        assert_eq!((code(&written), out(&written).as_str()), (0, ""));
        assert_eq!(fs::read_to_string(dir.0.join("new/place").join(name)).unwrap(), out(&plain));
        let file = dir.iova(&["build", "--format", format, "--list", "list", "-o", "file"]);
        assert_eq!((code(&file), fs::read_to_string(dir.0.join("file")).unwrap()), (0, out(&plain)));
    }
    // The list that is built in.
    assert_eq!(code(&dir.iova(&["build", "--format", "json"])), 0);
    dir.record("maker-part.toml", &RECORD.replace("43", "x"));
    let broken = dir.iova(&["build", "--format", "hwdb", "--list", "list"]);
    assert!(code(&broken) == 2 && complaint(&broken).starts_with("iova: list/maker-part.toml:3: "));
    let nowhere = dir.iova(&["build", "--format", "hwdb", "-o", "no/such/place"]);
    assert!(code(&nowhere) == 2 && complaint(&nowhere).contains("choose another place"));
}

#[test]
fn check_says_what_the_list_says_about_this_host() {
    let dir = Dir::new("check");
    dir.record("maker-part.toml", RECORD);
    let json = dir.iova(&["check", "--list", "list", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(
        (document["schema"].as_str(), document["records"].as_u64()),
        (Some("iova.compat.check"), Some(1))
    );
    let unknown = dir.iova(&["check", "no\x1b[2Jsuch"]);
    assert!(code(&unknown) == 2 && !complaint(&unknown).contains('\x1b'), "{}", complaint(&unknown));
    let several = dir.iova(&["check", "--format", "udev"]);
    assert!(code(&several) == 2 && complaint(&several).contains("PCI address"), "{}", complaint(&several));
    // A record about a device of this machine, if it has any.
    let Some(device) = document["devices"].as_array().and_then(|devices| devices.first()) else { return };
    let (bdf, id) = (device["bdf"].as_str().unwrap(), device["id"].as_str().unwrap());
    dir.record("maker-part.toml", &RECORD.replace("1b21:0612", id));
    let text = dir.iova(&["check", bdf, "--list", "list"]);
    assert!(out(&text).contains("maker-part: at most 43 bits"), "{}", out(&text));
    assert!(out(&text).contains("https://example.org/report") && out(&text).contains("It drops bits."));
    let udev = dir.iova(&["check", bdf, "--list", "list", "--format", "udev"]);
    assert!(code(&udev) == 0 && out(&udev).contains("ID_IOVA_WIDTH_MAX=43\n"), "{}", out(&udev));
}

/// A device that was verified to 48 bits, once with and once without that.
const REPORT: &str = include_str!("../../iova-core/src/compat/report/tests/sample.json");

impl Dir {
    fn report(&self, name: &str, host: &str, text: &str) {
        fs::write(self.0.join(name), text.replace(&"07".repeat(16), &host.repeat(16))).unwrap();
    }

    /// Every file below it.
    fn files(&self) -> Vec<String> {
        let names = |dir: &std::path::Path| -> Vec<String> {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
        };
        let mut all = [names(&self.0), names(&self.0.join("new"))].concat();
        all.sort();
        all
    }
}

#[test]
fn three_hosts_make_a_record_that_lint_takes() {
    let dir = Dir::new("merge");
    for (name, host) in [("a", "01"), ("b", "02"), ("c", "03"), ("d", "03")] {
        dir.report(name, host, REPORT);
    }
    let two = dir.iova(&["merge", "a", "b"]);
    assert!(
        out(&two).contains("an ok needs 3") && out(&two).contains("nothing is proposed"),
        "{}",
        out(&two)
    );
    let three = dir.iova(&["merge", "a", "b", "c", "d", "--out", "new"]);
    assert_eq!(code(&three), 0, "{}", String::from_utf8_lossy(&three.stderr));
    let text = out(&three);
    for part in ["4 reports", "3 hosts", "one host", "ok 48", "1b36-0010-ok-on-1b36-000c.toml"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(out(&dir.iova(&["lint", "new"])), "1 record, no complaint\n");
    let other = dir.iova(&["merge", "d", "c", "b", "a", "--format", "json"]);
    let same = dir.iova(&["merge", "a", "b", "c", "d", "--format", "json"]);
    assert_eq!(out(&other), out(&same), "the order of the files must not matter");
    assert!(out(&same).contains("\"schema\": \"iova.compat.merge\""));
    // The same again is no conflict; another record of that name is.
    assert_eq!(code(&dir.iova(&["merge", "a", "b", "c", "--out", "new"])), 0);
    fs::write(dir.0.join("new/1b36-0010-ok-on-1b36-000c.toml"), "mine").unwrap();
    let conflict = dir.iova(&["merge", "a", "b", "c", "--out", "new"]);
    assert_eq!(code(&conflict), 2);
    assert!(
        String::from_utf8_lossy(&conflict.stderr)
            .contains("--out new: 1b36-0010-ok-on-1b36-000c.toml is there")
    );
    assert_eq!(fs::read_to_string(dir.0.join("new/1b36-0010-ok-on-1b36-000c.toml")).unwrap(), "mine");
}

#[test]
fn what_is_no_report_is_named_and_nothing_is_written() {
    let dir = Dir::new("merge-bad");
    for (name, host) in [("a", "01"), ("b", "02"), ("c", "03")] {
        dir.report(name, host, REPORT);
    }
    dir.report("later", "04", &REPORT.replace("\"schema_version\": 1", "\"schema_version\": 9"));
    dir.report("more", "05", &REPORT.replacen("\"devices\"", "\"host\u{1b}[2J\": \"x\", \"devices\"", 1));
    fs::write(dir.0.join("huge"), vec![b' '; 5 << 20]).unwrap();
    fs::write(dir.0.join("text"), "hello").unwrap();
    let before = dir.files();
    let bad = ["later", "more", "huge", "text", "list", "gone", "/dev/zero"];
    let output = dir.iova(&[&["merge", "a", "b", "c", "--out", "new"], &bad[..]].concat());
    let complaints = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(
        (code(&output), complaints.lines().count(), out(&output)),
        (2, bad.len(), String::new()),
        "{complaints}"
    );
    for (line, name) in complaints.lines().zip(bad) {
        assert!(line.starts_with(&format!("iova: {name}: it ")) && !line.contains('\u{1b}'), "{line}");
    }
    assert_eq!(dir.files(), before);
    assert_eq!(code(&dir.iova(&["merge"])), 2);
}
