//! `iova report` around a load, and its JSON document.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::load::{Answer, Load, MODULE};

/// What a report says.
pub(crate) struct Report(Value);

impl Report {
    /// Measures while the module runs `text` for its device (see [`Load::run`]).
    pub(crate) fn around(load: &Load, profile: &str, text: &str) -> Result<(Self, Answer)> {
        let command = load.command(text);
        let script = format!("echo \"$0\" > {MODULE}");
        let report =
            Self::take(&["--profile", profile, "--", "/bin/busybox", "sh", "-c", &script, &command])?;
        let answer = Answer::last().with_context(|| command.clone())?;
        ensure!(report.number("command.exit_code")? == Some(0), "{command} ended with an error");
        Ok((report, answer))
    }

    /// A report with these arguments.
    pub(crate) fn take(args: &[&str]) -> Result<Self> {
        let output = Command::new("iova").args(["report", "--format", "json"]).args(args).output();
        let output = output.context("starting iova")?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "iova report: {}: {}", output.status, stderr.trim());
        Ok(Self(serde_json::from_slice(&output.stdout).context("reading the report")?))
    }

    /// A number of the report as a whole, `None` if it is null.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>> {
        number(&self.0, name)
    }

    /// The device at this address.
    pub(crate) fn device(&self, bdf: &str) -> Result<&Value> {
        let devices = list(&self.0, "devices")?;
        let device = devices.iter().find(|device| device["bdf"] == bdf);
        device.with_context(|| format!("the report has no device {bdf}"))
    }

    /// All devices.
    pub(crate) fn devices(&self) -> Result<&[Value]> {
        list(&self.0, "devices")
    }

    /// The domain of an IOMMU group.
    pub(crate) fn domain(&self, group: u64) -> Result<&Value> {
        let domain = list(&self.0, "domains")?.iter().find(|domain| domain["group"] == group);
        domain.with_context(|| format!("the report has no domain of group {group}"))
    }

    /// The finding called `id` about a device or its group, if there is one.
    pub(crate) fn finding(&self, id: &str, bdf: &str) -> Result<Option<&Value>> {
        let group = &self.device(bdf)?["group"];
        let mut findings = list(&self.0, "findings")?.iter();
        Ok(findings
            .find(|finding| finding["id"] == id && (finding["device"] == bdf || finding["group"] == *group)))
    }

    /// Names of all findings, for messages.
    pub(crate) fn findings(&self) -> Result<Vec<&str>> {
        Ok(list(&self.0, "findings")?.iter().filter_map(|finding| finding["id"].as_str()).collect())
    }

    /// Why a metric has no value.
    pub(crate) fn why_unknown(&self, metric: &str) -> Result<Option<&str>> {
        let unknown = self.0.pointer("/quality/unknown").and_then(Value::as_array);
        let mut unknown = unknown.context("the report has no quality.unknown")?.iter();
        Ok(unknown.find(|entry| entry["metric"] == metric).and_then(|entry| entry["why"].as_str()))
    }

    /// What the report says about its own quality, for messages.
    pub(crate) fn quality(&self) -> &Value {
        &self.0["quality"]
    }

    /// Program runs that the kernel skipped.
    pub(crate) fn skipped(&self) -> Result<u64> {
        self.number("quality.recursion_misses")?.context("quality.recursion_misses is null")
    }
}

/// A number at a dotted path, `None` if it is null. A name that is not there is an error, not an unknown value.
pub(crate) fn number(value: &Value, name: &str) -> Result<Option<u64>> {
    let found = value.pointer(&format!("/{}", name.replace('.', "/")));
    let found = found.with_context(|| format!("the report has no {name}"))?;
    if found.is_null() {
        return Ok(None);
    }
    Ok(Some(found.as_u64().with_context(|| format!("{name} is {found}, not a count"))?))
}

/// A number that has to be known.
pub(crate) fn known(value: &Value, name: &str) -> Result<u64> {
    number(value, name)?.with_context(|| format!("{name} is null"))
}

/// A list of the report.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value]> {
    Ok(value[name].as_array().with_context(|| format!("the report has no list {name}"))?)
}

/// Entries of a list of `order` and `count`, those that are not zero.
pub(crate) fn by_order(value: &Value, name: &str) -> Result<Vec<(u64, u64)>> {
    let entry = |entry: &Value| Ok((known(entry, "order")?, known(entry, "count")?));
    let entries = list(value, name)?.iter().map(entry).collect::<Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|(_, count)| *count > 0).collect())
}

/// True if the report marks a metric of a device as not exact.
pub(crate) fn marked(device: &Value, metric: &str) -> bool {
    let marks = device["approximate"].as_array().into_iter().flatten().filter_map(Value::as_str);
    marks.into_iter().any(|mark| metric == mark || metric.starts_with(&format!("{mark}.")))
}
