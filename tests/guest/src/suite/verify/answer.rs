//! What `iova verify` says, and that it left the device as it was.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::policy::device::Device;
use crate::robust::run::{Answer, ask};

/// A device as it is found before, to be found so again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before {
    driver: Option<String>,
    domain: String,
    policy: String,
}

impl Before {
    pub(super) fn of(device: Device) -> Result<Self> {
        let domain = fs::read_to_string(device.path("iommu_group/type"))?;
        Ok(Self { driver: device.driver(), domain, policy: device.shows()? })
    }

    /// Everything as it was.
    pub(super) fn is_back(&self, device: Device) -> Result<()> {
        let now = Self::of(device)?;
        ensure!(now == *self, "{} is {now:?}, and was {self:?}", device.0);
        Ok(())
    }
}

/// Runs `iova verify` on a device to its end, checks that all is back, and gives the record.
pub(super) fn verify(device: Device, code: i32, args: &[&str]) -> Result<Value> {
    let before = Before::of(device)?;
    let answer = ask(&[&["verify", device.0, "--format", "json"], args].concat())?;
    tell(&answer);
    let record = answer.code(code)?.json()?;
    before.is_back(device)?;
    ensure!(record["problems"] == Value::Array(vec![]), "not put back: {}", record["problems"]);
    Ok(record)
}

/// Its steps, for whoever reads the log of the test.
pub(super) fn tell(answer: &Answer) {
    for line in answer.stderr.lines() {
        println!("# {line}");
    }
}

/// Bits of the answer, at least and at most.
pub(super) fn bits(record: &Value) -> Result<(u64, u64)> {
    let answer = &record["answer"];
    let number = |key: &str| answer[key].as_u64().with_context(|| format!("no {key} in {answer}"));
    match answer["verdict"].as_str() {
        Some("limit") => Ok((number("at_least")?, number("at_most")?)),
        Some("verified") => Ok((number("bits")?, number("bits")?)),
        _ => anyhow::bail!("neither a limit nor verified: {answer}"),
    }
}

/// It is verified to all the width there is, and in every step of the walk each address had the step's bit.
pub(super) fn is_whole(record: &Value) -> Result<u64> {
    let answer = &record["answer"];
    ensure!(answer["verdict"] == "verified" && answer["short"].is_null(), "the answer is {answer}");
    let (width, top) = (bits(record)?.0, &record["ladder"]["top"]);
    ensure!(*top == width, "verified to {width} bits, and the widest is {top}");
    for step in record["steps"].as_array().context("no steps")? {
        let width = step["width"].as_u64().context("a step without a width")?;
        let address = |key: &str| {
            let text = step["addresses"][key].as_str().context("a step without addresses")?;
            Ok::<u64, anyhow::Error>(u64::from_str_radix(text.trim_start_matches("0x"), 16)?)
        };
        if width > 32 {
            let (lowest, highest) = (address("lowest")?, address("highest")?);
            for address in [lowest, highest] {
                ensure!(address >> (width - 1) == 1, "{address:#x} in the step of {width} bits");
            }
        }
    }
    Ok(width)
}
