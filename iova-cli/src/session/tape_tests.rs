//! A tape says what its source said.

use super::tests::Fake;
use super::{Plan, Played, Source as _, Taped, Taping, Until, measure};
use crate::args::Format;
use crate::render::{fixtures, renderer};
use crate::term::Term;
use iova_core::probe::Profile;
use iova_core::record::Options;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn place(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("iova-tape-{}-{name}.iova", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn taped(path: &Path) -> Taped {
    let interval = Duration::from_secs(1);
    Taped { path: path.to_owned(), ring: None, interval, options: Options::default() }
}

#[test]
fn the_report_of_a_tape_is_that_of_its_source() {
    let path = place("same");
    let plan = |until| Plan { until, profile: Profile::Default, devices: Vec::new() };
    let mut fake = Fake::new();
    let mut taping = Taping::new(&mut fake, taped(&path)).unwrap();
    let live = measure(&mut taping, &plan(Until::Time(Duration::from_millis(1200)))).unwrap();
    taping.finish(live.interrupted, live.command.clone(), None).unwrap();
    let mut played = Played::open(&path).unwrap();
    assert_eq!(played.profile().unwrap(), Profile::Default);
    let replayed = measure(&mut played, &plan(Until::Over)).unwrap();
    assert_eq!(serde_json::to_string(&replayed).unwrap(), serde_json::to_string(&live).unwrap());
    assert!(played.flaw().is_none() && !played.has_more());
    std::fs::remove_file(&path).unwrap();
}

/// Counters and single calls begin at the first sample: what is before it belongs to neither.
#[test]
fn single_calls_add_up_to_what_is_counted_from_sample_to_sample() {
    let path = place("calls");
    let mut fake = Fake::new();
    fake.tells = true;
    let mut taping = Taping::new(&mut fake, taped(&path)).unwrap();
    for _ in 0..5 {
        taping.sample().unwrap();
    }
    assert_eq!(taping.calls, Some((40, 8)));
    taping.finish(false, None, None).unwrap();
    let mut played = Played::open(&path).unwrap();
    let (mut first, mut last, mut all, mut told) = (None, 0, 0, 0);
    while let Some(moment) = played
        .moment_and(&mut |_, calls| {
            assert_eq!(calls.sampling, 8);
            (all, told) = (all + calls.total(), told + calls.list.len());
            Ok(())
        })
        .unwrap()
    {
        let count = moment.sample.devices[0].alloc.by_order[0];
        (first, last) = (first.or(Some(count)), count);
    }
    assert_eq!((last - first.unwrap(), told), (all, 40));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let path = place("there");
    std::fs::write(&path, "mine").unwrap();
    let mut fake = Fake::new();
    let stop = Taping::new(&mut fake, taped(&path)).err().unwrap();
    assert!(stop.message.contains("is there already"), "{}", stop.message);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    std::fs::remove_file(&path).unwrap();
}

/// What was recorded by the first version is read by every later one, and says the same.
#[test]
fn version_1_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1.iova");
    if std::env::var_os("IOVA_WRITE_V1").is_some() {
        std::fs::write(&path, fixtures::recording("filling", Options::default())).unwrap();
    }
    let mut played = Played::open(&path).unwrap();
    let profile = played.profile().unwrap();
    let report = measure(&mut played, &Plan { until: Until::Over, profile, devices: Vec::new() }).unwrap();
    assert_eq!(played.flaw(), None);
    let term = Term { width: 80, color: false, unicode: false };
    let text = renderer(Format::Text, term).report(&report).unwrap();
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("version_1", text);
    });
}
