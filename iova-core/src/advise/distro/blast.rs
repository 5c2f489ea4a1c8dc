//! What does a list that is enabled touch, and how is it taken back?

use super::{Evidence, Missing, Question, Statement, What, count};
use crate::advise::evidence;
use crate::compat::report::DeviceReport;
use crate::compat::{Fit, List, PciFacts, Record, Verdict};
use std::collections::BTreeSet;

const COMMAND: &str =
    "iova report --compat on each host: it has the subsystem, revision, class and bridges of every device";

/// What holds whatever hosts are looked at, and the test of this project that shows it.
const BY_TEST: [(&str, &str); 4] = [
    (
        "Without the file /etc/iova/apply-caps and without a local record nothing of the list is applied: defaults are as if \
         there were none.",
        "cargo xtask test --variant boot: units_are_skipped and device_is_stock in the boots first and forgotten",
    ),
    (
        "Enabled, the list only narrows: a width beyond 4 GiB needs a local word about the very device.",
        "iova-core/src/compat/build/rules.rs; cargo xtask test --variant boot: cold_boot_is_capped, hot_plug_is_capped in the boot capped",
    ),
    (
        "It is taken back by rm /etc/iova/apply-caps, and iova policy set DEVICE stock or a boot; a device's saved policy by iova policy \
         forget DEVICE.",
        "cargo xtask test --variant boot: is_forgotten in the boot skipped, device_is_stock in the boot forgotten",
    ),
    (
        "A saved policy with which a host did not come up twice is not applied a third time.",
        "cargo xtask test --variant boot: marks_are_kept and journal_says_why in the boot skipped",
    ),
];

/// A device that was seen.
struct Seen<'a> {
    host: String,
    facts: PciFacts,
    file: &'a str,
}

pub(super) fn question(evidence: &[Evidence], list: &List) -> Question {
    let seen: Vec<Seen<'_>> = evidence.iter().flat_map(devices).collect();
    let mut statements: Vec<Statement> = list.records().filter_map(|record| touched(record, &seen)).collect();
    let missing = if seen.is_empty() {
        vec![Missing::new("No file names a PCI device, so what the list would touch is unknown.", COMMAND)]
    } else {
        statements.insert(0, all(list, &seen, statements.len()));
        Vec::new()
    };
    let by_test = BY_TEST.iter().map(|(text, test)| {
        Statement::new((*text).to_owned(), (1, "claim tested by this project"), &BTreeSet::from([*test]))
    });
    statements.extend(by_test);
    Question {
        id: "blast-radius",
        asks: "What does the list touch, and how is it taken back?",
        statements,
        missing,
    }
}

fn devices(one: &Evidence) -> Vec<Seen<'_>> {
    let seen = |facts| Seen { host: one.host(), facts, file: &one.source };
    let by_id = |id| PciFacts { id, ..PciFacts::default() };
    match &one.what {
        What::Report(report) => {
            let kinds = report.devices.iter().filter_map(|device| evidence::ids(device.id.as_deref()?));
            kinds.map(by_id).map(seen).collect()
        }
        What::Compat(report) => report.devices.iter().map(facts).map(seen).collect(),
        What::Verification(verification) => {
            let bridge = verification.path.get(1).and_then(|kind| evidence::ids(kind));
            let facts = evidence::ids(verification.kind()).map(|id| PciFacts { bridge, ..by_id(id) });
            facts.map(seen).into_iter().collect()
        }
    }
}

fn facts(device: &DeviceReport) -> PciFacts {
    PciFacts {
        id: (device.device.0, device.device.1),
        subsystem: device.subsystem.map(|id| (id.0, id.1)).unwrap_or_default(),
        revision: device.revision.map(|byte| byte.0),
        class: device.class.map(|class| class.0),
        bridge: device.path.first().map(|id| (id.0, id.1)),
        path: Some(device.path.clone()),
        mask_bits: device.mask_bits,
    }
}

fn all(list: &List, seen: &[Seen<'_>], records: usize) -> Statement {
    let hosts: BTreeSet<&str> = seen.iter().map(|seen| seen.host.as_str()).collect();
    let kinds: BTreeSet<_> = seen.iter().map(|seen| seen.facts.id).collect();
    let fits = |seen: &&Seen<'_>| list.records().any(|record| record.fits(&seen.facts) == Fit::Yes);
    let touched: BTreeSet<&str> = seen.iter().filter(fits).map(|seen| seen.host.as_str()).collect();
    let text = format!(
        "{} of {} records are about devices seen here: {} of {}, on which {} of devices were seen.",
        records,
        list.entries.len(),
        touched.len(),
        count(hosts.len(), "host"),
        count(kinds.len(), "kind"),
    );
    let files = seen.iter().map(|seen| seen.file).collect();
    Statement::new(text, (hosts.len(), "hosts"), &files)
        .figure(touched.len() as f64 / hosts.len().max(1) as f64, None)
}

/// A device of which too little is known counts as meant by a cap, as on a host.
fn touched(record: &Record, seen: &[Seen<'_>]) -> Option<Statement> {
    let meant: Vec<_> = seen.iter().filter(|seen| record.fits(&seen.facts) == Fit::Yes).collect();
    let hosts: BTreeSet<&str> = meant.iter().map(|seen| seen.host.as_str()).collect();
    let files: BTreeSet<&str> = meant.iter().map(|seen| seen.file).collect();
    let narrow = |seen: &&&Seen<'_>| seen.facts.mask_bits.is_some_and(|bits| bits <= record.width);
    let own = meant.iter().filter(narrow).count();
    let does = match record.verdict {
        Verdict::Cap if !record.is_applied() => "is told, never applied by itself",
        Verdict::Cap if own == meant.len() => "changes nothing, since the driver's own mask is as narrow",
        Verdict::Cap => "narrows it",
        Verdict::Ok => "changes nothing, unless somebody asks for it on that host",
    };
    let text = format!(
        "{} ({} {}) means devices on {}: the record {does}.",
        record.id,
        record.verdict.word(),
        record.width,
        count(hosts.len(), "host"),
    );
    (!meant.is_empty()).then(|| Statement::new(text, (hosts.len(), "hosts"), &files))
}
