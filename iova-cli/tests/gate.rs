//! `iova gate` as a user meets it, on reports that the test makes. No kernel with an IOMMU is necessary.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are not marked as tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("iova-gate-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// `count` reports in files of their own: a disk whose allocations took about `mean` ns.
    fn reports(&self, name: &str, count: usize, mean: f64, noise: f64) -> Vec<String> {
        let one = |run: usize| {
            let file = format!("{name}{run}.json");
            self.write(&file, &report(mean * (1.0 + noise * (run * 7 % 10) as f64 / 10.0)));
            file
        };
        (0..count).map(one).collect()
    }

    fn gate(&self, args: &[&str]) -> Output {
        gate(&self.0, args).output().unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn gate(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iova"));
    command.arg("gate").args(args).current_dir(dir).env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
    command
}

fn report(mean: f64) -> String {
    format!(
        r#"{{"schema": "iova.report", "schema_version": 1, "profile": "default", "host": {{"kernel": "6.12", "cpus": 2}},
        "devices": [{{"bdf": "0000:00:04.0", "name": "NVMe", "driver": "nvme", "functions": ["nvme0n1"],
          "alloc": {{"count": 9000, "sac_failed": 0, "latency_ns": {{"mean": {mean}}}}},
          "low_space": {{"pressure": 0.31}}, "approximate": []}}], "domains": []}}"#
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn answer(output: &Output) -> (Option<i32>, String) {
    let both = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), both)
}

fn refs(files: &[String]) -> Vec<&str> {
    files.iter().map(String::as_str).collect()
}

#[test]
fn pass_regression_and_cannot_judge_are_0_1_and_4() {
    let dir = Dir::new("codes");
    let base = dir.reports("base", 10, 400.0, 0.02);
    for (name, count, mean, noise, code, said) in [
        ("same", 10, 401.0, 0.02, 0, "pass: 1 check"),
        ("slow", 10, 440.0, 0.02, 1, "regression: 1 of 1 check failed"),
        ("few", 1, 440.0, 0.02, 4, "too few runs: 10 and 1"),
        ("wild", 10, 300.0, 0.6, 4, "on each side would do"),
    ] {
        let new = dir.reports(name, count, mean, noise);
        for split in ["--with", "--"] {
            let output = dir.gate(&[&["compare"][..], &refs(&base), &[split], &refs(&new)].concat());
            let (got, all) = answer(&output);
            assert_eq!(got, Some(code), "{name}: {all}");
            assert!(all.contains(said), "{name}: {all}");
        }
    }
}

#[test]
fn every_format_goes_to_standard_output() {
    let dir = Dir::new("formats");
    let (base, new) = (dir.reports("base", 6, 400.0, 0.02), dir.reports("new", 6, 440.0, 0.02));
    for (format, start) in
        [("text", "regression"), ("json", "{"), ("junit", "<?xml"), ("markdown", "### iova gate")]
    {
        let args = [&["compare", "--format", format][..], &refs(&base), &["--with"], &refs(&new)].concat();
        let output = dir.gate(&args);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
        assert!(text(&output.stdout).starts_with(start), "{format}");
    }
}

#[test]
fn reports_are_checked_by_a_file_of_rules() {
    let dir = Dir::new("check");
    dir.write("gate.toml", "check = [\n  \"sac_failed == 0\",\n  \"low_space.pressure < 0.8\",\n]\n");
    dir.write("r.json", &report(400.0));
    let output = dir.gate(&["check", "--rules", "gate.toml", "r.json"]);
    assert_eq!(answer(&output).0, Some(0), "{output:?}");
    let output = dir.gate(&["check", "--rules", "gate.toml", "--check", "pressure < 30%", "r.json"]);
    let (code, all) = answer(&output);
    assert_eq!(code, Some(1), "{all}");
    assert!(all.contains("pressure < 30% (--check)") && all.contains("broken in 1 of 1 runs"), "{all}");
}

