use super::*;
use crate::policy::testdir::TestDir;

fn bdf(number: u32) -> Bdf {
    Bdf::from_raw(number << 3)
}

fn plan() -> Plan {
    let identity = Identity { id: (0x1234, 0x11e8), subsystem: (0, 0) };
    let suspect = |number| Suspect { bdf: bdf(number), identity, driver: "edu".into(), width: 48 };
    Plan {
        schema_version: 1,
        id: "5f3a".into(),
        kernel: "6.12".into(),
        image: PathBuf::from("/boot/vmlinuz"),
        initrd: PathBuf::from("/boot/initrd"),
        more: Some("iommu.forcedac=1".into()),
        suspects: (8..10).map(suspect).collect(),
        left_out: Vec::new(),
        bisect: true,
        reboot: false,
        watch_ms: 1000,
        command: Vec::new(),
        rounds: Vec::new(),
        answer: None,
    }
}

#[test]
fn it_is_on_disk_and_comes_back() {
    let dir = TestDir::new("boot-trial");
    assert_eq!(load(&dir.state()).unwrap(), None);
    let mut plan = plan();
    dir.file("proc/cmdline", "root=/dev/sda1 iommu.forcedac=1\n");
    let line = plan.add_round(&dir.root(), vec![bdf(8), bdf(9)]);
    assert_eq!(line, "root=/dev/sda1 iova.trial=5f3a.1/48=00:08.0,00:09.0 iommu.forcedac=1 panic=30");
    plan.save(&dir.state()).unwrap();
    assert_eq!(load(&dir.state()).unwrap(), Some(plan.clone()));
    let aside = plan.put_aside(&dir.state()).unwrap();
    assert!(aside.ends_with("boot-trial/5f3a.done.json"));
    assert_eq!(load(&dir.state()).unwrap(), None);
}

#[test]
fn a_half_is_without_what_reaches_all() {
    let dir = TestDir::new("boot-trial-half");
    dir.file("proc/cmdline", "x iova.trial=5f3a.1/48=00:08.0,00:09.0 iommu.forcedac=1 panic=30");
    assert_eq!(plan().add_round(&dir.root(), vec![bdf(9)]), "x iova.trial=5f3a.1/48=00:09.0 panic=30");
}

#[test]
fn where_it_stands_is_seen_from_the_boot() {
    let dir = TestDir::new("boot-trial-place");
    dir.boot("b1");
    dir.file("proc/cmdline", "x");
    let mut plan = plan();
    assert_eq!(plan.place(&dir.root()), Place::Between);
    let line = plan.add_round(&dir.root(), vec![bdf(8)]);
    assert_eq!(plan.place(&dir.root()), Place::Ahead);
    dir.boot("b2");
    assert_eq!(plan.place(&dir.root()), Place::Missed, "it came up without the parameter");
    dir.file("proc/cmdline", &line);
    assert_eq!(plan.place(&dir.root()), Place::Here);
    plan.is_up(&dir.state(), &dir.root()).unwrap();
    assert_eq!(plan.place(&dir.root()), Place::Here);
    dir.boot("b3");
    assert_eq!(plan.place(&dir.root()), Place::Missed, "it went down before it was looked at");
    plan.open_round().unwrap().outcome = Some(RoundOutcome::Lost);
    assert_eq!(plan.place(&dir.root()), Place::Between);
}

#[test]
fn a_damaged_plan_is_named() {
    let dir = TestDir::new("boot-trial-damaged");
    for text in ["", "{", "[]", "{\"schema_version\": 1}"] {
        dir.file("state/boot-trial/plan.json", text);
        let error = load(&dir.state()).unwrap_err().to_string();
        assert!(error.contains("plan.json") && error.contains("remove it"), "{error}");
    }
}

#[test]
fn one_at_a_time() {
    let dir = TestDir::new("boot-trial-held");
    let held = hold(&dir.state()).unwrap();
    assert!(held.is_some() && hold(&dir.state()).unwrap().is_none());
    drop(held);
    assert!(hold(&dir.state()).unwrap().is_some());
}
