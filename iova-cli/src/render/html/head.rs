//! The beginning and the end of a page: style and script, and where, when and how it was measured.

use super::Run;
use super::write::Html;
use crate::render::when;
use iova_core::finding::Severity;
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::{Command, Quality, Report};

pub(super) fn begin(html: &mut Html, title: &str) {
    html.raw("<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n");
    html.raw("<meta name=viewport content=\"width=device-width,initial-scale=1\">\n");
    // Nothing may be fetched, whatever a name contains.
    html.raw("<meta http-equiv=content-security-policy content=\"default-src 'none'; img-src data:; ");
    html.raw("style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<link rel=icon href=\"data:,\">\n");
    html.element("title", &[], title);
    html.raw("<style>\n");
    html.raw(include_str!("page.css"));
    html.raw("</style></head><body>\n");
}

pub(super) fn end(html: &mut Html) {
    html.raw("<script>\n");
    html.raw(include_str!("page.js"));
    html.raw("</script></body></html>\n");
}

/// What only works with the script, which shows it.
pub(super) fn tools(html: &mut Html) {
    html.raw("<nav id=tools hidden><label>Show devices <input id=filter type=search placeholder=\"name, address or driver\"></label>");
    html.raw("<span id=range></span><button id=all type=button hidden>Whole time</button>");
    html.raw("<span class=hint>drag over a picture to zoom</span>");
    html.raw("<button id=theme type=button>Dark / light</button></nav>\n");
}

pub(super) fn write(html: &mut Html, run: Run<'_>) {
    let Run { report, .. } = run;
    html.raw("<header><p class=kind>iova report</p>");
    html.element("h1", &[], &report.host.name);
    facts(html, run);
    totals(html, report);
    quality(html, report);
    html.raw("</header>\n");
}

/// Host and measurement, as names and words.
pub(super) fn facts(html: &mut Html, Run { report, story, begun_ns }: Run<'_>) {
    let host = &report.host;
    let render = |name| {
        metric::render(
            Scope::Report,
            name,
            metric::find(Scope::Report, name).and_then(|it| it.of_report(report)),
        )
    };
    let mut words = vec![
        ("kernel", format!("Linux {} {}", host.kernel, host.arch)),
        ("IOMMU", host.iommu.clone().unwrap_or_else(|| "none".into())),
        ("domains", host.domain_type.clone().unwrap_or_else(|| "-".into())),
        ("machine", format!("{} CPUs, {}", render("host.cpus"), render("host.memory_bytes"))),
        ("command line", if host.cmdline.is_empty() { "-".into() } else { host.cmdline.join(" ") }),
        ("profile", report.profile.clone()),
        ("measured", measured(report, begun_ns)),
    ];
    words.extend(report.command.as_ref().map(|it| ("command", command(it))));
    if let width @ 2.. = story.intervals_per_column() {
        words.push(("pictures", format!("{width} intervals per column")));
    }
    html.raw("<dl class=facts>");
    for (name, text) in words {
        html.raw("<div>");
        html.element("dt", &[], name);
        html.element("dd", &[], &text);
        html.raw("</div>");
    }
    html.raw("</dl>\n");
}

fn measured(report: &Report, begun_ns: Option<u64>) -> String {
    if !report.quality.is_measured() {
        return "nothing: there is nothing to measure".to_owned();
    }
    let since = begun_ns.map(|ns| format!(" from {} UTC", when::utc(ns))).unwrap_or_default();
    let early = if report.interrupted { ", ended early" } else { "" };
    format!("{}{since}{early}", Unit::Seconds.render(Some(report.duration_s)))
}

fn command(command: &Command) -> String {
    let ended = match (command.exit_code, command.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "still running".to_owned(),
    };
    format!("{} ({ended})", command.argv.join(" "))
}

/// The figures that are looked for first.
fn totals(html: &mut Html, report: &Report) {
    let count = |sum: u64| Unit::Count.render(Some(sum as f64));
    let mark = |metric| if report.devices.iter().any(|it| it.is_approximate(metric)) { "~" } else { "" };
    let frees: Option<u64> = report.devices.iter().map(|device| device.free.count).sum();
    let allocs = count(report.devices.iter().map(|device| device.alloc.count).sum());
    let active = report.devices.iter().filter(|device| device.active()).count();
    let bad = |least| report.findings.iter().filter(|finding| finding.severity >= least).count();
    let all = [
        ("allocations", format!("{}{allocs}", mark("alloc.count"))),
        ("frees", format!("{}{}", mark("free.count"), frees.map_or_else(|| "-".into(), count))),
        ("active devices", format!("{active} of {}", report.devices.len())),
        ("findings", report.findings.len().to_string()),
        ("of them warning or worse", bad(Severity::Warning).to_string()),
    ];
    html.raw("<ul class=totals>");
    for (name, value) in all {
        html.raw("<li>");
        html.element("b", &[], &value);
        html.text(" ");
        html.text(name);
        html.raw("</li>");
    }
    html.raw("</ul>\n");
}

pub(super) fn quality(html: &mut Html, report: &Report) {
    let Quality { alloc_sampling, search_sampling, free_sampling, notes, added_ns_per_alloc, .. } =
        &report.quality;
    if !report.quality.is_measured() {
        return;
    }
    let timed = |what: &str, every: u32| match every {
        0 => format!("no {what} was timed"),
        1 => format!("every {what} was timed"),
        every => format!("one {what} in {every} was timed"),
    };
    let allocs = match *search_sampling {
        0 => timed("allocation", *alloc_sampling),
        every => timed("tree search", every),
    };
    let mut words = vec![allocs, timed("free", *free_sampling)];
    if let Some(ns) = added_ns_per_alloc {
        words.push(format!("iova itself added {} to an allocation", Unit::Nanoseconds.render(Some(*ns))));
    }
    let how = words.join("; ");
    if notes.is_empty() {
        html.paragraph("quality", &format!("Data quality: nothing was lost; {how}."));
        return;
    }
    let marked = report.devices.iter().any(|device| !device.approximate.is_empty());
    let marks = if marked { " ~ marks what that touches." } else { "" };
    html.paragraph(
        "quality lossy",
        &format!("Data quality: {}.{marks} {}.", notes.join("; "), sentence(&how)),
    );
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
