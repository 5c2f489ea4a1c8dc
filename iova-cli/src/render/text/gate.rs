//! `iova gate`: the answer, a table of all checks, and why.

use super::page::{Page, Style};
use super::table::{Align, Cell, Column, Table};
use crate::render::gate::words;
use iova_core::gate::{Check, Outcome, Verdict};

pub(super) fn write(page: &mut Page, outcome: &Outcome) {
    let (style, _) = look(outcome.verdict);
    page.wrapped(style, "", &words::summary(outcome));
    page.wrapped(Style::Dim, "", &words::basis(outcome));
    if !outcome.checks.is_empty() {
        page.blank();
        let hidden = table(outcome).write(page);
        if !hidden.is_empty() {
            page.line(Style::Dim, &format!("not shown here for want of width: {}", hidden.join(", ")));
        }
    }
    reasons(page, outcome);
    notes(page, outcome);
}

fn look(verdict: Verdict) -> (Style, &'static str) {
    let style = match verdict {
        Verdict::Pass => Style::Good,
        Verdict::Regression => Style::Bad,
        Verdict::CannotJudge => Style::Warn,
    };
    (style, words::verdict(verdict))
}

fn table(outcome: &Outcome) -> Table {
    let column = |title, align, priority, min| Column { title, align, priority, min };
    let columns = vec![
        column("", Align::Left, 9, None),
        column("DEVICE", Align::Left, 9, Some(12)),
        column("METRIC", Align::Left, 9, None),
        column("BASELINE", Align::Right, 5, None),
        column("CANDIDATE", Align::Right, 8, None),
        column("CHANGE", Align::Right, 7, None),
        column("ALLOWED", Align::Right, 3, None),
        column("P", Align::Right, 2, None),
    ];
    without_empty(columns, outcome.checks.iter().map(row).collect())
}

/// Without a baseline, half of the columns say nothing.
fn without_empty(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Table {
    let mut told = vec![false; columns.len()];
    for row in &rows {
        std::iter::zip(&mut told, row).for_each(|(told, cell)| *told |= !matches!(&*cell.text, "-" | ""));
    }
    let keep = |cells: Vec<Cell>| {
        let kept = std::iter::zip(cells, &told).filter(|(_, told)| **told);
        kept.map(|(cell, _)| cell).collect()
    };
    let rows = rows.into_iter().map(keep).collect();
    let columns = std::iter::zip(columns, &told).filter(|(_, told)| **told);
    Table { columns: columns.map(|(column, _)| column).collect(), rows }
}

fn row(check: &Check) -> Vec<Cell> {
    let (style, verdict) = look(check.verdict);
    let mut cells = vec![Cell { text: verdict.to_owned(), style }];
    cells.extend(
        [
            words::subject(check),
            check.metric.clone(),
            words::middle(check, check.baseline),
            words::middle(check, check.candidate),
            words::change(check),
            words::allowed(check),
            words::probability(check),
        ]
        .map(Cell::plain),
    );
    cells
}

fn reasons(page: &mut Page, outcome: &Outcome) {
    for check in &outcome.checks {
        let Some(reason) = words::reason(check) else { continue };
        let (style, verdict) = look(check.verdict);
        page.blank();
        page.put(style, &format!("{verdict:<7}"));
        let subject = words::subject(check);
        let subject = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
        page.wrapped(Style::Strong, "", &format!("{subject}{}", words::rule(check)));
        page.wrapped(Style::Plain, "       ", &reason);
    }
}

fn notes(page: &mut Page, outcome: &Outcome) {
    let notes = words::notes(outcome);
    if !notes.is_empty() {
        page.section("NOTES");
        notes.iter().for_each(|note| page.wrapped(Style::Plain, "", note));
    }
}
