//! `iova policy try`: the live view, the line for logs, and the summary.

use super::{clock, effective, state, title};
use crate::commands::policy::{Outcome, TrialReport, View};
use crate::render::phase::{FIGURES, LARGE, count, ns};
use crate::render::text::head;
use crate::render::text::page::{Page, Style};
use crate::render::text::short;
use crate::render::text::table::{Align, Cell, Column, Table};
use iova_core::metric::Unit;
use iova_core::model::{LARGE_ORDER, Latency};

/// While it runs, on a terminal.
pub(in crate::render::text) fn view(page: &mut Page, view: &View<'_>) {
    page.words(Style::Strong, &head(view));
    let mut columns =
        vec![column("", Align::Left), column("before", Align::Right), column("since", Align::Right)];
    columns.push(column("last second", Align::Right));
    let rows = FIGURES.iter().chain([&LARGE]).map(|(name, figure)| {
        let cells = [figure(view.before), figure(view.after), figure(view.last)];
        std::iter::once(Cell::plain(*name)).chain(cells.map(Cell::plain)).collect()
    });
    Table { columns, rows: rows.collect() }.write(page);
}

fn head(view: &View<'_>) -> Vec<String> {
    let mut words = vec![format!("{} on {}", view.policy, short(&view.device.bdf)), clock(view.elapsed)];
    words.extend(view.left.map(|left| format!("{} left", clock(left))));
    words.extend(view.flushes.map(|flushes| format!("drained {flushes} times")));
    words
}

/// While it runs, into a log: one line.
pub(in crate::render::text) fn line(page: &mut Page, view: &View<'_>) {
    let last = view.last;
    let items = [
        format!("{:>6}", clock(view.elapsed)),
        format!("{} allocations", count(last.alloc.count)),
        format!("p50 {}", ns(last.alloc.latency_ns.p50)),
        format!("p99 {}", ns(last.alloc.latency_ns.p99)),
        format!("max {}", ns(last.alloc.latency_ns.max)),
        format!("slow {}", Unit::Ratio.render(last.alloc.slow_ratio)),
        format!("high {}", Unit::Ratio.render(last.policy.effective_high_ratio)),
        format!("SAC failures {}", count(last.alloc.sac_failed)),
    ];
    page.line(Style::Plain, &items.join("  "));
}

/// At the end.
pub(in crate::render::text) fn write(page: &mut Page, report: &TrialReport) {
    let host = &report.host;
    let words = [
        "iova policy try".to_owned(),
        title(&report.device),
        format!("{} -> {}", report.former, report.policy),
        format!("Linux {} {}", host.kernel, host.arch),
        host.iommu.clone().unwrap_or_else(|| "no IOMMU".to_owned()),
    ];
    page.words(Style::Strong, &words);
    outcome(page, report);
    page.blank();
    let columns =
        vec![column("", Align::Left), column("before", Align::Right), column("after", Align::Right)];
    let rows = FIGURES.iter().map(|(name, figure)| {
        vec![Cell::plain(*name), Cell::plain(figure(&report.before)), Cell::plain(figure(&report.after))]
    });
    Table { columns, rows: rows.collect() }.write(page);
    if report.settled_s > 0.0 {
        let text = format!(
            "after: from {} on, when the caches were drained ({} times in all)",
            Unit::Seconds.render(Some(report.settled_s)),
            report.flushes
        );
        page.wrapped(Style::Dim, "", &text);
    }
    sizes(page, report);
    foot(page, report);
}

fn outcome(page: &mut Page, report: &TrialReport) {
    let style = match report.outcome {
        Outcome::Kept => Style::Good,
        Outcome::Reverted => Style::Warn,
        Outcome::Quarantined => Style::Bad,
    };
    page.wrapped(style, &format!("{}: ", report.outcome.word()), &report.why);
    let staged = report.staged;
    let mut facts = vec![
        format!("lasted {}", Unit::Seconds.render(Some(report.lasted_s))),
        format!("by {}", staged.mechanisms),
        format!("addresses up to {:#x}", staged.limit),
    ];
    if staged.held_bytes > 0 {
        facts.push(format!("{} held", Unit::Bytes.render(Some(staged.held_bytes as f64))));
    }
    page.words(Style::Plain, &facts);
    if let Some(command) = &report.command {
        head::command(page, command);
    }
}

