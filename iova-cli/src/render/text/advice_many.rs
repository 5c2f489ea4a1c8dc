//! `iova advise` for many hosts: a fleet, a distribution.

use super::page::{Page, Style};
use iova_core::advise::distro::{Dossier, Question, Statement};
use iova_core::advise::fleet::{Change, Fleet, Group, Spread};

pub(super) fn fleet(page: &mut Page, fleet: &Fleet) {
    page.line(Style::Strong, &format!("iova advise for a fleet: {}", counted(fleet.files.len(), "file")));
    for file in &fleet.passed_over {
        page.wrapped(Style::Dim, "", &format!("{file} says nothing about what to set (see --for distro)"));
    }
    fleet.groups.iter().for_each(|group| group_of(page, group));
}

fn group_of(page: &mut Page, group: &Group) {
    page.section(&format!(
        "{}: Linux {}, {}",
        group.name,
        group.kernel,
        group.iommu.as_deref().unwrap_or("no IOMMU")
    ));
    page.wrapped(Style::Plain, "hosts     ", &group.hosts.join(", "));
    if group.changes.is_empty() {
        page.wrapped(Style::Plain, "", "Nothing that these files show needs setting on several hosts.");
    }
    for (index, change) in group.changes.iter().enumerate() {
        one(page, change, index == 0);
    }
}

fn one(page: &mut Page, change: &Change, first: bool) {
    page.blank();
    page.put(Style::Strong, change.id);
    let kind = change.kind.as_deref().map(|kind| format!(" for {kind}")).unwrap_or_default();
    let name = change.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let most = if first { ": helps most" } else { "" };
    page.line(Style::Plain, &format!("  {}{kind}{name}{most}", change.sets));
    let hosts =
        format!("{} of {} that have it: {}", change.hosts.len(), change.among, change.hosts.join(", "));
    page.wrapped(Style::Plain, "  hosts     ", &hosts);
    let gain = change.gain.as_ref().map_or_else(|| "no file can tell".to_owned(), saved);
    page.wrapped(Style::Plain, "  gain      ", &gain);
    page.wrapped(
        Style::Plain,
        "  sure      ",
        &format!("{}, on the host where it is least so", change.sure.name()),
    );
    if let Some(risk) = &change.risk {
        page.wrapped(Style::Plain, "  risk      ", risk);
    }
    page.wrapped(Style::Plain, "  from      ", &change.from.join(", "));
}

fn saved(spread: &Spread) -> String {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let hosts = counted(spread.hosts, "host");
    format!(
        "{} falls by {} to {} (middle {}), over {hosts}",
        spread.metric,
        percent(spread.low),
        percent(spread.high),
        percent(spread.median),
    )
}

pub(super) fn distro(page: &mut Page, dossier: &Dossier) {
    page.line(
        Style::Strong,
        &format!(
            "iova advise for a distribution: {}, {}",
            counted(dossier.files.len(), "file"),
            counted(dossier.hosts, "host")
        ),
    );
    dossier.notes.iter().for_each(|note| page.wrapped(Style::Dim, "", note));
    dossier.questions.iter().for_each(|question| answered(page, question));
}

fn answered(page: &mut Page, question: &Question) {
    page.section(question.asks);
    question.statements.iter().for_each(|statement| said(page, statement));
    for missing in &question.missing {
        page.wrapped(Style::Plain, "? ", &missing.text);
        page.wrapped(Style::Dim, "    to know: ", &missing.command);
    }
}

fn said(page: &mut Page, statement: &Statement) {
    page.wrapped(Style::Plain, "- ", &statement.text);
    let from = format!("n = {} {}; {}", statement.n, statement.of, statement.from.join(", "));
    page.wrapped(Style::Dim, "    from: ", &from);
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
