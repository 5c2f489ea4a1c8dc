//! Findings, worst first.

use super::page::{Page, Style};
use super::{short, title};
use iova_core::finding::Finding;
use iova_core::model::Report;

pub(super) fn write(page: &mut Page, report: &Report) {
    page.section(&format!("FINDINGS ({})", report.findings.len()));
    if report.findings.is_empty() {
        page.line(Style::Good, "none");
    }
    for (index, finding) in report.findings.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        one(page, report, finding);
    }
}

fn one(page: &mut Page, report: &Report, finding: &Finding) {
    page.put(Style::of(finding.severity), &finding.severity.name().to_uppercase());
    page.put(Style::Plain, "  ");
    page.put(Style::Strong, finding.id);
    page.put(Style::Plain, "  ");
    page.line(Style::Plain, &subject(report, finding));
    page.wrapped(Style::Plain, "  ", &finding.text);
    let facts = finding.evidence.0.iter();
    let facts: Vec<String> = facts.map(|fact| format!("{} {}", fact.metric, fact.render())).collect();
    page.items("  evidence  ", &facts);
    page.wrapped(Style::Plain, "  next      ", &finding.action);
    if let Some(risk) = &finding.risk {
        page.wrapped(Style::Plain, "  risk      ", risk);
    }
}

fn subject(report: &Report, finding: &Finding) -> String {
    let device = finding.device.as_ref().map(|bdf| {
        let found = report.devices.iter().find(|device| device.bdf == *bdf);
        found.map_or_else(|| short(bdf).to_owned(), title)
    });
    match (device, finding.group) {
        (Some(device), _) => device,
        (None, Some(group)) => format!("group {group}"),
        (None, None) => String::new(),
    }
}