/// Latencies by size; what no cache can serve first.
fn sizes(page: &mut Page, report: &TrialReport) {
    let (before, after) = (&report.before.alloc, &report.after.alloc);
    let mut rows = Vec::new();
    let large = format!("over {}", size(LARGE_ORDER - 1));
    if before.large_latency_ns.samples > Some(0) || after.large_latency_ns.samples > Some(0) {
        rows.push(row(&large, &before.large_latency_ns, &after.large_latency_ns));
    }
    let none = Latency::default();
    let orders = before.latency_by_order.iter().chain(&after.latency_by_order).map(|entry| entry.order);
    let orders: std::collections::BTreeSet<u32> = orders.collect();
    for order in orders {
        let find = |phase: &'_ [iova_core::model::OrderLatency]| {
            phase.iter().find(|entry| entry.order == order).map(|entry| entry.latency_ns.clone())
        };
        let pair = (find(&before.latency_by_order), find(&after.latency_by_order));
        rows.push(row(&size(order), pair.0.as_ref().unwrap_or(&none), pair.1.as_ref().unwrap_or(&none)));
    }
    if rows.is_empty() {
        return;
    }
    page.section("by size (before, after)");
    let mut columns = vec![column("size", Align::Left)];
    for title in ["count", "count", "p50", "p50", "p99", "p99", "max", "max"] {
        columns.push(column(title, Align::Right));
    }
    Table { columns, rows }.write(page);
}

/// Largest request of an order.
fn size(order: u32) -> String {
    Unit::Bytes.render(Some(4096.0 * f64::from(1_u32 << order.min(31))))
}

fn row(size: &str, before: &Latency, after: &Latency) -> Vec<Cell> {
    let cells = [
        count(before.samples),
        count(after.samples),
        ns(before.p50),
        ns(after.p50),
        ns(before.p99),
        ns(after.p99),
        ns(before.max),
        ns(after.max),
    ];
    std::iter::once(Cell::plain(size)).chain(cells.map(Cell::plain)).collect()
}

fn foot(page: &mut Page, report: &TrialReport) {
    page.blank();
    let mut facts = Vec::new();
    facts.extend(report.effective.map(|now| format!("effective now {}", effective(now))));
    facts.extend(report.state.as_ref().map(|now| format!("state {}", state(now))));
    if !facts.is_empty() {
        page.line(Style::Plain, &facts.join("; "));
    }
    let high = report.mapped_high_bytes.filter(|&bytes| bytes > 0 && report.outcome != Outcome::Kept);
    if let Some(bytes) = high {
        let text = format!(
            "{} are still mapped at or above 4 GiB, until the driver unmaps them, at the latest when it is unbound.",
            Unit::Bytes.render(Some(bytes as f64))
        );
        page.wrapped(Style::Warn, "", &text);
    }
    for (name, phase) in [("before", &report.before), ("after", &report.after)] {
        if !phase.quality.is_empty() {
            page.wrapped(Style::Warn, "not exact: ", &format!("{name}: {}", phase.quality.join("; ")));
        }
    }
    for unknown in &report.unmeasured {
        page.wrapped(Style::Warn, &format!("not measured: {}: ", unknown.metric), &unknown.why);
    }
    for note in &report.notes {
        page.wrapped(Style::Warn, "seen: ", note);
    }
    let handle = report.device.handle();
    let next = match report.outcome {
        Outcome::Kept => format!("until the next boot; at every boot: iova policy persist {handle}"),
        Outcome::Reverted => return,
        Outcome::Quarantined => {
            format!("no wider policy is taken any more, unless: iova policy release {handle}")
        }
    };
    page.wrapped(Style::Plain, "next: ", &next);
}

fn column(title: &'static str, align: Align) -> Column {
    Column { title, align, priority: 9, min: None }
}
