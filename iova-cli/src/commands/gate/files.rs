//! The files of the gate: reports in, rules in, baselines out.

use crate::commands::replay;
use crate::exit::Stop;
use crate::session::Played;
use iova_core::gate::{Rules, Run};
use iova_core::model::Report;
use serde_json::{Deserializer, Value};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One document: a report of 200 devices is about 1 MiB.
const DOCUMENT: u64 = 8 << 20;
const RULES: u64 = 1 << 20;
/// More than anybody makes; the tests compare all with all.
const RUNS: usize = 10_000;

/// A reader that ends with an error where a document is longer than any report; the allowance is renewed for each.
struct Rationed {
    from: Box<dyn Read>,
    left: Rc<Cell<u64>>,
}

impl Read for Rationed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        let left = self.left.get().checked_sub(read as u64);
        let too_long = || io::Error::other(format!("it is larger than {} MiB", DOCUMENT >> 20));
        self.left.set(left.ok_or_else(too_long)?);
        Ok(read)
    }
}

/// All runs in these files, in their order.
pub(super) fn runs(paths: &[PathBuf]) -> Result<Vec<Run>, Stop> {
    let mut runs = Vec::new();
    for path in paths {
        let name = name(path);
        let before = runs.len();
        if Played::is_recording(path) {
            let report = replay::report(path)?;
            runs.push(Run::from_report(&report, &name).map_err(Stop::internal)?);
            continue;
        }
        let left = Rc::new(Cell::new(DOCUMENT));
        let reader = BufReader::new(Rationed { from: open(path)?, left: Rc::clone(&left) });
        for (number, document) in Deserializer::from_reader(reader).into_iter::<Value>().enumerate() {
            let document = document.map_err(|error| unreadable(&name, &error))?;
            left.set(DOCUMENT);
            let source = if number == 0 { name.clone() } else { format!("{name} #{}", number + 1) };
            let found = Run::from_json(&document, &source);
            runs.extend(found.map_err(|why| Stop::unusable(format!("{source} cannot be used: {why}")))?);
            if runs.len() > RUNS {
                return Err(Stop::unusable(format!("{name}: there are over {RUNS} runs; give fewer")));
            }
        }
        if runs.len() == before {
            return Err(Stop::unusable(format!(
                "{name} is empty: use the output of iova report --format json"
            )));
        }
    }
    Ok(runs)
}

fn unreadable(name: &str, error: &serde_json::Error) -> Stop {
    if error.is_io() {
        return Stop::unusable(format!("{name} cannot be read: {error}"));
    }
    Stop::unusable(format!("{name} is no JSON: {error}; use the output of iova report --format json"))
}

/// `-` is standard input.
fn open(path: &Path) -> Result<Box<dyn Read>, Stop> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path)
        .map_err(|error| Stop::unusable(format!("{} cannot be read: {error}", name(path))))?;
    Ok(Box::new(file))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// The rules in a file.
pub(super) fn rules(path: &Path) -> Result<Rules, Stop> {
    let name = name(path);
    let mut text = String::new();
    let read = open(path)?.take(RULES).read_to_string(&mut text);
    read.map_err(|error| Stop::unusable(format!("{name} cannot be read: {error}")))?;
    let rules = Rules::parse(&text, &name).map_err(Stop::unusable)?;
    if rules.rules.is_empty() {
        let hint = "write check = [\"alloc.latency_ns.p99 <= 1.10 x baseline\"]";
        return Err(Stop::unusable(format!("{name} has no rule: {hint}")));
    }
    Ok(rules)
}

/// A file for a baseline, made before anything is measured; never over one that is there.
pub(super) fn create(path: &Path) -> Result<File, Stop> {
    let file = File::options().write(true).create_new(true).open(path);
    file.map_err(|error| Stop::unusable(format!("--save: {} cannot be made: {error}", path.display())))
}

/// Writes a report per line.
pub(super) fn save(file: &mut File, path: &Path, reports: &[Report]) -> Result<(), Stop> {
    let mut text = String::new();
    for report in reports {
        text += &serde_json::to_string(report).map_err(Stop::internal)?;
        text.push('\n');
    }
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| Stop::unusable(format!("--save: {} cannot be written: {error}", path.display())))
}
