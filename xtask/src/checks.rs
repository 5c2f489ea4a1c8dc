//! What is checked beside tests: licences, duplicates, kernel C style, file lengths.

pub(crate) mod checkpatch;
pub(crate) mod deny;
pub(crate) mod sizes;
mod spdx;
