//! Findings, worst first.

use super::write::Html;
use crate::render::text::{short, title};
use iova_core::finding::Finding;
use iova_core::model::Report;

pub(super) fn write(html: &mut Html, report: &Report) {
    html.raw("<section id=findings><h2>Findings</h2>\n");
    if report.findings.is_empty() {
        html.raw("<p>None.</p>\n");
    }
    report.findings.iter().for_each(|finding| one(html, report, finding));
    html.raw("</section>\n");
}

fn one(html: &mut Html, report: &Report, finding: &Finding) {
    html.open("article", &[("class", finding.severity.name())]);
    html.raw("<h3>");
    html.element("span", &[("class", "severity")], finding.severity.name());
    html.text(" ");
    html.text(finding.id);
    html.text(" ");
    html.element("span", &[("class", "subject")], &subject(report, finding));
    html.raw("</h3>");
    html.element("p", &[], &finding.text);
    html.raw("<dl>");
    let part = |html: &mut Html, name: &str, text: &str| {
        if !text.is_empty() {
            html.element("dt", &[], name);
            html.element("dd", &[], text);
        }
    };
    part(html, "next", &finding.action);
    part(html, "risk", finding.risk.as_deref().unwrap_or_default());
    if !finding.evidence.0.is_empty() {
        html.raw("<dt>evidence</dt><dd>");
        for fact in &finding.evidence.0 {
            html.raw("<span class=fact>");
            html.element("code", &[], fact.metric);
            html.text(" ");
            html.text(&fact.render());
            html.raw("</span> ");
        }
        html.raw("</dd>");
    }
    html.raw("</dl></article>\n");
}

fn subject(report: &Report, finding: &Finding) -> String {
    let device = finding.device.as_ref().map(|bdf| {
        let found = report.devices.iter().find(|device| device.bdf == *bdf);
        found.map_or_else(|| short(bdf).to_owned(), title)
    });
    let group = || finding.group.map(|group| format!("group {group}"));
    device.or_else(group).unwrap_or_default()
}
