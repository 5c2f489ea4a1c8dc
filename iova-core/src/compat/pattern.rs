//! Which devices a record means.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

use super::device::PciFacts;
use super::report::PciId;

/// `1b21:0612`, or `8086:*` for all of a vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdPattern {
    /// Vendor.
    pub vendor: u16,
    /// Device; `None` for any.
    pub device: Option<u16>,
}

/// A PCI class or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ClassPrefix(String);

/// Conditions that all have to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Match {
    /// Vendor and device.
    pub device: IdPattern,
    /// Those of the subsystem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subsystem: Option<IdPattern>,
    /// Revisions.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_revisions")]
    pub revision: Option<RangeInclusive<u8>>,
    /// Class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassPrefix>,
    /// The port above the device is one of these; empty: whatever it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bridge: Vec<IdPattern>,
    /// The bridges above the device are exactly these, from the port that it is plugged into to the root; empty: it is on
    /// a root bus. `None`: whatever they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<PciId>>,
}

/// Whether a device is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Another device.
    No,
    /// The device, but on another path.
    OtherBridge,
    /// This device, here.
    Yes,
}

impl IdPattern {
    /// From the text of a record.
    pub(super) fn parse(text: &str, star: bool) -> Option<Self> {
        let (vendor, device) = text.split_once(':')?;
        let device = match device {
            "*" if star => None,
            _ => Some(hex(device, 4)?),
        };
        Some(Self { vendor: hex(vendor, 4)?, device })
    }

    fn fits(self, (vendor, device): (u16, u16)) -> bool {
        self.vendor == vendor && self.device.is_none_or(|wanted| wanted == device)
    }
}

impl ClassPrefix {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = matches!(text.len(), 2 | 4 | 6) && text.bytes().all(is_hex);
        digits.then(|| Self(text.to_owned()))
    }

    /// Its hexadecimal digits, lower case: two, four or six.
    pub fn digits(&self) -> &str {
        &self.0
    }

    fn fits(&self, class: u32) -> bool {
        format!("{class:06x}").starts_with(&self.0)
    }
}

impl Match {
    /// Whether `device` is meant. What can't be read about it counts as fitting only if `unknown_fits`: a cap is kept in
    /// doubt, an `ok` is not.
    pub fn fits(&self, device: &PciFacts, unknown_fits: bool) -> Fit {
        let within = |known: Option<bool>| known.unwrap_or(unknown_fits);
        let same = self.device.fits(device.id)
            && self.subsystem.is_none_or(|subsystem| subsystem.fits(device.subsystem))
            && self
                .revision
                .as_ref()
                .is_none_or(|range| within(device.revision.map(|it| range.contains(&it))))
            && self.class.as_ref().is_none_or(|class| within(device.class.map(|it| class.fits(it))));
        let behind =
            self.bridge.is_empty() || device.bridge.is_some_and(|it| self.bridge.iter().any(|b| b.fits(it)));
        let here = behind && (self.path.is_none() || self.path == device.path);
        match (same, here) {
            (false, _) => Fit::No,
            (true, false) => Fit::OtherBridge,
            (true, true) => Fit::Yes,
        }
    }

    /// The same devices under the same conditions, at least partly.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let sorted = |bridges: &[IdPattern]| {
            let mut bridges = bridges.to_vec();
            bridges.sort_unstable();
            bridges
        };
        let revisions = match (&self.revision, &other.revision) {
            (None, None) => true,
            (Some(a), Some(b)) => a.start() <= b.end() && b.start() <= a.end(),
            _ => false,
        };
        self.device == other.device
            && self.subsystem == other.subsystem
            && self.class == other.class
            && revisions
            && sorted(&self.bridge) == sorted(&other.bridge)
            && self.path == other.path
    }
}

/// `10` or `00-10`.
pub(super) fn revisions(text: &str) -> Option<RangeInclusive<u8>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (hex(first, 2)? as u8, hex(last, 2)? as u8);
    (first <= last).then_some(first..=last)
}

/// As a record has it.
pub(super) fn revision_text(range: &RangeInclusive<u8>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => format!("{first:02x}"),
        (first, last) => format!("{first:02x}-{last:02x}"),
    }
}

fn as_revisions<S: serde::Serializer>(
    range: &Option<RangeInclusive<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&range.as_ref().map(revision_text).unwrap_or_default())
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

pub(super) fn hex(text: &str, digits: usize) -> Option<u16> {
    let plain = text.len() == digits && text.bytes().all(is_hex);
    plain.then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.device {
            Some(device) => write!(f, "{:04x}:{device:04x}", self.vendor),
            None => write!(f, "{:04x}:*", self.vendor),
        }
    }
}

impl Serialize for IdPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
