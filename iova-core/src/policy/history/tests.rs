use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::super::{Action, GapEntry, Identity, KernelEntry, ToolEntry, What};
use super::*;
use crate::policy::testdir::{TestDir, device};
use crate::policy::{Cause, Evidence, Mechanisms, Policy, Relation};

fn record(seq: u64, time_ns: u64) -> Record {
    Record {
        seq,
        time_ns,
        bdf: device(),
        id: (0x1b36, 0x10),
        generation: 3,
        cause: Cause::Stage,
        old: Some(Policy::Stock),
        new: Some(Policy::Dac(40)),
        refusal: None,
        mechanisms: Mechanisms::from_bits(3),
        loginuid: Some(1000),
        uid: 0,
        pid: 99,
        comm: "iova".into(),
        evidence: None,
    }
}

fn tool(dir: &TestDir, reason: &str) -> Entry {
    let identity = Identity::read(&dir.root(), "0000:00:04.0").unwrap();
    let entry = ToolEntry::new(&dir.root(), Action::Try, device(), identity, Policy::Dac(40));
    let evidence =
        Evidence { address: 0x7fff_f000, relation: Relation::Truncated { width: 39, live: 0x80_7fff_f000 } };
    let before = [("low_space.pressure".to_owned(), 0.5)].into();
    Entry::now(
        &dir.root(),
        ToolEntry { reason: Some(reason.into()), before, evidence: Some(evidence), ..entry },
    )
}

fn numbers(past: &Past) -> Vec<String> {
    let name = |entry: &Entry| match &entry.what {
        What::Kernel(KernelEntry { seq, .. }) => seq.to_string(),
        What::Tool(_) => "tool".to_owned(),
        What::Gap(GapEntry { from_seq, to_seq }) => format!("{from_seq}..{to_seq}"),
    };
    past.entries.iter().map(name).collect()
}

