use super::super::testdata::{NVME, counters, inventory, sample, snapshot};
use super::super::{Cursor, HostFigures, SacControl};
use super::*;
use crate::sample::{Event, Sample, What};
use crate::snapshot::Snapshot;

const SECOND: u64 = 1_000_000_000;

fn times(second: u64) -> Sample {
    let mut device = counters();
    device.alloc.by_order.iter_mut().for_each(|count| *count *= second);
    device.alloc.latency.buckets.iter_mut().for_each(|count| *count *= second);
    device.alloc.slow *= second;
    let what = What::SacFailed { size: 4096 * second };
    let event = Event { ns: second * SECOND - 1, cpu: 0, dev: NVME.0, iovad: NVME.1, what };
    Sample { events: vec![event], ..sample(second * SECOND, vec![device], Vec::new()) }
}

/// So many seconds; the space is looked at in every tenth, and is fuller each time.
fn story(seconds: u64) -> Story {
    let host = HostFigures::new(&inventory(), SacControl::Global);
    let none = sample(0, Vec::new(), Vec::new());
    let mut cursor = Cursor::new(host, "full".into(), inventory(), Some(snapshot()), Vec::new(), none);
    let mut story = Story::default();
    for second in 1..=seconds {
        if second % 10 == 0 {
            let mut now: Snapshot = snapshot();
            now.domains[0].low.live += second;
            cursor.learn(inventory(), Some(now));
        }
        story.push(&cursor.step(times(second)));
    }
    story
}

#[test]
fn an_interval_is_a_column() {
    let story = story(30);
    assert_eq!((story.columns().len(), story.intervals_per_column()), (30, 1));
    assert_eq!(story.columns()[2], Column { from_ns: 2 * SECOND, ns: 3 * SECOND });
    let device = story.device("0000:00:04.0").unwrap();
    let (column, stretch) = &device.columns[29];
    assert_eq!((*column, stretch.allocs, stretch.slow), (29, 1010, Some(20)));
    let latency = stretch.latency();
    assert_eq!((latency.samples, latency.mean), (Some(1010), None));
    assert!(latency.p50 < Some(450) && latency.p99 > Some(2000), "{latency:?}");
    let space = story.space(NVME.1).unwrap();
    let looked: Vec<u32> = space.looks.iter().map(|look| look.column).collect();
    assert_eq!(looked, [0, 9, 19, 29], "at the start, and in every tenth second");
    assert_eq!(space.looks[0].cells.len(), 64);
}

#[test]
fn a_day_fits_and_nothing_is_lost() {
    let seconds = 5000;
    let story = story(seconds);
    let columns = story.columns();
    assert!((COLUMNS / 2..=COLUMNS).contains(&columns.len()), "{}", columns.len());
    assert_eq!(story.intervals_per_column(), 16);
    assert!(columns.windows(2).all(|pair| pair[0].ns == pair[1].from_ns));
    assert_eq!(columns.last().unwrap().ns, seconds * SECOND);
    let device = story.device("0000:00:04.0").unwrap();
    assert!(device.columns.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let all: u64 = device.columns.iter().map(|(_, stretch)| stretch.allocs).sum();
    let timed: u64 = device.columns.iter().filter_map(|(_, stretch)| stretch.latency().samples).sum();
    assert_eq!((all, timed), (1010 * seconds, 1010 * seconds));
    let [happened] = device.happened.as_slice() else { panic!("{:?}", device.happened) };
    assert_eq!((happened.all.count, happened.all.sizes), (seconds, Some((4096, 4096 * seconds))));
    assert_eq!(happened.columns.iter().map(|(_, count)| count).sum::<u64>(), seconds);
    assert_eq!(happened.columns.len(), columns.len());
    let looks = &story.space(NVME.1).unwrap().looks;
    assert!(
        looks.windows(2).all(|pair| pair[0].column < pair[1].column && pair[0].pressure < pair[1].pressure)
    );
}

#[test]
fn what_is_unknown_of_a_part_is_unknown_of_the_whole() {
    let mut device = DeviceStory::new("a");
    let mut more = Stretch::default();
    (more.allocs, more.slow) = (3, Some(2));
    device.add(0, more.clone());
    more.slow = None;
    device.add(1, more);
    device.halve();
    let [(0, sum)] = device.columns.as_slice() else { panic!("{device:?}") };
    assert_eq!((sum.allocs, sum.slow, sum.latency().samples), (6, None, None));
}
