//! 60-iova-policy.hwdb. hwdb sees a device's modalias only, in upper-case hexadecimal; of several entries that fit, the
//! later one wins (hwdb(7)).

use super::super::pattern::{IdPattern, Match, revision_text};
use super::super::record::Record;
use super::super::report::PciId;
use super::super::word::{Entry, Word};
use super::super::words::{EvidenceKind, Verdict};
use super::narrowest_last;

const HEAD: &str = "\
# This file was made by `iova compat build --format hwdb`: change the records, not this file.
#
# Which PCI devices must not get DMA addresses of more than so many bits, and which are verified good up to so many.
# 61-iova-policy.rules acts on it. What an administrator knows better goes to a file that is read later, such as
# /etc/udev/hwdb.d/90-iova-policy-local.hwdb; then `systemd-hwdb update`.
#
# Match: pci:v<8 hex>d<8 hex>sv<8 hex>sd<8 hex>bc<2 hex>sc<2 hex>i<2 hex>
# Properties:
#   ID_IOVA_WIDTH_MAX    never hand out an address of more bits, 32 to 63
#   ID_IOVA_WIDTH_OK     verified good up to this many bits, 33 to 57
#   ID_IOVA_EVIDENCE     quirk, declared, report, verified, vendor
#   ID_IOVA_REF          where it can be read
#   ID_IOVA_KERNELS      kernels from these versions on know the width themselves; with them it does no harm
#   ID_IOVA_CHECK        1: the width depends on what hwdb does not see; the rules ask `iova compat check --format udev`
#   ID_IOVA_CHECK_WIDTH  what it would be
#   ID_IOVA_REVISION     for these revisions of the device
#   ID_IOVA_BRIDGE       where the port above the device is one of these
#   ID_IOVA_PATH         where all bridges above the device are these, up to the root bus
# Never in this file, only in local ones:
#   ID_IOVA_QUARANTINE   a width as above, put in force whether the list is enabled or not
#   ID_IOVA_APPLY        1: give the device the range up to ID_IOVA_WIDTH_OK at once
";

/// The file.
pub fn hwdb(records: &[&Record]) -> String {
    narrowest_last(records).into_iter().fold(HEAD.to_owned(), |text, record| text + "\n" + &entry(record))
}

fn entry(record: &Record) -> String {
    let mut text = format!("# {} ({})\n# {}\n", record.name, record.id, record.note);
    if record.verdict == Verdict::Cap && !record.is_applied() {
        let why = match record.reference() {
            _ if record.width < super::super::NARROWEST_APPLIED => "no cap below 32 bits can be put in force",
            Some(reference) if reference.opened => "the device needs high addresses",
            _ => "no reference could be opened",
        };
        return text + &format!("# Left out, because {why}: at most {} bits.\n", record.width);
    }
    let (depends, plain): (Vec<&Match>, Vec<&Match>) = record.matches.iter().partition(|it| depends(it));
    if !plain.is_empty() {
        plain.iter().for_each(|it| text += &(modalias(it) + "\n"));
        text += &format!(" {}={}\n", key(record.verdict), record.width);
        text += &common(record);
    }
    for (index, it) in depends.iter().enumerate() {
        text += if index == 0 && plain.is_empty() { "" } else { "\n" };
        text += &format!("{}\n ID_IOVA_CHECK=1\n ID_IOVA_CHECK_WIDTH={}\n", modalias(it), record.width);
        if let Some(range) = &it.revision {
            text += &format!(" ID_IOVA_REVISION={}\n", revision_text(range));
        }
        if !it.bridge.is_empty() {
            let bridges: Vec<String> = it.bridge.iter().map(ToString::to_string).collect();
            text += &format!(" ID_IOVA_BRIDGE={}\n", bridges.join(","));
        }
        if let Some(path) = &it.path {
            text += &format!(" ID_IOVA_PATH={}\n", path_text(path));
        }
        text += &common(record);
    }
    text
}

fn path_text(path: &[PciId]) -> String {
    let ids: Vec<String> = path.iter().map(ToString::to_string).collect();
    if ids.is_empty() { "root".to_owned() } else { ids.join(",") }
}

/// On what hwdb does not see.
fn depends(it: &Match) -> bool {
    it.revision.is_some() || !it.bridge.is_empty() || it.path.is_some()
}

fn key(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Cap => "ID_IOVA_WIDTH_MAX",
        Verdict::Ok => "ID_IOVA_WIDTH_OK",
    }
}

fn common(record: &Record) -> String {
    let mut text = format!(" ID_IOVA_EVIDENCE={}\n", record.evidence.word());
    if let Some(reference) = record.reference() {
        text += &format!(" ID_IOVA_REF={}\n", reference.link());
    }
    if let Some(kernels) = &record.kernels {
        let all = std::iter::once(&kernels.mainline).chain(&kernels.stable);
        let all: Vec<String> = all.map(ToString::to_string).collect();
        text += &format!(" ID_IOVA_KERNELS={}\n", all.join(","));
    }
    text
}

/// `pci:v00001B21d00000612*`; with a subsystem or a class longer.
fn modalias(it: &Match) -> String {
    let device = |id: IdPattern| id.device.map_or("*".to_owned(), |device| format!("{device:08X}"));
    let mut text = format!("pci:v{:08X}d{}", it.device.vendor, device(it.device));
    if let Some(subsystem) = it.subsystem {
        text += &format!("sv{:08X}sd{}", subsystem.vendor, device(subsystem));
    }
    if let Some(class) = &it.class {
        text += if it.subsystem.is_some() { "" } else { "sv*sd*" };
        for (name, digits) in ["bc", "sc", "i"].iter().zip(class.digits().as_bytes().chunks(2)) {
            text += name;
            text += &String::from_utf8_lossy(digits).to_uppercase();
        }
    }
    if text.ends_with('*') { text } else { text + "*" }
}

/// What decides about one device, as properties for udev. The first tells the rules that the list was asked.
pub fn properties(word: &Word) -> String {
    let here = || word.entries.iter().filter(|entry| entry.holds_here);
    let cap = here().filter(|entry| entry.verdict == Verdict::Cap && entry.applied).min_by_key(|it| it.width);
    let evidence = |entry: &Entry| {
        let link = entry.reference.as_ref().map(|it| it.link()).unwrap_or_default();
        let word = EvidenceKind::word(entry.evidence);
        format!("ID_IOVA_EVIDENCE={word}\nID_IOVA_REF={link}\n")
    };
    let mut text = "ID_IOVA_CHECKED=1\n".to_owned();
    text += &word.ok.map(|ok| format!("ID_IOVA_WIDTH_OK={ok}\n")).unwrap_or_default();
    text += &cap.map(|it| format!("ID_IOVA_WIDTH_MAX={}\n", it.width)).unwrap_or_default();
    text + &cap.or_else(|| here().find(|it| it.verdict == Verdict::Ok)).map(evidence).unwrap_or_default()
}
