//! Which device may use how wide addresses: the compatibility list.
//!
//! One record is one file of `compat/`, in TOML. From these files everything else is made: the list inside `iova`, a
//! hwdb file and rules for udev, a table for kernel code, a page of the documentation ([`build`]). A record is a cap
//! (never more bits than these) or an ok (verified up to these); for a device on its path, [`Word`] says what the whole
//! list comes to.

pub mod build;
mod complaint;
mod device;
mod host;
mod lint;
mod list;
pub mod merge;
mod parse;
mod pattern;
mod record;
pub mod report;
mod version;
mod word;
mod words;

pub use complaint::Complaint;
pub use device::{PciFacts, bridges};
pub use host::{Checked, check, check_one};
pub use list::{LOCAL_DIR, List, Listed, Origin, lint_paths};
pub use pattern::{ClassPrefix, Fit, IdPattern, Match};
pub use record::{NARROWEST_APPLIED, Record, Reference};
pub use version::{BadVersion, ByVersion, Kernels, Running, Version};
pub use word::{Entry, Knowledge, Word};
pub use words::{EvidenceKind, Failure, Verdict};

#[cfg(test)]
pub(crate) mod tests;