#[test]
fn entries_come_back_as_they_were() {
    let dir = TestDir::new("roundtrip");
    let history = History::at(dir.state());
    assert_eq!(history.read().unwrap(), Past::default());
    let entry = tool(&dir, "a reason with \"quotes\"\nand lines");
    history.append(&entry).unwrap();
    history.merge(&dir.root(), &[record(0, 10)]).unwrap();
    let past = history.read().unwrap();
    assert_eq!((past.entries.len(), past.unreadable), (2, 0));
    assert_eq!(past.entries[0], entry);
    let text = fs::read_to_string(history.path()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    for word in
        ["\"source\":\"tool\"", "\"device\":\"0000:00:04.0\"", "1b36:0010:1af4:1100", "\"cause\":\"stage\""]
    {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert_eq!(fs::metadata(history.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.state().path()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn records_are_merged_once() {
    let dir = TestDir::new("dedupe");
    let history = History::at(dir.state());
    let all: Vec<_> = (0..4).map(|n| record(n, n * 10)).collect();
    assert_eq!(history.merge(&dir.root(), &all[..2]).unwrap(), 2);
    assert_eq!(history.merge(&dir.root(), &all).unwrap(), 2);
    assert_eq!(history.merge(&dir.root(), &all).unwrap(), 0);
    assert_eq!(numbers(&history.read().unwrap()), ["0", "1", "2", "3"]);
}

#[test]
fn gaps_new_boots_and_reloaded_modules_are_told_apart() {
    let dir = TestDir::new("gaps");
    let history = History::at(dir.state());
    let merge = |records: &[Record]| history.merge(&dir.root(), records).unwrap();
    merge(&[record(3, 30), record(4, 40)]);
    merge(&[record(4, 40), record(9, 90)]);
    // Loaded again: the same numbers, later.
    merge(&[record(0, 100), record(1, 110)]);
    dir.boot("b2");
    merge(&[record(0, 200)]);
    let past = history.read().unwrap();
    assert_eq!(numbers(&past), ["0..2", "3", "4", "5..8", "9", "0", "1", "0"]);
    assert_eq!(past.entries.last().unwrap().boot, "b2");
}

#[test]
fn a_torn_last_line_spoils_only_itself() {
    let dir = TestDir::new("torn");
    let history = History::at(dir.state());
    history.append(&tool(&dir, "one")).unwrap();
    let torn = b"{\"time_ns\":1,\"boot\":\"b1\",\"sour";
    OpenOptions::new().append(true).open(history.path()).unwrap().write_all(torn).unwrap();
    assert_eq!(history.read().unwrap().unreadable, 1);
    history.append(&tool(&dir, "two")).unwrap();
    let past = history.read().unwrap();
    assert_eq!((past.entries.len(), past.unreadable), (2, 1));
    let text = fs::read(history.path()).unwrap();
    assert!(text.windows(torn.len()).any(|window| window == torn), "nothing is thrown away");
}

#[test]
fn garbage_is_counted_and_survived() {
    let dir = TestDir::new("garbage");
    let history = History::at(dir.state());
    history.append(&tool(&dir, "one")).unwrap();
    let garbage = b"\xff\xfe\n[]\n{\"source\":\"future\",\"time_ns\":1,\"boot\":\"x\"}\n\n";
    OpenOptions::new().append(true).open(history.path()).unwrap().write_all(garbage).unwrap();
    let past = history.read().unwrap();
    assert_eq!((past.entries.len(), past.unreadable), (1, 3));
}

#[test]
fn links_pipes_and_open_doors_are_refused() {
    let dir = TestDir::new("links");
    let history = History::at(dir.state());
    let append = || history.append(&tool(&dir, "x")).unwrap_err().to_string();
    fs::create_dir(dir.path().join("state")).unwrap();
    fs::set_permissions(dir.path().join("state"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(append().contains("others can write there"));
    fs::set_permissions(dir.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    let victim = dir.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, history.path()).unwrap();
    assert!(append().contains("symbolic link"));
    assert!(history.read().is_err());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    fs::remove_dir_all(dir.path().join("state")).unwrap();
    symlink(dir.path().join("elsewhere"), dir.path().join("state")).unwrap();
    assert!(history.append(&tool(&dir, "x")).is_err());
    assert!(!dir.path().join("elsewhere").exists());
}

/// A write beyond the limit of a file's size fails halfway, as on a full disk. In a process of its own, because the
/// limit is the process's.
#[test]
fn a_full_disk_loses_nothing() {
    let dir = TestDir::new("full");
    let history = History::at(dir.state());
    history.append(&tool(&dir, "before")).unwrap();
    let before = fs::read(history.path()).unwrap();
    let failed = in_a_child(|| {
        let limit = libc::rlimit { rlim_cur: before.len() as u64 + 100, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: a valid limit, and the child has one thread.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        }
        history.append(&tool(&dir, "too much")).is_err()
    });
    assert!(failed);
    assert_eq!(fs::read(history.path()).unwrap(), before);
    history.append(&tool(&dir, "after")).unwrap();
    assert_eq!((history.read().unwrap().entries.len(), history.read().unwrap().unreadable), (2, 0));
    let full = StateError::new(&history.path(), std::io::Error::from_raw_os_error(libc::ENOSPC));
    assert!(full.to_string().contains("nothing is lost"), "{full}");
}

fn in_a_child(test: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does file work only and ends without running anything of the parent's.
    match unsafe { libc::fork() } {
        0 => {
            let code = i32::from(!test());
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = 0;
            // SAFETY: our own child.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        }
    }
}

#[test]
fn two_writers_do_not_mix() {
    let dir = TestDir::new("two");
    let history = History::at(dir.state());
    let all: Vec<_> = (0..50).map(|n| record(n, n * 10)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| history.merge(&dir.root(), &all).unwrap());
        }
    });
    let past = history.read().unwrap();
    assert_eq!((past.entries.len(), past.unreadable), (50, 0));
}
