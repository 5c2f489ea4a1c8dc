//! Which devices used how wide addresses, for how long, on how many hosts, and what went wrong.

use super::{Evidence, Missing, Question, Statement, What, count, time};
use crate::compat::report::{AnswerKind, CompatReport, DeviceReport, StepResult};
use crate::metric::Unit;
use crate::model::Report;
use crate::policy::verify::{Outcome, Verdict};
use std::collections::{BTreeMap, BTreeSet};

const COMMAND: &str =
    "iova verify DEVICE --format json > FILE, or iova report --compat after it, on each host";

/// Device and bridges above it; "in use" is another row than "verified".
type Row = (String, Kind);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// By a step that passed, at this width.
    Verified(u8),
    /// By normal use; the width is that of the widest address, if known.
    Used(Option<u8>),
    /// It loses or changes bits above this width.
    Limit(u8),
}

#[derive(Default)]
struct Sum<'a> {
    hosts: BTreeSet<String>,
    seconds: f64,
    bytes: u64,
    faults: u64,
    files: BTreeSet<&'a str>,
}

/// What one file adds to a row.
struct More {
    row: Row,
    seconds: f64,
    bytes: u64,
    faults: u64,
}

pub(super) fn question(evidence: &[Evidence]) -> Question {
    let mut table: BTreeMap<Row, Sum<'_>> = BTreeMap::new();
    for one in evidence {
        let rows = match &one.what {
            What::Report(report) => used(report),
            What::Compat(report) => compat(report),
            What::Verification(verification) => verified(verification),
        };
        for more in rows {
            let sum = table.entry(more.row).or_default();
            sum.hosts.insert(one.host());
            sum.seconds += more.seconds;
            sum.bytes += more.bytes;
            sum.faults += more.faults;
            sum.files.insert(&one.source);
        }
    }
    let missing = table.is_empty().then(|| {
        Missing::new("No file says that any device used an address above 4 GiB or was verified.", COMMAND)
    });
    Question {
        id: "safety",
        asks: "Which devices used how wide addresses, and what went wrong?",
        statements: table.iter().map(|(row, sum)| statement(row, sum)).collect(),
        missing: missing.into_iter().collect(),
    }
}

fn statement((path, kind): &Row, sum: &Sum<'_>) -> Statement {
    let on = format!("on {} for {}", count(sum.hosts.len(), "host"), time(sum.seconds));
    let faults = match sum.faults {
        0 => "no fault of it was seen".to_owned(),
        n => format!("{} of it were seen", count(n as usize, "fault")),
    };
    let bytes = Unit::Bytes.render(Some(sum.bytes as f64));
    let text = match kind {
        Kind::Verified(bits) => format!("{path}: verified to {bits} bits {on}; {bytes} compared, {faults}."),
        Kind::Used(Some(bits)) => {
            format!("{path}: in use with addresses of up to {bits} bits {on}; {faults}.")
        }
        Kind::Used(None) => format!("{path}: in use above 4 GiB, how far is not known, {on}; {faults}."),
        Kind::Limit(bits) => format!("{path}: no more than {bits} bits come through, found {on}."),
    };
    let bits = match kind {
        Kind::Verified(bits) | Kind::Limit(bits) | Kind::Used(Some(bits)) => Some(f64::from(*bits)),
        Kind::Used(None) => None,
    };
    Statement { value: bits, ..Statement::new(text, (sum.hosts.len(), "hosts"), &sum.files) }
}

fn used(report: &Report) -> Vec<More> {
    let high = report.devices.iter().filter(|device| device.alloc.high > 0);
    let more = |device: &crate::model::Device| More {
        row: (device.id.clone().unwrap_or_else(|| device.bdf.clone()), Kind::Used(None)),
        seconds: report.duration_s,
        bytes: device.alloc.bytes,
        faults: device.faults.count.unwrap_or(0),
    };
    high.map(more).collect()
}

fn path(kinds: impl Iterator<Item = String>) -> String {
    kinds.collect::<Vec<_>>().join(" behind ")
}

fn verified(verification: &crate::advise::evidence::Verification) -> Vec<More> {
    let name = path(verification.path.iter().cloned());
    let passed: Vec<_> = verification.steps.iter().filter(|step| step.passed()).collect();
    let mut rows = Vec::new();
    if let Some(bits) = passed.iter().map(|step| step.width).max() {
        rows.push(More {
            row: (name.clone(), Kind::Verified(bits)),
            seconds: passed.iter().map(|step| step.work.ms as f64 / 1000.0).sum(),
            bytes: passed.iter().map(|step| step.work.bytes).sum(),
            faults: passed.iter().map(|step| step.faults.len() as u64).sum(),
        });
    }
    if let Some(Verdict::Limit { at_most, .. }) = verification.answer {
        let failed = verification.steps.iter().filter(|step| {
            matches!(step.outcome, Outcome::Truncated { .. } | Outcome::Mangled | Outcome::Failed { .. })
        });
        let seconds = failed.map(|step| step.lasted_s).sum();
        rows.push(More { row: (name, Kind::Limit(at_most)), seconds, bytes: 0, faults: 0 });
    }
    rows
}

fn compat(report: &CompatReport) -> Vec<More> {
    report.devices.iter().flat_map(of_device).collect()
}

fn of_device(device: &DeviceReport) -> Vec<More> {
    let name = path(std::iter::once(&device.device).chain(&device.path).map(ToString::to_string));
    let mut rows = Vec::new();
    if let Some(usage) = device.usage.filter(|usage| usage.high > 0) {
        rows.push(More {
            row: (name.clone(), Kind::Used(usage.width)),
            seconds: usage.observed_ms as f64 / 1000.0,
            bytes: usage.bytes,
            faults: usage.faults.map_or(0, |faults| faults.count),
        });
    }
    for proof in &device.proofs {
        let passed: Vec<_> = proof.steps.iter().filter(|step| step.result == StepResult::Passed).collect();
        if let Some(bits) = passed.iter().map(|step| step.width).max() {
            rows.push(More {
                row: (name.clone(), Kind::Verified(bits)),
                seconds: passed.iter().map(|step| step.worked_ms as f64 / 1000.0).sum(),
                bytes: passed.iter().map(|step| step.bytes).sum(),
                faults: passed.iter().map(|step| u64::from(step.faults)).sum(),
            });
        }
        let limit = proof.answer.filter(|answer| answer.verdict == AnswerKind::Limit);
        if let Some(bits) = limit.and_then(|answer| answer.at_most) {
            rows.push(More { row: (name.clone(), Kind::Limit(bits)), seconds: 0.0, bytes: 0, faults: 0 });
        }
    }
    rows
}
