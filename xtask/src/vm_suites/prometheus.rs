//! A real Prometheus in one guest of the matrix: one whose kernel never gives up the space below 4 GiB, so that alerts about
//! searches in vain have something to fire at.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::matrix::{Configuration, Variant};
use crate::cmd;
use crate::kernels::Line;
use crate::lab::Iommu;

/// Debian's package of this name has it.
const PROGRAM: &str = "prometheus";

impl Configuration {
    /// Whether its guest gets one.
    pub(super) fn has_prometheus(self) -> bool {
        self == Self { line: Line::V6_1, iommu: Iommu::Intel, variant: Variant::Plain }
    }
}

/// The program and the libraries that it names: (path in the guest, file on the host).
pub(super) fn files() -> Result<Vec<(String, PathBuf)>> {
    let program = cmd::which(PROGRAM).context("there is no prometheus; install the package prometheus")?;
    let libraries = cmd::stdout(cmd::command("ldd").arg(&program))?;
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    let mut files: Vec<_> = libraries.map(|path| (path.to_owned(), PathBuf::from(path))).collect();
    files.push((format!("bin/{PROGRAM}"), program));
    Ok(files)
}
