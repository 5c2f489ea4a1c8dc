//! Two measurements side by side: A, what was before or is known to be good, and B.

mod device;
mod difference;

use super::heat::Looks;
use super::write::Html;
use super::{Run, appendix, head, stories};
use crate::render::text::title;
use iova_core::finding::Finding;
use iova_core::model::{Device, Report};

/// Devices of both, busiest in A first.
const PAIRS: usize = 24;

/// A page of two runs: the same devices in pairs, and what has changed.
pub(crate) fn comparison(a: &Run<'_>, b: &Run<'_>) -> String {
    let all = pairs(a, b);
    let pairs = all.get(..PAIRS.min(all.len())).unwrap_or_default();
    let both = pairs.iter().flat_map(|(in_a, in_b)| [(a, in_a), (b, in_b)]);
    let told = both.flat_map(|(run, device)| stories(run.story, &[device]));
    let looks = Looks::new(told.collect::<Vec<_>>().iter());
    let mut html = Html::default();
    let names = format!("{} and {}", a.report.host.name, b.report.host.name);
    head::begin(&mut html, &format!("iova comparison: {names}"));
    html.raw("<header><p class=kind>iova comparison</p>");
    html.element("h1", &[], &names);
    html.raw("<div class=pair>");
    for (name, run) in [("A", a), ("B", b)] {
        html.raw("<div>");
        html.element("h3", &[], name);
        head::facts(&mut html, *run);
        head::quality(&mut html, run.report);
        html.raw("</div>");
    }
    html.raw("</div></header>\n");
    head::tools(&mut html);
    findings(&mut html, a.report, b.report);
    super::device::legend(&mut html, &looks, &[a.story, b.story]);
    difference::legend(&mut html);
    for (index, (in_a, in_b)) in pairs.iter().enumerate() {
        device::write(&mut html, (a, in_a), (b, in_b), index, &looks);
    }
    alone(&mut html, "Active in A alone", a, b);
    alone(&mut html, "Active in B alone", b, a);
    if all.len() > pairs.len() {
        html.paragraph("note", &format!("{} more devices are active in both.", all.len() - pairs.len()));
    }
    appendix::of_comparison(&mut html, a.report, b.report);
    head::end(&mut html);
    html.finish()
}

/// Which are new, gone, or still there; a finding is the same if its name and its device are.
fn findings(html: &mut Html, a: &Report, b: &Report) {
    html.raw("<section id=findings><h2>Findings</h2>\n");
    let known = |report: &Report, finding: &Finding| {
        report
            .findings
            .iter()
            .any(|it| (it.id, &it.device, it.group) == (finding.id, &finding.device, finding.group))
    };
    let row = |what: &str, finding: &Finding| {
        let device = finding.device.clone().unwrap_or_else(|| "-".into());
        vec![
            what.to_owned(),
            finding.severity.name().to_owned(),
            finding.id.to_owned(),
            device,
            finding.text.clone(),
        ]
    };
    let of_b = b.findings.iter().map(|it| row(if known(a, it) { "in both" } else { "new in B" }, it));
    let gone = a.findings.iter().filter(|it| !known(b, it)).map(|it| row("gone in B", it));
    let mut rows: Vec<Vec<String>> = of_b.chain(gone).collect();
    // What has changed comes first; the order is stable, so the worst of each stays first.
    rows.sort_by_key(|row| row.first().is_some_and(|what| what == "in both"));
    if rows.is_empty() {
        html.raw("<p>None in either.</p>\n");
    } else {
        html.words(&["", "severity", "finding", "device", "text (of B, if it is in both)"], &rows);
    }
    html.raw("</section>\n");
}

/// Devices at the same address that were active in both.
fn pairs<'a>(a: &Run<'a>, b: &Run<'a>) -> Vec<(&'a Device, &'a Device)> {
    let active = a.report.devices.iter().filter(|device| device.active());
    active.filter_map(|device| Some((device, twin(device, b)?))).collect()
}

fn twin<'a>(device: &Device, run: &Run<'a>) -> Option<&'a Device> {
    run.report.devices.iter().find(|other| other.bdf == device.bdf && other.active())
}

fn alone(html: &mut Html, what: &str, here: &Run<'_>, there: &Run<'_>) {
    let active = here.report.devices.iter().filter(|device| device.active());
    let names: Vec<String> = active.filter(|device| twin(device, there).is_none()).map(title).collect();
    if !names.is_empty() {
        html.paragraph("note", &format!("{what}: {}.", names.join(", ")));
    }
}
