use super::*;
use crate::args::{Args, Command};
use clap::Parser as _;
use column::{Column, Get, all};
use iova_core::metric::{self, Scope};
use iova_core::model::{Device, Report};
use iova_core::record::{Ending, Options, Reader, Writer};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row as Read};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1.iova")
}

pub(super) fn place(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("iova-table-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

pub(super) fn args(words: &[&str]) -> ReplayTableArgs {
    let all = [&["iova", "replay", "x.iova"], words].concat();
    let Command::Replay(replay) = Args::try_parse_from(all).unwrap().command else { panic!("{words:?}") };
    let crate::args::record::ReplayCommand::Table(table) = replay.command else { panic!("{words:?}") };
    table
}

fn table(recording: &Path, histograms: bool) -> SerializedFileReader<fs::File> {
    let mut player = Player::open(recording, 0.0, &[]).ok().unwrap();
    let bytes = write(&mut player, Vec::new(), histograms).ok().unwrap();
    opened(&bytes)
}

fn opened(bytes: &[u8]) -> SerializedFileReader<fs::File> {
    let path = place("read.parquet");
    let path = path.with_extension(format!("{:?}", std::thread::current().id()));
    fs::write(&path, bytes).unwrap();
    let file = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    file
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(it) => json!(it),
        Field::ULong(it) => json!(it),
        Field::Double(it) => json!(it),
        Field::Str(it) => json!(it),
        Field::TimestampMicros(it) => json!(it),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("{other:?}"),
    }
}

fn object(row: &Read) -> Value {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

fn rows(file: &SerializedFileReader<fs::File>) -> Vec<Value> {
    file.get_row_iter(None).unwrap().map(|row| object(&row.unwrap())).collect()
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, part| &value[part])
}

/// The row as the JSON report of the interval says it.
fn expected(report: &Report, device: &Device) -> Value {
    let mut all = serde_json::to_value(report).unwrap();
    let own = serde_json::to_value(device).unwrap();
    all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    all["domain"] = serde_json::to_value(report.domain_of(device)).unwrap();
    all
}

#[test]
fn every_cell_is_what_the_json_report_says() {
    let read: BTreeMap<(i64, String), Value> = rows(&table(&fixture(), true))
        .into_iter()
        .map(|row| ((row["time"].as_i64().unwrap(), row["bdf"].as_str().unwrap().to_owned()), row))
        .collect();
    let mut player = Player::open(&fixture(), 0.0, &[]).ok().unwrap();
    let clock = Clock::of(&player);
    let mut count = 0;
    loop {
        let begun = clock.micros(player.ns());
        let Some((step, _)) = player.next_step().ok().unwrap() else { break };
        for device in &step.interval.devices {
            let row = &read[&(begun, device.bdf.clone())];
            let json = expected(&step.interval, device);
            for Column { name, get } in all(true) {
                if ["time", "latency_exact", "low_space.time"].contains(&name.as_str()) {
                    continue;
                }
                let mut want = at(&json, &name);
                if matches!(get, Get::Pairs(..)) && at(row, &name).is_null() {
                    // Nothing timed has no distribution; JSON says that with an empty one.
                    assert_eq!(want.as_array().map_or(0, Vec::len), 0, "{name}");
                    want = &Value::Null;
                }
                assert_eq!(at(row, &name), want, "{name} of {} at {begun}", device.bdf);
            }
            count += 1;
        }
    }
    assert_eq!(count, read.len());
    assert!(count > 100, "{count}");
}

#[test]
fn counters_add_up_to_the_report_of_the_whole_recording() {
    let report = crate::commands::replay::report(&fixture()).unwrap();
    let file = table(&fixture(), false);
    assert!(file.metadata().file_metadata().schema_descr().columns().len() > 70);
    let rows = rows(&file);
    for device in &report.devices {
        let own = || rows.iter().filter(|row| row["bdf"] == device.bdf.as_str());
        let sum = |path: &str| own().filter_map(|row| at(row, path).as_u64()).sum::<u64>();
        assert_eq!(sum("alloc.count"), device.alloc.count, "{}", device.bdf);
        assert_eq!(sum("alloc.bytes"), device.alloc.bytes);
        assert_eq!(Some(sum("free.count")), device.free.count);
        assert_eq!(Some(sum("alloc.latency_ns.samples")), device.alloc.latency_ns.samples);
        let longest = own().filter_map(|row| at(row, "alloc.latency_ns.max").as_u64()).max();
        assert!(longest <= device.alloc.latency_ns.max, "{longest:?}");
    }
    let exact = rows.iter().filter(|row| row["latency_exact"] == true).count();
    assert!(exact < rows.len(), "blocks of a recording have estimates inside");
}

#[test]
fn row_groups_are_bounded_and_hold_the_same() {
    let mut player = Player::open(&fixture(), 0.0, &[]).ok().unwrap();
    let mut table_ = Table::begin(Vec::new(), all(true)).unwrap().with_groups_of(20_000);
    while let Some((step, _)) = player.next_step().ok().unwrap() {
        super::rows(&mut table_, &step, &Seen { begun_us: 7, looked_us: None, exact: true }).unwrap();
    }
    let about = about::recording(player.reader().head(), None, None);
    let file = opened(&table_.end(about).unwrap());
    assert!(file.num_row_groups() > 5, "{}", file.num_row_groups());
    let whole = rows(&table(&fixture(), true));
    let sum = |rows: &[Value]| rows.iter().filter_map(|row| at(row, "free.bytes").as_u64()).sum::<u64>();
    let parts = rows(&file);
    assert_eq!((parts.len(), sum(&parts)), (whole.len(), sum(&whole)));
}

#[test]
fn the_file_says_what_it_is_and_tells_no_addresses() {
    let file = table(&fixture(), false);
    let entries = file.metadata().file_metadata().key_value_metadata().unwrap();
    let entry = |key: &str| entries.iter().find(|entry| entry.key == key).unwrap().value.clone().unwrap();
    assert_eq!(entry("iova.schema"), "iova.samples");
    let recording: Value = serde_json::from_str(&entry("iova.recording")).unwrap();
    assert_eq!((&recording["flaw"], &recording["interval_ms"]), (&Value::Null, &json!(1000)));
    assert!(recording["host"]["kernel"].as_str().unwrap().starts_with("6.1"));
    assert!(!entry("iova.recording").contains("iovad"));
    let columns: Vec<Value> = serde_json::from_str(&entry("iova.columns")).unwrap();
    let p99 = columns.iter().find(|column| column["name"] == "alloc.latency_ns.p99").unwrap();
    assert_eq!(p99["unit"], "nanoseconds");
}

#[test]
fn columns_are_metrics_and_each_is_there_once() {
    let columns = all(true);
    let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), columns.len());
    let scalars = metric::all().filter(|metric| metric.scope() == Scope::Device);
    for metric in scalars.filter(|metric| !matches!(metric.get, metric::Get::List(_))) {
        assert!(names.contains(&metric.name), "{}", metric.name);
    }
    for column in &columns {
        let Get::Pairs(halves, _) = column.get else { continue };
        for half in halves {
            let (scope, name) = match column.name.strip_prefix("domain.") {
                Some(name) => (Scope::Domain, name),
                None => (Scope::Device, column.name.as_str()),
            };
            assert!(metric::find(scope, &format!("{name}[].{half}")).is_some(), "{} {half}", column.name);
        }
    }
}

