//! What the record keeps of a step.

use serde::{Deserialize, Serialize};

use super::alias::Alias;
use crate::policy::words::hex_option;
use crate::policy::{Evidence, Policy};

/// Why a step is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The work as the kernel places addresses by itself: what fails here says nothing about width.
    Baseline,
    /// One bit more.
    Walk,
    /// Widths are missing before the one that failed: another pattern of bits, which tells them apart.
    Narrow,
    /// The work failed and no fault says why: does it still succeed at the last width that passed?
    Control,
    /// And does it fail again?
    Repeat,
}

/// Addresses that the device was given in a step, as the tracer saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Those that the step is about.
    pub count: u64,
    /// The lowest of them.
    #[serde(with = "hex_option")]
    pub lowest: Option<u64>,
    /// The last byte of the highest of them.
    #[serde(with = "hex_option")]
    pub highest: Option<u64>,
    /// Of them, below what the step asks for.
    pub below: u64,
    /// Beside them: buffers for which the driver itself allows no such address (a narrower coherent mask).
    pub narrow: u64,
    /// Requests that got none.
    pub failed: u64,
    /// Calls that the tracer had no room for: neither counted above nor looked at.
    pub lost: u64,
}

/// What the work came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// How often it was done.
    pub runs: u32,
    /// Bytes that were moved and compared; 0 for a command, which keeps that to itself.
    pub bytes: u64,
    /// How long it took, ms.
    #[serde(default)]
    pub ms: u64,
    /// Why it failed, one sentence; `None`: it did not.
    pub failure: Option<String>,
}

/// What a step has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// The work was done, with the addresses asked for, and nothing was amiss.
    Passed,
    /// A fault shows how many bits come through.
    Truncated {
        /// At least.
        at_least: u8,
        /// At most.
        at_most: u8,
    },
    /// A fault shows that high bits are changed.
    Mangled,
    /// The work failed, or something went wrong; that the width is to blame is not shown by that.
    Failed {
        /// One sentence.
        why: String,
    },
    /// The device did not get the addresses that the step is about, so nothing was tried.
    Unreached {
        /// One sentence.
        why: String,
    },
}

/// One step, from the new domain to the unbound driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// From 1.
    pub number: u32,
    /// Address bits.
    pub width: u8,
    /// Why it was made.
    pub purpose: Purpose,
    /// What was in force.
    pub policy: Policy,
    /// Seconds since 1970.
    pub began_s: u64,
    /// Seconds.
    pub lasted_s: f64,
    /// Where the addresses were.
    pub addresses: Addresses,
    /// What was done.
    pub work: Work,
    /// Faults of the device, with what they mean.
    pub faults: Vec<Evidence>,
    /// PCIe errors of the device.
    pub pcie_errors: Option<String>,
    /// A truncated address that would have hit something mapped, so that no fault could have told.
    pub alias: Option<Alias>,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl StepRecord {
    /// Whether it proves its width.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}
