//! What a list says about one device on its path.
//!
//! Narrower beats wider: of several caps the narrowest counts, and nothing is ok beyond it. A local cap is a quarantine:
//! with one, no shipped ok counts.

use serde::Serialize;

use super::device::PciFacts;
use super::list::{List, Listed, Origin};
use super::pattern::Fit;
use super::record::{Record, Reference};
use super::version::{ByVersion, Running, Version};
use super::words::{EvidenceKind, Failure, Verdict};

/// Whether the running kernel keeps to a cap by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Knowledge {
    /// Yes: the bound driver has set a mask as narrow as that.
    Mask {
        /// Bits of the mask.
        bits: u8,
    },
    /// Yes, by its version; no driver is bound that would show it.
    Version {
        /// Since this mainline version, or an earlier one of a stable line.
        since: Version,
    },
    /// No.
    No {
        /// Bits of the bound driver's mask; `None` without a driver.
        mask_bits: Option<u8>,
    },
    /// The kernel's name does not tell, and no driver is bound that would show it.
    Unclear,
}

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Who says it.
    pub origin: Origin,
    /// The record's file without `.toml`.
    pub id: String,
    /// What the record calls the device.
    pub name: String,
    /// Cap or ok.
    pub verdict: Verdict,
    /// Bits.
    pub width: u8,
    /// What goes wrong above a cap.
    pub failure: Option<Failure>,
    /// What it rests on.
    pub evidence: EvidenceKind,
    /// One or two sentences.
    pub note: String,
    /// Where it can be read.
    pub reference: Option<Reference>,
    /// It holds on this path: the port above the device is one that the record names, or it names none.
    pub holds_here: bool,
    /// Generated files put it in force where the list is enabled; local ones are taken at their word.
    pub applied: bool,
    /// For caps: whether this kernel keeps to it by itself.
    pub kernel: Option<Knowledge>,
}

/// What all records come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Word {
    /// Never more bits than these.
    pub cap: Option<u8>,
    /// Verified good up to these.
    pub ok: Option<u8>,
    /// The device can use high addresses only.
    pub needs_high: bool,
    /// The records, the one that counts first; those for other paths last.
    pub entries: Vec<Entry>,
}

impl List {
    /// What the list says about `device`.
    pub fn word(&self, device: &PciFacts, running: Option<Running>) -> Word {
        let met = |entry: &Listed| match entry.record.fits(device) {
            Fit::No => None,
            fit => Some(Entry::new(entry, fit == Fit::Yes, device, running)),
        };
        let mut entries: Vec<Entry> = self.entries.iter().filter_map(met).collect();
        entries.sort_by_key(|entry| (!entry.holds_here, entry.verdict, entry.width));
        let cap = caps(&entries).map(|entry| entry.width).min();
        Word {
            cap,
            ok: ok(&entries).map(|ok| cap.map_or(ok, |cap| ok.min(cap))),
            needs_high: entries.iter().any(|entry| entry.holds_here && entry.needs_high()),
            entries,
        }
    }
}

fn caps(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|it| it.holds_here && it.verdict == Verdict::Cap && !it.needs_high())
}

/// The widest proof: a narrower one does not contradict it. The administrator's own counts before others', and a
/// quarantine before both.
fn ok(entries: &[Entry]) -> Option<u8> {
    let by = |origin: Origin| {
        let good = entries.iter().filter(move |it| it.holds_here && it.verdict == Verdict::Ok);
        good.filter(move |it| it.origin == origin).map(|it| it.width).max()
    };
    let quarantined = caps(entries).any(|cap| cap.origin == Origin::Local);
    by(Origin::Local).or_else(|| by(Origin::Shipped).filter(|_| !quarantined))
}

impl Entry {
    fn new(listed: &Listed, holds_here: bool, device: &PciFacts, running: Option<Running>) -> Self {
        let record = &listed.record;
        Self {
            origin: listed.origin,
            id: record.id.clone(),
            name: record.name.clone(),
            verdict: record.verdict,
            width: record.width,
            failure: record.failure,
            evidence: record.evidence,
            note: record.note.clone(),
            reference: record.reference().cloned(),
            holds_here,
            applied: record.is_applied() || listed.origin == Origin::Local && record.can_be_applied(),
            kernel: (record.verdict == Verdict::Cap).then(|| knowledge(record, device, running)),
        }
    }

    fn needs_high(&self) -> bool {
        self.failure == Some(Failure::NeedsHigh)
    }

    /// What it says, what it rests on, where that can be read: half a sentence.
    pub fn saying(&self) -> String {
        let what = match (self.verdict, self.failure) {
            (Verdict::Cap, Some(Failure::NeedsHigh)) => Failure::NeedsHigh.what().to_owned(),
            (Verdict::Cap, failure) => {
                let why = failure.unwrap_or(Failure::Unknown).what();
                format!("at most {} bits, because {why}", self.width)
            }
            (Verdict::Ok, _) => format!("verified good up to {} bits", self.width),
        };
        let link = self.reference.as_ref().map(|it| format!(", {}", it.link())).unwrap_or_default();
        let unread = self.reference.as_ref().is_some_and(|it| !it.opened);
        let unread = if unread { ", which could not be opened" } else { "" };
        format!("{what} ({}{link}{unread})", self.evidence.what())
    }
}

impl Word {
    /// The record that decides: the narrowest cap, or else the best ok.
    pub fn deciding(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.holds_here)
    }

    /// The narrowest cap that this kernel does not (or may not) keep to by itself.
    pub fn needed(&self) -> Option<&Entry> {
        caps(&self.entries).find(|entry| entry.kernel.is_some_and(|it| !it.is_enough()))
    }
}

impl Knowledge {
    /// True if the kernel keeps to the cap by itself.
    pub fn is_enough(self) -> bool {
        matches!(self, Self::Mask { .. } | Self::Version { .. })
    }

    /// One half of a sentence.
    pub fn sentence(self) -> String {
        match self {
            Self::Mask { bits } => format!("this kernel keeps to it by itself: the driver's mask has {bits} bits"),
            Self::Version { since } => format!("this kernel keeps to it by itself, as mainline does since {since}"),
            Self::No { mask_bits: Some(bits) } => {
                format!("this kernel does not keep to it: the driver's mask has {bits} bits")
            }
            Self::No { mask_bits: None } => "this kernel does not keep to it".to_owned(),
            Self::Unclear => {
                "whether this kernel keeps to it can't be told from its version: bind the driver, and its mask tells"
                    .to_owned()
            }
        }
    }
}

/// The mask of a bound driver is a fact; what a version promises may have been taken out again, or have been put in.
fn knowledge(record: &Record, device: &PciFacts, running: Option<Running>) -> Knowledge {
    match (device.mask_bits, &record.kernels, running) {
        (Some(bits), ..) if bits <= record.width => Knowledge::Mask { bits },
        (Some(bits), ..) => Knowledge::No { mask_bits: Some(bits) },
        (None, None, _) => Knowledge::No { mask_bits: None },
        (None, Some(_), None) => Knowledge::Unclear,
        (None, Some(kernels), Some(running)) => match kernels.by_version(running) {
            ByVersion::Knows => Knowledge::Version { since: kernels.mainline },
            ByVersion::Needs => Knowledge::No { mask_bits: None },
            ByVersion::Unclear => Knowledge::Unclear,
        },
    }
}
