use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::policy::history::{Action, Entry, ToolEntry};
use crate::policy::module::Record;
use crate::policy::testdir::{DEVICE, TestDir, device};
use crate::policy::{Cause, Mechanisms};

const DAC: Policy = Policy::Dac(40);

fn identity(dir: &TestDir) -> Identity {
    Identity::read(&dir.root(), DEVICE).unwrap()
}

fn log(dir: &TestDir, action: Action, policy: Policy, identity: Identity) {
    let entry = ToolEntry::new(&dir.root(), action, device(), identity, policy);
    History::at(dir.state()).append(&Entry::now(&dir.root(), entry)).unwrap();
}

fn try_persist(dir: &TestDir) -> Result<Saved, PersistError> {
    persist(&dir.state(), &History::at(dir.state()), &dir.root(), device(), DAC)
}

/// A machine with a persisted policy, and a sysfs to write it to.
fn persisted(name: &str) -> TestDir {
    let dir = TestDir::new(name);
    log(&dir, Action::Confirm, DAC, identity(&dir));
    try_persist(&dir).unwrap();
    dir.file("sys/module/iova_policy/version", "1");
    dir.file(&format!("sys/bus/pci/devices/{DEVICE}/iova_policy/policy"), "stock");
    dir
}

fn tried(dir: &TestDir) -> u32 {
    list(&dir.state())[0].as_ref().unwrap().tried
}

fn written(dir: &TestDir) -> String {
    fs::read_to_string(dir.path().join(format!("sys/bus/pci/devices/{DEVICE}/iova_policy/policy"))).unwrap()
}

fn boot(dir: &TestDir, id: &str) -> Outcome {
    dir.boot(id);
    dir.file(&format!("sys/bus/pci/devices/{DEVICE}/iova_policy/policy"), "stock");
    restore(&dir.state(), &dir.root()).remove(0).outcome
}

#[test]
fn only_what_was_confirmed_is_persisted() {
    let dir = TestDir::new("confirmed");
    assert!(matches!(try_persist(&dir), Err(PersistError::NotConfirmed { .. })));
    log(&dir, Action::Try, DAC, identity(&dir));
    log(&dir, Action::Confirm, Policy::Dac(36), identity(&dir));
    let other = Identity { subsystem: (1, 2), ..identity(&dir) };
    log(&dir, Action::Confirm, DAC, other);
    let error = try_persist(&dir).unwrap_err().to_string();
    assert!(error.contains("iova policy try 0000:00:04.0 dac:40"), "{error}");
    log(&dir, Action::Confirm, DAC, identity(&dir));
    let saved = try_persist(&dir).unwrap();
    assert_eq!((saved.policy, saved.tried), (DAC, 0));
    assert!(saved.confirmed_s > 1_600_000_000);
}

#[test]
fn a_fault_after_the_confirmation_speaks_against_it() {
    let dir = TestDir::new("failed");
    log(&dir, Action::Confirm, DAC, identity(&dir));
    log(&dir, Action::Quarantine, Policy::Dac(48), identity(&dir));
    assert!(try_persist(&dir).is_ok(), "a wider policy failed");
    log(&dir, Action::Quarantine, Policy::Dac(36), identity(&dir));
    assert!(matches!(try_persist(&dir), Err(PersistError::FailedSince { .. })));
    log(&dir, Action::Confirm, DAC, identity(&dir));
    assert!(try_persist(&dir).is_ok());
}

/// The module's records are merged when somebody gets round to it.
#[test]
fn old_faults_may_come_late() {
    let dir = TestDir::new("late");
    let history = History::at(dir.state());
    let fault = |seq, time_ns| Record {
        seq,
        time_ns,
        bdf: device(),
        id: (0x1b36, 0x10),
        generation: 2,
        cause: Cause::Fault,
        old: Some(DAC),
        new: Some(Policy::Stock),
        refusal: None,
        mechanisms: Mechanisms::default(),
        loginuid: None,
        uid: 0,
        pid: 1,
        comm: "iova".into(),
        evidence: None,
    };
    log(&dir, Action::Confirm, DAC, identity(&dir));
    history.merge(&dir.root(), &[fault(0, 1000)]).unwrap();
    assert!(try_persist(&dir).is_ok(), "before the confirmation");
    history.merge(&dir.root(), &[fault(1, u64::MAX / 2)]).unwrap();
    assert!(matches!(try_persist(&dir), Err(PersistError::FailedSince { .. })));
    let commit = Record { cause: Cause::Commit, new: Some(Policy::Dac(48)), ..fault(2, u64::MAX / 2 + 1) };
    history.merge(&dir.root(), &[commit]).unwrap();
    let other = persist(&dir.state(), &history, &dir.root(), device(), Policy::Dac(48));
    assert!(matches!(other, Err(PersistError::NotConfirmed { .. })), "the record knows no subsystem");
}

