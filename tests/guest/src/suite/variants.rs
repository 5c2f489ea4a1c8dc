//! The lab's other ways to boot: each is what it says it is.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::lab::domains_are;
use crate::{Outcome, Test};

pub(crate) const STRICT: &[(&str, Test)] = &[("lab.strict_domains", || domains_are(&["DMA"]))];

pub(crate) const PASSTHROUGH: &[(&str, Test)] = &[("lab.identity_domains", || domains_are(&["identity"]))];

pub(crate) const OFF: &[(&str, Test)] = &[("lab.no_groups", no_groups)];

pub(crate) const LOCKDOWN: &[(&str, Test)] = &[("lab.locked_down", locked_down)];

fn no_groups() -> Result<Outcome> {
    let groups = fs::read_dir("/sys/kernel/iommu_groups").map_or(0, Iterator::count);
    ensure!(groups == 0, "{groups} IOMMU groups without an IOMMU");
    Ok(Outcome::Passed)
}

fn locked_down() -> Result<Outcome> {
    let path = "/sys/kernel/security/lockdown";
    let state = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    ensure!(state.contains("[confidentiality]"), "lockdown is in state {}", state.trim());
    Ok(Outcome::Passed)
}