#[test]
fn several_documents_in_one_file_are_several_runs() {
    let dir = Dir::new("lines");
    let lines = |mean: f64| (0..5).map(|run| report(mean + f64::from(run))).collect::<Vec<_>>().join("\n");
    dir.write("base.json", &lines(400.0));
    let mut child = gate(&dir.0, &["compare", "base.json", "--with", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines(500.0).as_bytes()).unwrap();
    let (code, all) = answer(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(1), "{all}");
    assert!(all.contains("5 runs of the baseline, 5 of the candidate"), "{all}");
}

#[test]
fn exact_values_need_one_run() {
    let dir = Dir::new("values");
    let values = |value: u32| {
        format!(
            r#"{{"schema": "iova.values", "exact": true, "values": {{"instructions_per_pair": {value}}}}}"#
        )
    };
    dir.write("old.json", &values(3335));
    dir.write("new.json", &values(3369));
    let (code, all) = answer(&dir.gate(&["compare", "old.json", "--with", "new.json"]));
    assert_eq!(code, Some(1), "1 % more: {all}");
    assert!(all.contains("the figure repeats, so it is no chance"), "{all}");
    dir.write("new.json", &values(3350));
    assert_eq!(answer(&dir.gate(&["compare", "old.json", "--with", "new.json"])).0, Some(0));
}

#[test]
fn what_cannot_be_used_is_one_sentence_and_exit_code_2() {
    let dir = Dir::new("bad");
    dir.write("r.json", &report(400.0));
    for (name, content) in [
        ("empty.json", ""),
        ("half.json", &report(1.0)[..100]),
        ("other.json", "{\"schema\": \"iova.devices\"}"),
        ("text.json", "hello"),
        ("bad.toml", "check = [\n\"sac_faild == 0\"\n]"),
        ("none.toml", "alpha = 0.01"),
    ] {
        dir.write(name, content);
    }
    dir.write("deep.json", &"[".repeat(100_000));
    dir.write("long.json", &" ".repeat(9 << 20));
    for (args, hint) in [
        (&["check", "--check", "sac_failed == 0", "missing.json"][..], "missing.json cannot be read"),
        (&["check", "--check", "sac_failed == 0", "."], ". cannot be read: "),
        (&["check", "--check", "sac_failed == 0", "empty.json"], "empty.json is empty"),
        (&["check", "--check", "sac_failed == 0", "half.json"], "half.json is no JSON"),
        (&["check", "--check", "sac_failed == 0", "deep.json"], "deep.json is no JSON"),
        (&["check", "--check", "sac_failed == 0", "long.json"], "larger than 8 MiB"),
        (&["check", "--check", "sac_failed == 0", "/dev/zero"], "/dev/zero is no JSON"),
        (&["check", "--check", "sac_failed == 0", "text.json"], "text.json is no JSON"),
        (
            &["check", "--check", "sac_failed == 0", "other.json"],
            "other.json cannot be used: its schema is 'iova.devices'",
        ),
        (&["check", "--check", "sac_failed = 0", "r.json"], "--check: "),
        (&["check", "r.json"], "give --rules FILE or --check RULE"),
        (
            &["check", "--rules", "bad.toml", "r.json"],
            "bad.toml, line 2: 'sac_faild' is no metric: did you mean 'alloc.sac_failed'?",
        ),
        (&["check", "--rules", "none.toml", "r.json"], "none.toml has no rule"),
        (&["run", "--", "true"], "give --baseline FILE or --base COMMAND, or --save FILE"),
        (&["run", "--save", "r.json", "--", "true"], "--save: r.json cannot be made"),
    ] {
        let output = dir.gate(args);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
        assert!(complaint.starts_with("iova: ") && complaint.contains(hint), "{args:?}: {complaint}");
        assert_eq!((complaint.lines().count(), output.stdout.len()), (1, 0), "{args:?}: {complaint}");
    }
}

#[test]
fn usage_is_told_by_clap() {
    let dir = Dir::new("usage");
    for (args, hint) in [
        (&["compare", "a.json"][..], "--with"),
        (&["compare", "a.json", "--with", "b.json", "--", "c.json"], "cannot be used with"),
        (&["run", "--baseline", "a.json"], "COMMAND"),
        (&["run", "--baseline", "a.json", "--base", "x", "--", "y"], "cannot be used with"),
        (&["run", "-n", "0", "--save", "x", "--", "y"], "0 is not in 1..=1000"),
        (&["check"], "REPORT"),
        (&["compare", "--format", "xml"], "text, json, junit, markdown"),
    ] {
        let (code, all) = answer(&dir.gate(args));
        assert_eq!(code, Some(2), "{args:?}: {all}");
        assert!(all.contains(hint), "{args:?}: {all}");
    }
    for command in [&["--help"][..], &["run", "--help"], &["compare", "--help"], &["check", "--help"]] {
        assert!(answer(&dir.gate(command)).1.contains("xit codes"), "{command:?}");
    }
}

/// True if a measurement needs no privilege here, because no device is behind an IOMMU.
fn nothing_to_measure() -> bool {
    fs::read_dir("/sys/kernel/iommu_groups").map_or(true, |mut groups| groups.next().is_none())
}

#[test]
fn a_command_is_measured_and_saved() {
    if !nothing_to_measure() {
        return;
    }
    let dir = Dir::new("run");
    let output = dir.gate(&["run", "-n", "2", "--save", "base.json", "--", "sh", "-c", "echo x >> log"]);
    let (code, all) = answer(&output);
    assert_eq!(code, Some(0), "{all}");
    assert!(all.contains("run 3 of 3") && all.contains("2 runs are saved in base.json"), "{all}");
    assert_eq!(fs::read_to_string(dir.0.join("log")).unwrap(), "x\nx\nx\n", "and one to warm up");
    assert_eq!(fs::read_to_string(dir.0.join("base.json")).unwrap().lines().count(), 2);
    let output = dir.gate(&["run", "-n", "2", "--warm-up", "0", "--baseline", "base.json", "--", "true"]);
    let (code, all) = answer(&output);
    assert_eq!(code, Some(4), "nothing was measured, so nothing is judged: {all}");
    assert!(all.contains("there is nothing to judge"), "{all}");
}

#[test]
fn two_commands_take_turns() {
    if !nothing_to_measure() {
        return;
    }
    let dir = Dir::new("turns");
    let args = ["run", "-n", "2", "--base", "printf A >> log", "--check", "duration_s < 60s"];
    let output = dir.gate(&[&args[..], &["--", "sh", "-c", "printf B >> log"]].concat());
    let (code, all) = answer(&output);
    assert_eq!(code, Some(0), "{all}");
    assert_eq!(fs::read_to_string(dir.0.join("log")).unwrap(), "ABABBA");
}

#[test]
fn a_command_that_fails_is_not_judged() {
    if !nothing_to_measure() {
        return;
    }
    let dir = Dir::new("fails");
    let output = dir.gate(&["run", "-n", "2", "--save", "base.json", "--", "sh", "-c", "exit 3"]);
    let (code, all) = answer(&output);
    assert_eq!(code, Some(2), "{all}");
    assert!(all.contains("ended with exit code 3 in run 1"), "{all}");
    assert!(!dir.0.join("base.json").exists(), "no half a baseline");
}
