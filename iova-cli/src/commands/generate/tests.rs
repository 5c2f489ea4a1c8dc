use super::*;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn pages() -> Vec<(String, String)> {
    files(What::Man).unwrap()
}

fn page(name: &str) -> String {
    pages().into_iter().find(|(file, _)| file == name).unwrap().1
}

/// All commands, as manual pages are named.
fn commands(command: &clap::Command, name: &str, all: &mut BTreeSet<String>) {
    all.insert(format!("{name}.1"));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        commands(below, &format!("{name}-{}", below.get_name()), all);
    }
}

#[test]
fn every_command_has_a_page_with_its_flags() {
    let mut expected = BTreeSet::new();
    commands(&Args::command(), NAME, &mut expected);
    let pages = pages();
    assert_eq!(pages.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(pages[0].0, "iova.1");
    assert!(expected.contains("iova-policy-try.1"), "{expected:?}");
    let report = page("iova-report.1").replace("\\-", "-");
    for flag in ["--duration", "--device", "--profile", "--fail-on", "--color"] {
        assert!(report.contains(flag), "{flag} is missing in {report}");
    }
}

#[test]
fn a_help_text_is_taken_apart() {
    let page = page("iova-compat-merge.1");
    let parts: Vec<&str> = page.lines().filter(|line| line.starts_with(".SH")).collect();
    assert_eq!(
        parts,
        [
            ".SH NAME",
            ".SH SYNOPSIS",
            ".SH DESCRIPTION",
            ".SH OPTIONS",
            ".SH NOTES",
            ".SH EXAMPLES",
            ".SH \"EXIT STATUS\"",
            ".SH \"SEE ALSO\""
        ]
    );
    assert!(!page.contains("Exit codes:") && !page.contains("Examples:"), "{page}");
}

/// groff reads them without a complaint, and shows every example as it is.
#[test]
fn the_pages_are_good_for_groff() {
    for (name, text) in pages() {
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-Wbreak", "-P-c", "-rLL=100n"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut groff) = groff else {
            println!("no groff here: not tried");
            return;
        };
        groff.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = groff.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
        if name == "iova-report.1" {
            let shown = String::from_utf8(output.stdout).unwrap();
            assert!(
                shown.contains("iova report --format json -- fio job.fio      while fio runs"),
                "{shown}"
            );
        }
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let (name, script) = files(What::Bash).unwrap().remove(0);
    assert_eq!(name, "iova");
    for (words, expected) in [
        ("iova re", "report record replay"),
        ("iova report --dura", "--duration"),
        ("iova policy rev", "revert"),
    ] {
        let last = words.split(' ').next_back().unwrap();
        let count = words.split(' ').count() - 1;
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={count}; _iova iova {last:?} ''; echo \"${{COMPREPLY[*]}}\""
        );
        let output = Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{output:?}");
    }
}

#[test]
fn other_shells_look_for_other_names() {
    assert_eq!(files(What::Zsh).unwrap()[0].0, "_iova");
    assert_eq!(files(What::Fish).unwrap()[0].0, "iova.fish");
}

#[test]
fn a_directory_that_cannot_be_is_named() {
    let error = write(Path::new("/proc/iova-man"), &files(What::Fish).unwrap()).unwrap_err();
    assert!(error.message.starts_with("--out /proc/iova-man: it can't be made"), "{}", error.message);
}
