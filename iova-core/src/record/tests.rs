use super::calls::tests::some;
use super::*;
use crate::model::SacControl;
use crate::model::testdata::{counters, domain_counters, inventory, sample, snapshot};
use crate::sample::{Calls, Event, Sample, What};

pub(super) fn head() -> Head {
    Head {
        written_by: "test".into(),
        started_unix_s: 1_800_000_000,
        interval_ms: 1000,
        profile: "full".into(),
        sac_control: SacControl::Global,
        inventory: inventory(),
        snapshot: Some(snapshot()),
        unknown: Vec::new(),
    }
}

/// Counters that grow, with all that happens now and then.
pub(super) fn samples(count: u64) -> Vec<Sample> {
    let make = |second: u64| {
        let (mut device, mut domain) = (counters(), domain_counters());
        device.alloc.by_order[0] += 1000 * second + second % 7;
        device.alloc.bytes += second * 4_096_000;
        device.alloc.latency.buckets[70] += 990 * second;
        device.alloc.latency.buckets[75] += 13 * second + second % 5;
        device.alloc.latency.sum += second * 1_234_567;
        device.alloc.latency.max += second / 9;
        domain.low_pages_delta -= (second % 3).cast_signed() * 10;
        let event = Event { ns: second, cpu: 1, dev: device.dev, iovad: 0, what: What::CacheFlush };
        let mut made = sample(second * 1_000_000_000 + second * 17, vec![device], vec![domain]);
        made.events = vec![event; usize::from(second % 10 == 3)];
        made.quality.frames_lost = second / 15;
        made.devices.iter_mut().for_each(|device| device.gone = second >= 40);
        made
    };
    (0..count).map(make).collect()
}

fn written(samples: &[Sample], ending: Option<&Ending>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &head(), Options { block: 10, ..Options::default() }).unwrap();
    for (second, sample) in samples.iter().enumerate() {
        if second == 12 {
            writer.look(&Look { inventory: None, snapshot: Some(snapshot()) }).unwrap();
        }
        writer.sample(sample).unwrap();
        if second == 25 {
            writer.calls(&some(9, sample.ns)).unwrap();
        }
    }
    match ending {
        Some(ending) => drop(writer.finish(ending).unwrap()),
        None => drop(writer),
    }
    bytes
}

/// Samples of a file, and what is wrong with it.
fn read(bytes: &[u8]) -> Result<(Vec<Moment>, Option<String>), RecordError> {
    let mut reader = Reader::new(bytes)?;
    let mut moments = Vec::new();
    while let Some(item) = reader.next_item()? {
        if let Item::Moment(moment) = item {
            moments.push(*moment);
        }
    }
    Ok((moments, reader.flaw().map(str::to_owned)))
}

fn trimmed(sample: &Sample) -> serde_json::Value {
    serde_json::to_value(sample).unwrap()
}

#[test]
fn a_recording_comes_back() {
    let samples = samples(60);
    let ending = Ending { interrupted: true, ..Ending::default() };
    let bytes = written(&samples, Some(&ending));
    let (moments, flaw) = read(&bytes).unwrap();
    assert_eq!((moments.len(), flaw), (60, None));
    let looks: Vec<usize> = (0..60).filter(|&second| moments[second].look.is_some()).collect();
    assert_eq!(looks, [12]);
    for (moment, sample) in moments.iter().zip(&samples) {
        assert_eq!(moment.sample.ns, sample.ns);
        assert_eq!((&moment.sample.events, &moment.sample.quality), (&sample.events, &sample.quality));
        assert_eq!(moment.sample.devices[0].alloc.by_order, sample.devices[0].alloc.by_order);
        assert_eq!(moment.sample.domains[0].low_pages_delta, sample.domains[0].low_pages_delta);
        if moment.exact {
            assert_eq!(trimmed(&moment.sample), trimmed(sample));
        }
    }
    // A look and a device that goes end a block.
    assert!(moments.iter().filter(|moment| moment.exact).count() >= 8);
    assert!(moments.last().unwrap().exact);
    let mut reader = Reader::new(&bytes[..]).unwrap();
    assert_eq!(reader.head(), &head());
    while reader.next_moment().unwrap().is_some() {}
    assert_eq!(reader.ending(), Some(&ending));
}

#[test]
fn what_a_killed_writer_left_is_good_up_to_its_last_block() {
    let bytes = written(&samples(35), None);
    let (moments, flaw) = read(&bytes).unwrap();
    assert!((31..=35).contains(&moments.len()), "{} of 35", moments.len());
    assert!(flaw.unwrap().contains("without its end"));
}

#[test]
fn other_files_are_refused_in_one_sentence() {
    let bytes = written(&samples(3), None);
    let mut newer = bytes.clone();
    newer[8] = 2;
    for (bad, says) in [
        (&b"{}"[..], "no recording"),
        (b"", "ends before its first"),
        (&bytes[..5], "ends before its first"),
        (&bytes[..16], "ends before its first"),
        (&bytes[..40], "ends before its first"),
        (&newer, "version 2"),
    ] {
        let error = Reader::new(bad).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn cut_or_changed_anywhere_it_ends_or_is_refused() {
    let whole = written(&samples(45), Some(&Ending::default()));
    let all = read(&whole).unwrap().0;
    let mut seed = 1u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for round in 0..20_000 {
        let mut bytes = whole.clone();
        if round % 2 == 0 {
            bytes.truncate(next(whole.len()));
        } else {
            let at = next(whole.len());
            bytes[at] ^= 1 << next(8);
        }
        if let Ok((moments, _)) = read(&bytes) {
            assert_eq!(moments[..], all[..moments.len()]);
        }
    }
}

#[test]
fn single_calls_are_a_track_of_their_own() {
    let (mut bytes, mut plain) = (Vec::new(), Vec::new());
    let options = Options { block: 10, ..Options::default() };
    let mut writer = Writer::new(&mut bytes, &head(), options).unwrap();
    let mut other = Writer::new(&mut plain, &head(), options).unwrap();
    for (second, sample) in samples(30).iter().enumerate() {
        writer.sample(sample).unwrap();
        other.sample(sample).unwrap();
        // More than fit into one frame, once.
        let count = if second == 20 { 20_000 } else { second as u64 };
        writer.calls(&some(count, sample.ns)).unwrap();
    }
    writer.finish(&Ending::default()).unwrap();
    other.finish(&Ending::default()).unwrap();
    // Whoever does not ask for them sees the same as without.
    let (mut reader, mut moments) = (Reader::new(&bytes[..]).unwrap(), Vec::new());
    while let Some(moment) = reader.next_moment().unwrap() {
        moments.push(moment);
    }
    assert_eq!(moments, read(&plain).unwrap().0);
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let (mut moments, mut all) = (0, Calls::default());
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Moment(_) => moments += 1,
            Item::Calls(calls) => {
                all.list.extend(&calls.list);
                (all.lost, all.passed) = (all.lost + calls.lost, all.passed + calls.passed);
            }
        }
    }
    let counts = (0..30).map(|second| if second == 20 { 20_000 } else { second });
    let told: Vec<Calls> = counts.zip(samples(30)).map(|(count, sample)| some(count, sample.ns)).collect();
    let sum = |of: fn(&Calls) -> u64| told.iter().map(of).sum::<u64>();
    assert_eq!((moments, reader.flaw()), (30, None));
    assert_eq!((all.lost, all.passed), (sum(|calls| calls.lost), sum(|calls| calls.passed)));
    assert!(all.list.iter().eq(told.iter().flat_map(|calls| &calls.list)));
}
