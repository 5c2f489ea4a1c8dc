use super::{Plan, Source, Until, measure, measure_told};
use crate::exit::{Exit, Stop};
use crate::render::fixtures;
use iova_core::inventory::{DomainType, Inventory};
use iova_core::model::story::Story;
use iova_core::model::{SacControl, Unknown};
use iova_core::probe::Profile;
use iova_core::sample::{Call, CallKind, Calls, DeviceCounters, Sample};
use iova_core::snapshot::Snapshot;
use std::time::{Duration, Instant};

/// A kernel whose NVMe disk makes 100 allocations between any two readings.
pub(super) struct Fake {
    inventory: Inventory,
    attached: Result<bool, Stop>,
    readings: u64,
    /// Somebody presses Ctrl-C while it attaches.
    impatient: bool,
    /// It tells of single calls, ten between any two readings.
    pub(super) tells: bool,
}

impl Fake {
    pub(super) fn new() -> Self {
        Self {
            inventory: fixtures::inventory(),
            attached: Ok(false),
            readings: 0,
            impatient: false,
            tells: false,
        }
    }
}

impl Source for Fake {
    fn inventory(&mut self) -> Inventory {
        self.inventory.clone()
    }

    fn select(&self, _: &Inventory, words: &[String]) -> Result<Vec<String>, Stop> {
        Ok(words.to_vec())
    }

    fn sac_control(&self, _: &Inventory) -> SacControl {
        SacControl::Global
    }

    fn attach(&mut self, _: Profile, _: &Inventory) -> Result<(), Stop> {
        if self.impatient {
            // SAFETY: raise gets no pointers; the signal is blocked, or the test rightly dies.
            unsafe { libc::raise(libc::SIGINT) };
        }
        self.attached = Ok(self.attached.clone().map(|_| true)?);
        Ok(())
    }

    fn snapshot(&mut self) -> Snapshot {
        Snapshot { missing: vec!["/proc/kcore is closed".into()], ..Snapshot::default() }
    }

    fn sample(&mut self) -> Result<Sample, Stop> {
        let mut nvme = DeviceCounters { dev: 3, group: Some(3), ..DeviceCounters::default() };
        nvme.alloc.by_order[0] = 1000 + 100 * self.readings;
        let sample = Sample { ns: self.readings * 500_000_000, devices: vec![nvme], ..Sample::default() };
        self.readings += 1;
        Ok(sample)
    }

    fn calls(&mut self) -> Result<Option<Calls>, Stop> {
        let call = |n: u64| Call {
            ns: self.readings * 500_000_000 + n,
            kind: CallKind::Alloc,
            cpu: 0,
            dev: 3,
            pfn: Some(1000 + n),
            pages: 1,
            limit_pfn: Some(1 << 20),
            latency_ns: Some(500),
        };
        let list = (0..10).map(call).collect();
        Ok(self.tells.then_some(Calls { sampling: 8, lost: 2, passed: 88, list }))
    }

    fn unmeasured(&self) -> Vec<Unknown> {
        Vec::new()
    }
}

fn plan(until: Until) -> Plan {
    Plan { until, profile: Profile::Default, devices: Vec::new() }
}

fn millis(millis: u64) -> Until {
    Until::Time(Duration::from_millis(millis))
}

#[test]
fn a_measurement_counts_from_its_first_reading_to_its_last() {
    let mut fake = Fake::new();
    let start = Instant::now();
    let report = measure(&mut fake, &plan(millis(1200))).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(1200));
    assert_eq!(fake.readings, 3, "at the start, after a second, at the end");
    let nvme = &report.devices[0];
    assert_eq!((&*nvme.bdf, nvme.alloc.count), ("0000:01:00.0", 200));
    assert_eq!((report.duration_s, report.interrupted), (1.0, false));
}

#[test]
fn a_story_is_told_beside_the_same_report() {
    let mut story = Story::default();
    let told = measure_told(&mut Fake::new(), &plan(millis(1200)), &mut story).unwrap();
    assert_eq!(told, measure(&mut Fake::new(), &plan(millis(1200))).unwrap());
    assert_eq!(story.columns().len(), 2, "one second, and the rest");
    let nvme = story.device("0000:01:00.0").unwrap();
    let counts: Vec<u64> = nvme.columns.iter().map(|(_, stretch)| stretch.allocs).collect();
    assert_eq!(counts, [100, 100]);
}

#[test]
fn what_could_not_be_measured_is_said() {
    let report = measure(&mut Fake::new(), &plan(millis(20))).unwrap();
    let why = |metric: &str| {
        let found = report.quality.unknown.iter().find(|unknown| unknown.metric == metric);
        found.map(|unknown| unknown.why.as_str())
    };
    assert_eq!(why("low_space"), Some("/proc/kcore is closed"));
    assert_eq!(why("map"), Some("measured from --profile full on"));
    assert_eq!(why("alloc.sac_attempts"), None, "the default profile has it");
}

#[test]
fn the_command_sets_the_length_and_its_end_is_reported() {
    let command = ["sh", "-c", "sleep 0.1; exit 7"].map(Into::into).to_vec();
    let report = measure(&mut Fake::new(), &plan(Until::Command(command))).unwrap();
    assert_eq!(report.command.unwrap().exit_code, Some(7));
}

#[test]
fn without_translation_nothing_is_attached_and_nobody_waits() {
    let mut fake = Fake::new();
    fake.attached = Err(Stop::unusable("not root"));
    for device in &mut fake.inventory.devices {
        device.domain_type = DomainType::Identity;
    }
    let start = Instant::now();
    let report = measure(&mut fake, &plan(millis(60_000))).unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(report.findings[0].id, "no-iova-allocation");
}

#[test]
fn an_interrupt_while_it_still_attaches_gets_its_report() {
    let mut fake = Fake::new();
    fake.impatient = true;
    let report = measure(&mut fake, &plan(millis(60_000))).unwrap();
    assert!(report.interrupted);
    assert_eq!(fake.readings, 2, "at the start and at the end");
}

#[test]
fn missing_rights_are_exit_code_2() {
    let mut fake = Fake::new();
    fake.attached = Err(Stop::unusable("not root"));
    let stop = measure(&mut fake, &plan(millis(20))).unwrap_err();
    assert_eq!((stop.exit, stop.message.as_str()), (Exit::Unusable, "not root"));
}

#[test]
fn a_selection_keeps_the_others_out_of_the_report() {
    let mut plan = plan(millis(20));
    plan.devices = vec!["0000:00:03.0".into()];
    let report = measure(&mut Fake::new(), &plan).unwrap();
    let names: Vec<_> = report.devices.iter().map(|device| device.bdf.as_str()).collect();
    assert_eq!(names, ["0000:00:03.0"]);
}
