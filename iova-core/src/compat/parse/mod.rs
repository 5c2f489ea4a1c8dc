//! From the text of a file to a record.

mod fields;
mod rules;
mod texts;

use toml::de::DeTable;

use super::complaint::Complaint;
use super::pattern::{ClassPrefix, IdPattern, Match, revisions};
use super::record::{Record, Reference};
use super::report::{MAX_PATH, PciId};
use super::version::{Kernels, Version};
use super::words::{EvidenceKind, Failure, Verdict};
use fields::{At, Fields, Reader};

/// A record, and the lines its matches begin at: complaints about two records need them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) record: Record,
    pub(super) match_lines: Vec<usize>,
}

/// Reads one file; `path` is for complaints, and its last part is the file's name.
pub(super) fn parse(path: &str, text: &str) -> Result<Parsed, Vec<Complaint>> {
    let reader = Reader::new(path, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let what: Vec<_> = error.message().split_whitespace().collect();
        reader.complain(error.span().map_or(0, |span| span.start), what.join(" "));
    }
    let parsed = match errors.is_empty() {
        true => record(&reader, &Fields::new(&reader, document.get_ref(), 0, "a record")),
        false => None,
    };
    let complaints = reader.into_complaints();
    match parsed {
        Some(parsed) if complaints.is_empty() => Ok(parsed),
        _ => Err(complaints),
    }
}

const KEYS: [&str; 10] =
    ["name", "driver", "verdict", "width", "failure", "evidence", "note", "match", "kernels", "reference"];

fn record(reader: &Reader<'_>, fields: &Fields<'_, '_>) -> Option<Parsed> {
    fields.only(&KEYS);
    for key in ["name", "verdict", "width", "evidence", "note", "match", "reference"] {
        fields.need(key);
    }
    let name = fields.text("name");
    let driver = fields.text("driver");
    let verdict = fields.parsed("verdict", &one_of(Verdict::WORDS), Verdict::find);
    let width = fields.number("width");
    let failure = fields.parsed("failure", &one_of(Failure::WORDS), Failure::find);
    let evidence = fields.parsed("evidence", &one_of(EvidenceKind::WORDS), EvidenceKind::find);
    let note = fields.text("note");
    let matches: Vec<At<Match>> = fields.tables("match", "[[match]]").iter().filter_map(one_match).collect();
    let kernels = fields.table("kernels", "[kernels]").and_then(|fields| kernels(&fields));
    let references: Vec<At<Reference>> =
        fields.tables("reference", "[[reference]]").iter().filter_map(reference).collect();

    let id = rules::file_name(reader, name);
    texts::name(fields, name);
    texts::driver(fields, driver);
    texts::sentences(fields, "note", note);
    let width = width.and_then(|width| rules::width(fields, width, verdict));
    rules::verdict(fields, verdict, failure, evidence);
    rules::opened(fields, &references, evidence);
    rules::twins(fields, &matches);
    rules::paths(fields, verdict, &matches);
    let match_lines = matches.iter().map(|one| super::complaint::line(reader.text, one.at)).collect();
    let record = Record {
        id: id?,
        name: name?.value.to_owned(),
        driver: driver.map(|driver| driver.value.to_owned()),
        verdict: verdict?.value,
        width: width?,
        failure: failure.map(|failure| failure.value),
        evidence: evidence?.value,
        note: note?.value.to_owned(),
        matches: matches.into_iter().map(|one| one.value).collect(),
        kernels,
        references: references.into_iter().map(|one| one.value).collect(),
    };
    Some(Parsed { record, match_lines })
}

fn one_of(words: &[&str]) -> String {
    format!("one of \"{}\"", words.join("\", \""))
}

fn one_match(fields: &Fields<'_, '_>) -> Option<At<Match>> {
    fields.only(&["device", "subsystem", "revision", "class", "bridge", "path"]);
    fields.need("device");
    const PATTERN: &str =
        "vendor:device, four lower-case hexadecimal digits each, as in \"1b21:0612\" or \"8086:*\"";
    let device = fields.parsed("device", PATTERN, |text| IdPattern::parse(text, true));
    let exact = "vendor:device, four lower-case hexadecimal digits each, as in \"1b21:1060\"";
    let subsystem = fields.parsed("subsystem", exact, |text| IdPattern::parse(text, false));
    let revision =
        "one revision or a range, two lower-case hexadecimal digits each, as in \"01\" or \"00-10\"";
    let revision = fields.parsed("revision", revision, revisions);
    let class = "the 2, 4 or 6 lower-case hexadecimal digits that a PCI class begins with, as in \"0106\"";
    let class = fields.parsed("class", class, ClassPrefix::parse);
    let bridge = fields.texts("bridge").map(|list| {
        if list.value.is_empty() {
            fields.complain(list.at, "bridge: name at least one, or leave it out");
        }
        let one = |text: &At<&str>| {
            let parsed = IdPattern::parse(text.value, true);
            if parsed.is_none() {
                fields.complain(text.at, format!("bridge: use {PATTERN}"));
            }
            parsed
        };
        list.value.iter().filter_map(one).collect()
    });
    let path = fields.texts("path").map(|list| {
        if bridge.is_some() {
            fields.complain(list.at, "path: says what bridge says and more; leave one of them out");
        }
        if list.value.len() > MAX_PATH {
            fields.complain(list.at, format!("path: use at most {MAX_PATH} bridges"));
        }
        let one = |text: &At<&str>| {
            let parsed = text.value.parse::<PciId>();
            if let Err(error) = &parsed {
                fields.complain(text.at, format!("path: {error}"));
            }
            parsed.ok()
        };
        list.value.iter().filter_map(one).collect()
    });
    let value = Match {
        device: device?.value,
        subsystem: subsystem.map(|it| it.value),
        revision: revision.map(|it| it.value),
        class: class.map(|it| it.value),
        bridge: bridge.unwrap_or_default(),
        path,
    };
    Some(At { value, at: fields.at })
}

fn kernels(fields: &Fields<'_, '_>) -> Option<Kernels> {
    fields.only(&["mainline", "stable"]);
    fields.need("mainline");
    const ALLOWED: &str = "a version like \"6.8\"";
    let mainline = fields.parsed("mainline", ALLOWED, |text| text.parse::<Version>().ok());
    let stable = fields.texts("stable").map(|list| list.value).unwrap_or_default();
    let one = |text: &At<&str>| {
        let version = text.value.parse::<Version>().ok().filter(|version| version.patch > 0);
        if version.is_none() {
            fields.complain(text.at, "stable: use versions with three numbers, as in \"6.1.75\"");
        }
        version.map(|value| At { value, at: text.at })
    };
    let stable: Vec<At<Version>> = stable.iter().filter_map(one).collect();
    rules::stable_lines(fields, mainline, &stable);
    Some(Kernels { mainline: mainline?.value, stable: stable.into_iter().map(|it| it.value).collect() })
}

fn reference(fields: &Fields<'_, '_>) -> Option<At<Reference>> {
    fields.only(&["url", "says", "opened"]);
    for key in ["url", "says", "opened"] {
        fields.need(key);
    }
    let (url, says, opened) = (fields.text("url"), fields.text("says"), fields.flag("opened"));
    texts::url(fields, url);
    texts::sentences(fields, "says", says);
    let value = Reference { url: url?.value.to_owned(), says: says?.value.to_owned(), opened: opened?.value };
    Some(At { value, at: fields.at })
}
