//! What is wrong with a record, and where.

use std::fmt;

use serde::Serialize;

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Complaint {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what is allowed.
    pub reason: String,
}

impl fmt::Display for Complaint {
    /// As compilers write it, so that editors find the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// The line of byte `at`.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

/// What somebody wrote, safe to print and not longer than a line.
pub(super) fn shown(text: &str) -> String {
    crate::kernel::root::clean(text.as_bytes()).chars().take(60).collect()
}
