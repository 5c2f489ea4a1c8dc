//! From bytes to a report, and back.

use super::{CompatReport, DeviceReport, Faults, Proof, SCHEMA, SCHEMA_VERSION, Usage};
use crate::kernel::root::clean;
use serde::Deserialize;

/// No report is longer.
pub const MAX_BYTES: u64 = 4 << 20;

/// Ten years: nothing was watched for longer.
const MAX_MS: u64 = 10 * 366 * 86_400_000;

/// Why bytes are no report; half a sentence, to stand after the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Too long.
    #[error("it is longer than a report can be ({} MiB): give a file of `iova report --compat`", MAX_BYTES >> 20)]
    Long,
    /// Another kind of file.
    #[error("it is no compatibility report: give a file of `iova report --compat`")]
    Other,
    /// A later version.
    #[error(
        "it has version {0} of the format, and this iova knows {SCHEMA_VERSION}: use the iova that made it, or a later one"
    )]
    Version(u32),
    /// Something in it has the wrong form.
    #[error("it is a damaged or changed report ({0}): have it made again")]
    Form(String),
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    schema: String,
    schema_version: u32,
}

impl CompatReport {
    /// Reads a file. The file may be anything; what comes back keeps all bounds of the format.
    ///
    /// # Errors
    /// If it is no report, or one with something in it that the format has not.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ReportError::Long);
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|_| ReportError::Other)?;
        if head.schema != SCHEMA {
            return Err(ReportError::Other);
        }
        if head.schema_version != SCHEMA_VERSION {
            return Err(ReportError::Version(head.schema_version));
        }
        let form = |text: String| ReportError::Form(clean(text.as_bytes()).chars().take(160).collect());
        let report: Self = serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
        report.check().map_err(|why| form(why.to_owned()))?;
        Ok(report)
    }

    /// As it is written: for eyes first.
    ///
    /// # Errors
    /// None that can happen with these types.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.iommu.iter().any(|iommu| !fits(iommu.width)) {
            return Err("an IOMMU of more than 64 bits");
        }
        self.devices.iter().try_for_each(DeviceReport::check)
    }
}

fn fits(bits: Option<u8>) -> bool {
    bits.is_none_or(|bits| bits <= 64)
}

impl DeviceReport {
    fn check(&self) -> Result<(), &'static str> {
        if !fits(self.mask_bits) || !fits(self.coherent_mask_bits) {
            return Err("a mask of more than 64 bits");
        }
        self.usage.iter().try_for_each(Usage::check)?;
        self.trials.iter().try_for_each(|trial| trial.faults.check())?;
        self.proofs.iter().try_for_each(Proof::check)
    }
}

impl Usage {
    fn check(&self) -> Result<(), &'static str> {
        if self.observed_ms > MAX_MS {
            return Err("watched for more than ten years");
        }
        if !fits(self.width) {
            return Err("a width of more than 64 bits");
        }
        if self.high > self.allocations {
            return Err("more high addresses than addresses");
        }
        if self.low_failed > self.low_attempts.or(self.low_failed) {
            return Err("more failed attempts below 4 GiB than attempts");
        }
        self.faults.iter().try_for_each(Faults::check)
    }
}

impl Faults {
    fn check(&self) -> Result<(), &'static str> {
        let classes = [self.truncated, self.mangled, self.unrelated];
        let sum = classes.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        if sum.is_none_or(|sum| sum > self.count) {
            return Err("more faults by class than faults");
        }
        if self.low_32_alias != (self.truncated > 0 || self.mangled > 0) {
            return Err("low_32_alias contradicts the classes of the faults");
        }
        let range =
            self.passes.is_none_or(|passes| passes.at_least <= passes.at_most && passes.at_most <= 64);
        if range { Ok(()) } else { Err("bits of faults that are no range") }
    }
}

impl Proof {
    fn check(&self) -> Result<(), &'static str> {
        if self.free_bits > 64 || self.steps.iter().any(|step| step.width > 64) {
            return Err("a step of more than 64 bits");
        }
        if self.steps.iter().any(|step| step.worked_ms > MAX_MS) {
            return Err("a step of more than ten years");
        }
        let Some(answer) = self.answer else { return Ok(()) };
        let limit = answer.verdict == super::AnswerKind::Limit;
        if limit != answer.at_most.is_some() || limit != answer.basis.is_some() {
            return Err("an answer with at_most and basis is a limit, and no other");
        }
        let range = answer.bits <= 64 && answer.at_most.is_none_or(|most| answer.bits <= most && most <= 64);
        if range { Ok(()) } else { Err("an answer with bits that are no range") }
    }
}