#[test]
fn the_file_can_be_read_by_people_and_by_nobody_else() {
    let dir = persisted("file");
    let path = dir.state().path().join("policies").join(format!("{DEVICE}.toml"));
    let text = fs::read_to_string(&path).unwrap();
    for line in [
        "device = \"0000:00:04.0\"",
        "identity = \"1b36:0010:1af4:1100\"",
        "policy = \"dac:40\"",
        "tried = 0",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(forget(&dir.state(), device()).unwrap());
    assert!(!forget(&dir.state(), device()).unwrap());
    assert!(list(&dir.state()).is_empty());
}

#[test]
fn it_is_marked_before_and_cleared_after() {
    let dir = persisted("marked");
    assert!(matches!(boot(&dir, "b2"), Outcome::Applied));
    assert_eq!((written(&dir).as_str(), tried(&dir)), ("dac:40", 1));
    assert!(matches!(restore(&dir.state(), &dir.root()).remove(0).outcome, Outcome::Applied));
    assert_eq!(tried(&dir), 1, "one boot is one try");
    assert_eq!(boot_ok(&dir.state(), &dir.root()).unwrap().len(), 1);
    assert_eq!(tried(&dir), 0);
    assert_eq!(boot_ok(&dir.state(), &dir.root()).unwrap().len(), 0);
}

#[test]
fn two_boots_that_did_not_come_up_are_enough() {
    let dir = persisted("twice");
    assert!(matches!(boot(&dir, "b2"), Outcome::Applied));
    assert!(matches!(boot(&dir, "b3"), Outcome::Applied));
    let outcome = boot(&dir, "b4");
    assert!(matches!(&outcome, Outcome::Skipped(why) if why.contains("2 boots")), "{outcome:?}");
    assert_eq!(written(&dir), "stock");
    assert_eq!(boot_ok(&dir.state(), &dir.root()).unwrap().len(), 0, "this boot did not try it");
    assert!(matches!(boot(&dir, "b5"), Outcome::Skipped(_)));
    let skips = History::at(dir.state()).read().unwrap().entries;
    let text = serde_json::to_string(&skips).unwrap();
    assert!(text.contains("\"action\":\"skip\"") && text.contains("did not come up"), "{text}");
}

#[test]
fn the_second_try_may_succeed() {
    let dir = persisted("second");
    assert!(matches!(boot(&dir, "b2"), Outcome::Applied));
    assert!(matches!(boot(&dir, "b3"), Outcome::Applied));
    assert_eq!((tried(&dir), boot_ok(&dir.state(), &dir.root()).unwrap().len(), tried(&dir)), (2, 1, 0));
}

#[test]
fn a_quarantine_made_since_keeps_it_from_being_applied() {
    let dir = persisted("local");
    let record = |width: u8| {
        format!(
            "name = \"QEMU\"\nverdict = \"cap\"\nwidth = {width}\nfailure = \"unknown\"\nevidence = \"report\"\n\
             note = \"Ours.\"\n[[match]]\ndevice = \"1b36:0010\"\n[[reference]]\nurl = \"https://example.org/1\"\n\
             says = \"Ours.\"\nopened = true\n"
        )
    };
    dir.file("etc/iova/compat.d/qemu.toml", &record(40));
    assert!(matches!(boot(&dir, "b2"), Outcome::Applied), "it is within the cap");
    for (id, text, why) in [("b3", record(36), "caps it at 36 bits"), ("b4", record(99), "qemu.toml:3")] {
        boot_ok(&dir.state(), &dir.root()).unwrap();
        dir.file("etc/iova/compat.d/qemu.toml", &text);
        assert!(matches!(boot(&dir, id), Outcome::Skipped(said) if said.contains(why)), "{why}");
        assert_eq!(written(&dir), "stock");
    }
}

#[test]
fn another_device_in_its_place_gets_nothing() {
    let dir = persisted("swapped");
    dir.file(&format!("sys/bus/pci/devices/{DEVICE}/subsystem_device"), "0x1234");
    let outcome = boot(&dir, "b2");
    assert!(matches!(&outcome, Outcome::Skipped(why) if why.contains("another device")), "{outcome:?}");
    fs::remove_dir_all(dir.path().join(format!("sys/bus/pci/devices/{DEVICE}"))).unwrap();
    let gone = restore(&dir.state(), &dir.root()).remove(0).outcome;
    assert!(matches!(&gone, Outcome::Skipped(why) if why.contains("no device")), "{gone:?}");
    assert_eq!(tried(&dir), 0);
}

#[test]
fn a_module_that_is_missing_is_no_try() {
    let dir = persisted("missing");
    fs::remove_dir_all(dir.path().join("sys/module/iova_policy")).unwrap();
    fs::remove_dir_all(dir.path().join(format!("sys/bus/pci/devices/{DEVICE}/iova_policy"))).unwrap();
    dir.boot("b2");
    let outcome = restore(&dir.state(), &dir.root()).remove(0).outcome;
    assert!(matches!(outcome, Outcome::Failed(crate::policy::module::ModuleError::NotLoaded)), "{outcome:?}");
    assert_eq!(tried(&dir), 0);
}

#[test]
fn damaged_files_are_named_and_the_others_are_applied() {
    let dir = persisted("damaged");
    for (name, text) in
        [("0000:00:05.0", "policy = "), ("0000:00:06.0", "\u{0}"), ("0000:00:07.0", "tried = -1")]
    {
        dir.file(&format!("state/policies/{name}.toml"), text);
    }
    let other =
        fs::read_to_string(dir.state().path().join("policies").join(format!("{DEVICE}.toml"))).unwrap();
    dir.file("state/policies/0000:00:08.0.toml", &other);
    dir.boot("b2");
    let all = restore(&dir.state(), &dir.root());
    let unusable = all.iter().filter(|one| matches!(one.outcome, Outcome::Unusable(_))).count();
    assert_eq!((all.len(), unusable), (5, 4), "{all:?}");
    assert_eq!(written(&dir), "dac:40");
}

#[test]
fn stock_and_missing_devices_are_refused() {
    let dir = TestDir::new("refused");
    let history = History::at(dir.state());
    let ask = |device, policy| persist(&dir.state(), &history, &dir.root(), device, policy).unwrap_err();
    assert!(matches!(ask(device(), Policy::Stock), PersistError::Stock));
    assert!(matches!(ask("0000:00:09.0".parse().unwrap(), DAC), PersistError::NoDevice(_)));
}