#[test]
fn nothing_happened_yet_is_a_table_without_rows() {
    let mut reader = Reader::open(&fixture()).unwrap();
    let first = reader.next_moment().unwrap().unwrap().sample;
    let mut writer = Writer::new(Vec::new(), reader.head(), Options::default()).unwrap();
    writer.sample(&first).unwrap();
    let path = place("first.iova");
    fs::write(&path, writer.finish(&Ending::default()).unwrap()).unwrap();
    let file = table(&path, true);
    fs::remove_file(&path).unwrap();
    assert_eq!((file.metadata().file_metadata().num_rows(), file.num_row_groups()), (0, 0));
}

#[test]
fn the_flag_of_the_format_is_the_command() {
    let short = args(&["table", "-o", "y"]);
    for words in [&["--format", "parquet", "-o", "y"][..], &["table", "parquet", "-o", "y"]] {
        let long = args(words);
        assert_eq!((long.format, &long.output), (short.format, &short.output), "{words:?}");
    }
    let bad = Args::try_parse_from(["iova", "replay", "x", "--format", "csv"]).unwrap_err();
    assert!(bad.exit_code() == 2 && bad.to_string().contains("parquet"), "{bad}");
}

#[test]
fn a_file_that_is_there_stays_as_it_was() {
    let path = place("there.parquet");
    fs::write(&path, "x").unwrap();
    let stop = run(&Piece::from(&fixture()), &args(&["table", "-o", path.to_str().unwrap()])).unwrap_err();
    assert!(stop.exit == Exit::Unusable && stop.message.contains("is there already"), "{stop:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    fs::remove_file(&path).unwrap();
    let stop = run(&Piece::from(&fixture()), &args(&["table", "-o", "/nowhere/x"])).unwrap_err();
    assert!(stop.exit == Exit::Unusable && stop.message.contains("/nowhere/x can't be written"), "{stop:?}");
}

/// A disk that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_said_in_a_sentence() {
    let mut player = Player::open(&fixture(), 0.0, &[]).ok().unwrap();
    let stop = write(&mut player, Full, false).err().unwrap().stop("x.parquet");
    assert_eq!(stop.message, "x.parquet can't be written: no storage space");
}
