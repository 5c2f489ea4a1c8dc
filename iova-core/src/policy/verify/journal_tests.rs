use super::*;
use crate::policy::Policy;
use crate::policy::testdir::{DEVICE, TestDir};
use crate::policy::verify::{Addresses, Bound, Outcome, Work};

fn begun(dir: &TestDir) -> Event {
    Event::Begun(Begun {
        bdf: DEVICE.to_owned(),
        identity: Identity::read(&dir.root(), DEVICE).unwrap(),
        path: Some(vec![PciId(0x1b36, 0x000c)]),
        kernel: KernelName::of("6.12.95-alice@home", None),
        driver: "nvme".to_owned(),
        domain: "DMA-FQ".to_owned(),
        typed: true,
        proved: 32,
        to: None,
        step_ms: 1000,
        hold_ms: 1000,
        command: vec!["true".to_owned()],
        scratch: Some(Partition { number: 1, start: 2048, sectors: 4096, disk: None }),
    })
}

fn step(width: u8) -> Event {
    Event::Step { width, purpose: Purpose::Walk }
}

fn ended(width: u8, outcome: Outcome) -> Event {
    Event::Ended(StepRecord {
        number: 1,
        width,
        purpose: Purpose::Walk,
        policy: Policy::Dac(width),
        began_s: 1,
        lasted_s: 0.5,
        addresses: Addresses { count: 2, lowest: Some(0xb_7fff_0000), ..Addresses::default() },
        work: Work::default(),
        faults: vec![],
        pcie_errors: None,
        alias: None,
        outcome,
    })
}

fn resumed(domain: &str) -> Event {
    Event::Resumed { domain: Some(domain.to_owned()) }
}

fn open(dir: &TestDir) -> (Journal, Past) {
    Journal::open(&dir.state(), &dir.root(), DEVICE).unwrap()
}

#[test]
fn what_was_written_is_read_back() {
    let dir = TestDir::new("verify-journal");
    let (mut journal, past) = open(&dir);
    assert_eq!(past, Past::default());
    let ladder = Ladder { proved: 32, widths: vec![36, 37], closed: vec![33], top: 37, bound: Bound::Iommu };
    journal.note(begun(&dir)).unwrap();
    journal.note(step(36)).unwrap();
    journal.note(Event::Ladder(ladder.clone())).unwrap();
    journal.note(ended(36, Outcome::Passed)).unwrap();
    journal.note(step(37)).unwrap();
    let busy = Journal::open(&dir.state(), &dir.root(), DEVICE).unwrap_err();
    assert!(matches!(busy, JournalError::Busy(_)), "{busy}");
    drop(journal);

    dir.boot("b2");
    let (mut journal, past) = open(&dir);
    assert!(past.is_open() && past.boot == "b1" && journal.is_of_another_boot(&past));
    assert_eq!(past.begun.as_ref().unwrap().domain, "DMA-FQ");
    assert_eq!((past.steps.len(), past.cut.as_slice(), past.deadly()), (1, &[37][..], None));
    assert_eq!((past.ladder, past.steps[0].passed()), (Some(ladder), true));
    journal.note(resumed("DMA")).unwrap();
    journal.note(step(37)).unwrap();
    drop(journal);

    let (mut journal, past) = open(&dir);
    assert_eq!((past.boot.as_str(), past.deadly()), ("b2", Some(37)), "twice is enough");
    assert!(!journal.is_of_another_boot(&past));
    assert_eq!(past.begun.unwrap().domain, "DMA", "what this boot has to be put back to");
    journal.note(ended(37, Outcome::Truncated { at_least: 36, at_most: 36 })).unwrap();
    let answer = Some(Verdict::Verified { bits: 36, short: None });
    journal.note(Event::Closed { answer }).unwrap();
    let aside = journal.put_aside().unwrap();
    assert!(aside.exists());
    let text = std::fs::read_to_string(&aside).unwrap();
    let past = Past::of(&text);
    assert!(!past.is_open() && past.closed);
    assert_eq!(past.steps[1].outcome, Outcome::Truncated { at_least: 36, at_most: 36 });
    assert_eq!(open(&dir).1, Past::default(), "the next one begins anew");
}

#[test]
fn who_is_asked_to_end_has_not_crashed() {
    let dir = TestDir::new("verify-stopped");
    for _ in 0..3 {
        let (mut journal, _) = open(&dir);
        for event in [begun(&dir), step(36), Event::Stopped, resumed("DMA-FQ"), step(36), Event::Stopped] {
            journal.note(event).unwrap();
        }
    }
    let (_, past) = open(&dir);
    assert_eq!((past.is_open(), past.cut.as_slice(), past.deadly()), (true, &[][..], None));
}

#[test]
fn every_cut_through_the_file_is_read() {
    let dir = TestDir::new("verify-torn");
    let (mut journal, _) = open(&dir);
    for event in [begun(&dir), step(36), ended(36, Outcome::Passed), step(37)] {
        journal.note(event).unwrap();
    }
    let path = journal.path().to_owned();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let (mut journal, past) = open(&dir);
        assert!(past.steps.len() <= 1 && past.cut.len() <= 1, "{cut}");
        // What is appended then is not lost in the torn line.
        journal.note(Event::Closed { answer: None }).unwrap();
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(Past::of(&text).closed, "{cut}");
    }
}

#[test]
fn a_full_disk_is_said_before_anything_is_done() {
    let dir = TestDir::new("verify-full");
    let (mut journal, _) = open(&dir);
    journal.file = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert!(matches!(journal.note(step(36)), Err(StateError::Full { .. })));
}

#[test]
fn what_is_closed_and_still_in_its_place_is_put_aside() {
    let dir = TestDir::new("verify-aside");
    for number in 1..=2 {
        let (mut journal, past) = open(&dir);
        assert_eq!(past, Past::default(), "{number}");
        // A clock that stands still: both began at the same time.
        journal.note(begun(&dir)).unwrap();
        journal.note(Event::Closed { answer: None }).unwrap();
    }
    let (journal, past) = open(&dir);
    assert_eq!(past, Past::default(), "what is closed is nothing to go on with");
    let place = journal.path().parent().unwrap().to_owned();
    journal.discard();
    let names = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.len() == 2 && names.iter().all(|name| name.ends_with(".done.jsonl")), "{names:?}");
}

#[test]
fn a_line_of_an_older_iova_is_understood() {
    let line = r#"{"time_s":1,"boot":"b","event":"resumed"}"#;
    let entry: Entry = serde_json::from_str(line).unwrap();
    assert_eq!(entry.event, Event::Resumed { domain: None });
}
