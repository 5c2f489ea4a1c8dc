//! The first lines: where, when, how, and how far to trust it.

use super::page::{Page, Style};
use iova_core::metric::Unit;
use iova_core::model::{Command, Quality, Report};

pub(super) fn write(page: &mut Page, report: &Report) {
    let host = &report.host;
    let iommu = host.iommu.as_deref().unwrap_or("no IOMMU");
    let kernel = format!("Linux {} {}", host.kernel, host.arch);
    let mut words = vec!["iova report".to_owned(), host.name.clone(), kernel, iommu.to_owned()];
    words.extend(host.domain_type.clone());
    page.words(Style::Strong, &words);
    page.words(Style::Plain, &interval(report));
    if let Some(measured) = &report.command {
        command(page, measured);
    }
    let marked = report.devices.iter().any(|device| !device.approximate.is_empty());
    quality(page, &report.quality, marked);
}

fn interval(report: &Report) -> Vec<String> {
    if !report.quality.is_measured() {
        return vec!["nothing was measured: there is nothing to measure".to_owned()];
    }
    let active = report.devices.iter().filter(|device| device.active()).count();
    let count = |sum: u64| Unit::Count.render(Some(sum as f64));
    let allocs = count(report.devices.iter().map(|device| device.alloc.count).sum());
    let frees: Option<u64> = report.devices.iter().map(|device| device.free.count).sum();
    let early = if report.interrupted { " (ended early)" } else { "" };
    vec![
        format!("{}{early}", Unit::Seconds.render(Some(report.duration_s))),
        format!("profile {}", report.profile),
        format!("{allocs} allocations"),
        frees.map_or_else(|| "frees not counted".to_owned(), |frees| format!("{} frees", count(frees))),
        format!("{active} of {} devices active", report.devices.len()),
    ]
}

fn quality(page: &mut Page, quality: &Quality, marked: bool) {
    if !quality.is_measured() {
        return;
    }
    let sampling = match (quality.alloc_sampling, quality.search_sampling) {
        (0, 1) => "every tree search timed, no allocation".to_owned(),
        (0, every) => format!("one tree search in {every} timed, no allocation"),
        (1, _) => "every allocation timed".to_owned(),
        (every, _) => format!("one allocation in {every} timed"),
    };
    let frees = match quality.free_sampling {
        0 => ", no free timed".to_owned(),
        1 => String::new(),
        every => format!(", one free in {every} timed"),
    };
    if quality.notes.is_empty() {
        page.wrapped(Style::Plain, "quality: ", &format!("nothing lost; {sampling}{frees}"));
    } else {
        let notes = quality.notes.join("; ");
        let marks = if marked { "; ~ marks what that touches" } else { "" };
        page.wrapped(Style::Warn, "quality: ", &format!("{notes}{marks}; {sampling}{frees}"));
    }
}

/// What was run meanwhile, and how it ended.
pub(super) fn command(page: &mut Page, command: &Command) {
    let ended = match (command.exit_code, command.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "still running".to_owned(),
    };
    page.wrapped(Style::Plain, "command: ", &format!("{} ({ended})", command.argv.join(" ")));
}
