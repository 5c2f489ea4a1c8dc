//! One rule per file: what a report gives cause for.

mod caches;
mod cliff;
mod large;
mod strict;

use super::{Advice, Setting, Sureness};
use crate::finding::NOTHING_MEASURED;
use crate::metric::Unit;
use crate::model::{Device, Report};

/// A rule looks at one device; what it advises, if anything.
type Rule = fn(&Report, &Device) -> Option<Advice>;

const RULES: [Rule; 6] = [cliff::dac, cliff::boot, large::disk, large::cliff, caches::fresh, strict::lazy];

/// What all rules say. A group's setting is said once.
pub(super) fn all(report: &Report) -> Vec<Advice> {
    let mut list: Vec<Advice> = Vec::new();
    for device in &report.devices {
        for advice in RULES.iter().filter_map(|rule| rule(report, device)) {
            if list.iter().all(|known| known.setting != advice.setting) {
                list.push(advice);
            }
        }
    }
    strict::whole_host(&mut list);
    list
}

/// The findings of these names that are about this device or its group.
fn about<'a>(report: &'a Report, device: &Device, ids: &[&str]) -> Vec<&'a crate::finding::Finding> {
    let meant = |finding: &&crate::finding::Finding| {
        ids.contains(&finding.id)
            && (finding.device.as_deref() == Some(&device.bdf)
                || finding.device.is_none() && finding.group.is_some() && finding.group == device.group)
    };
    report.findings.iter().filter(meant).collect()
}

/// An advice for a device, to be filled in.
fn draft(id: &'static str, device: &Device, setting: Setting) -> Advice {
    Advice {
        id,
        device: Some(device.bdf.clone()),
        kind: device.id.clone(),
        name: Some(device.short_name().to_owned()),
        setting,
        text: String::new(),
        findings: Vec::new(),
        gain: None,
        now: Vec::new(),
        risk: None,
        revert: String::new(),
        sure: Sureness::Medium,
        why: String::new(),
    }
}

/// Why there is nothing to set.
pub(super) fn nothing(report: &Report) -> Advice {
    let none = report.findings.iter().find(|finding| finding.id == NOTHING_MEASURED);
    let (text, why) = match none {
        Some(finding) => (
            format!("There is nothing to tune. {}", finding.text),
            "Without IOVA allocation none of these settings has any effect.".to_owned(),
        ),
        None => (healthy(report), unsuited(report)),
    };
    Advice {
        id: "nothing",
        device: None,
        kind: None,
        name: None,
        setting: Setting::Nothing,
        text,
        findings: none.map(|finding| finding.id).into_iter().collect(),
        gain: None,
        now: Vec::new(),
        risk: None,
        revert: String::new(),
        sure: if none.is_some() || calls(report) >= ENOUGH { Sureness::High } else { Sureness::Medium },
        why,
    }
}

/// Allocations from which a quiet picture is a picture.
const ENOUGH: u64 = 10_000;

fn calls(report: &Report) -> u64 {
    report.devices.iter().map(|device| device.alloc.count).sum()
}

fn healthy(report: &Report) -> String {
    let max = |get: fn(&Device) -> Option<f64>| report.devices.iter().filter_map(get).fold(0.0, f64::max);
    format!(
        "Nothing needs setting: of {} allocations in {:.0} s none failed below 4 GiB{}, the fullest space there is {} in use.",
        Unit::Count.render(Some(calls(report) as f64)),
        report.duration_s,
        if max(|device| device.alloc.sac_failed.map(|failed| failed as f64)) > 0.0 {
            " for long"
        } else {
            ""
        },
        Unit::Ratio.render(Some(max(|device| device.low_space.pressure))),
    )
}

fn unsuited(report: &Report) -> String {
    let other =
        report.findings.iter().filter(|finding| finding.severity >= crate::finding::Severity::Warning);
    let ids: Vec<&str> = other.map(|finding| finding.id).collect();
    match (ids.is_empty(), calls(report) >= ENOUGH) {
        (false, _) => format!(
            "No setting helps with what was found ({}): see what iova report says to do.",
            ids.join(", ")
        ),
        (true, true) => "A setting without a cause only adds risk.".to_owned(),
        (true, false) => "So few allocations show little: measure under the usual load.".to_owned(),
    }
}
