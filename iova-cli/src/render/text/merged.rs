//! `iova compat merge`.

use super::page::{Page, Style};
use super::table::{Align, Cell, Column, Table};
use iova_core::compat::Verdict;
use iova_core::compat::merge::{Merged, Outcome, Row};

pub(super) fn write(page: &mut Page, merged: &Merged) {
    let words =
        ["iova compat merge".to_owned(), count(merged.reports, "report"), count(merged.hosts, "host")];
    page.words(Style::Strong, &words);
    for host in &merged.repeated {
        page.wrapped(
            Style::Plain,
            "",
            &format!("{} reports carry the id {}: one host", host.reports, host.id),
        );
    }
    if merged.devices.is_empty() {
        page.blank();
        page.wrapped(Style::Plain, "", "no report names a device");
        return;
    }
    page.section("DEVICES");
    table(merged).write(page);
    for row in &merged.devices {
        one(page, row);
    }
    if merged.proposals().next().is_none() {
        page.blank();
        page.wrapped(Style::Plain, "", "nothing is proposed");
    }
}

fn table(merged: &Merged) -> Table {
    let column = |title, align, priority| Column { title, align, priority, min: None };
    let columns = vec![
        column("DEVICE", Align::Left, 9),
        Column { min: Some(9), ..column("PATH", Align::Left, 8) },
        column("HOSTS", Align::Right, 6),
        column("VERIFIED", Align::Left, 7),
        column("LIMITS", Align::Right, 7),
        column("WATCHED", Align::Right, 4),
        column("ABOVE 4G", Align::Right, 3),
        column("WIDEST", Align::Right, 5),
        column("PROPOSED", Align::Left, 9),
    ];
    Table { columns, rows: merged.devices.iter().map(cells).collect() }
}

fn cells(row: &Row) -> Vec<Cell> {
    let best: Vec<String> = row.verified.iter().take(3).map(|host| host.bits.to_string()).collect();
    let more = if row.verified.len() > 3 { ", ..." } else { "" };
    let proposed = match &row.outcome {
        Outcome::Proposed(it) if it.verdict == Verdict::Cap => {
            Cell { text: format!("cap {}", it.width), style: Style::Bad }
        }
        Outcome::Proposed(it) => Cell { text: format!("ok {}", it.width), style: Style::Good },
        Outcome::None { .. } => Cell::plain("-"),
    };
    let some = |number: u64| if number == 0 { "-".to_owned() } else { number.to_string() };
    vec![
        Cell::plain(row.device.to_string()),
        Cell::plain(path(row)),
        Cell::plain(row.hosts.to_string()),
        Cell::plain(if best.is_empty() { "-".to_owned() } else { best.join(", ") + more }),
        Cell::plain(some(row.limits.len() as u64)),
        Cell::plain(hours(row.support.observed_ms)),
        Cell::plain(some(row.support.high)),
        Cell::plain(row.support.widest.map_or("-".to_owned(), |bits| bits.to_string())),
        proposed,
    ]
}

fn one(page: &mut Page, row: &Row) {
    page.blank();
    page.line(Style::Strong, &format!("{}, {}", row.device, place(row)));
    match &row.outcome {
        Outcome::Proposed(it) => {
            let text = format!("proposed: {} {} ({})", it.verdict.word(), it.width, it.file);
            page.wrapped(Style::Plain, "  ", &text);
        }
        Outcome::None { reason } => page.wrapped(Style::Plain, "  ", &format!("not proposed: {reason}")),
    }
    for limit in &row.limits {
        let weight = if limit.credible { "" } else { " (not credible enough for a cap)" };
        let text = format!("limit: {} bits come through; {}{weight}", limit.bits, limit.what);
        page.wrapped(Style::Plain, "  ", &text);
    }
    for sentence in &row.contradictions {
        page.wrapped(Style::Bad, "  ", &format!("contradicts the list: {sentence}"));
    }
}

fn path(row: &Row) -> String {
    let ids: Vec<String> = row.path.iter().map(ToString::to_string).collect();
    if ids.is_empty() { "root bus".to_owned() } else { ids.join(" ") }
}

fn place(row: &Row) -> String {
    if row.path.is_empty() { "on a root bus".to_owned() } else { format!("behind {}", path(row)) }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `36 s`, `2.5 h`.
fn hours(ms: u64) -> String {
    match ms {
        0 => "-".to_owned(),
        ms if ms < 3_600_000 => format!("{} s", ms / 1000),
        ms => format!("{:.1} h", ms as f64 / 3_600_000.0),
    }
}
