//! What is checked beside tests: licences, duplicates, kernel C style, file lengths, HTML pages in a browser.

pub(crate) mod checkpatch;
pub(crate) mod deny;
pub(crate) mod pages;
pub(crate) mod sizes;
mod spdx;
