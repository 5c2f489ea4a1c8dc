//! One record of the list, checked.

use serde::Serialize;

use super::device::PciFacts;
use super::pattern::{Fit, Match};
use super::version::Kernels;
use super::words::{EvidenceKind, Failure, Verdict};

/// What is known about one kind of device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The file's name without `.toml`.
    pub id: String,
    /// What people call the device.
    pub name: String,
    /// Its main driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Cap or ok.
    pub verdict: Verdict,
    /// Bits.
    pub width: u8,
    /// What goes wrong above a cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What it rests on.
    pub evidence: EvidenceKind,
    /// One or two sentences.
    pub note: String,
    /// Which devices; any of these.
    #[serde(rename = "match")]
    pub matches: Vec<Match>,
    /// Which kernels know it by themselves; `None`: none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<Kernels>,
    /// Where it can be read.
    #[serde(rename = "reference")]
    pub references: Vec<Reference>,
}

/// Where something can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// `https://…`, or `Message-ID:<…>`.
    pub url: String,
    /// What was read there.
    pub says: String,
    /// Whether it was read there, or is known from elsewhere.
    pub opened: bool,
}

/// Narrowest cap that the module can put in force; narrower ones are told only.
pub const NARROWEST_APPLIED: u8 = 32;

impl Record {
    /// The best fit of its matches.
    pub fn fits(&self, device: &PciFacts) -> Fit {
        let doubt = self.verdict == Verdict::Cap;
        self.matches.iter().map(|one| one.fits(device, doubt)).max().unwrap_or(Fit::No)
    }

    /// Whether generated files may put this cap in force, once the administrator has enabled the list. Not if nobody
    /// could open a reference.
    pub fn is_applied(&self) -> bool {
        self.can_be_applied() && self.references.iter().any(|reference| reference.opened)
    }

    /// False for an ok, for a width that the module has not, and where narrowing is what breaks the device.
    pub(super) fn can_be_applied(&self) -> bool {
        self.verdict == Verdict::Cap
            && self.width >= NARROWEST_APPLIED
            && self.failure != Some(Failure::NeedsHigh)
    }

    /// The reference to show with it: one that was opened, if there is one.
    pub fn reference(&self) -> Option<&Reference> {
        self.references.iter().find(|reference| reference.opened).or(self.references.first())
    }
}

impl Reference {
    /// An address for a browser.
    pub fn link(&self) -> String {
        let message = self.url.strip_prefix("Message-ID:<").and_then(|rest| rest.strip_suffix('>'));
        message.map_or_else(|| self.url.clone(), |id| format!("https://lore.kernel.org/r/{id}"))
    }
}
