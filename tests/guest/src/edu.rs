//! What the driver of the dishonest device is told and says. See the module iova_edu.

use std::fs;

use anyhow::{Context, Result};

const MODULE: &str = "/dev/iova_edu";
/// How many bytes it writes at once. QEMU 7.2 refuses a whole page.
pub const BYTES: u64 = 2048;

/// Gives the driver a command; its answer.
///
/// # Errors
/// If it fails.
pub fn ask(command: &str) -> Result<String> {
    let result = fs::write(MODULE, command);
    let answer = fs::read_to_string(MODULE).with_context(|| format!("reading {MODULE}"))?;
    result.with_context(|| format!("{command}: {}", answer.trim().replace('\n', " ")))?;
    Ok(answer)
}

/// A number of an answer.
///
/// # Errors
/// If the answer has none.
pub fn number(answer: &str, key: &str) -> Result<u64> {
    let mut lines = answer.lines().filter_map(|line| line.split_once('='));
    let found = lines.find(|(name, _)| *name == key);
    let (_, text) = found.with_context(|| format!("iova_edu says nothing of {key}: {answer}"))?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .with_context(|| format!("{key}={text}"))
}
