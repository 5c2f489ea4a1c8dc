//! What is wrong: briefly beside the table, and in full on a screen of its own.

use super::super::state::State;
use super::super::theme::Role;
use super::lines::{self, Line, line};
use super::pen::{Pen, wrapped};
use iova_core::finding::{Finding, Severity};

pub(super) fn role(severity: Severity) -> Role {
    match severity {
        Severity::Critical => Role::Bad,
        Severity::Warning => Role::Warning,
        Severity::Info => Role::Plain,
        Severity::Note => Role::Dim,
    }
}

fn of(state: &State) -> Vec<&Finding> {
    state.moment().map(|moment| moment.findings.iter().map(AsRef::as_ref).collect()).unwrap_or_default()
}

/// One or two lines each, worst first, as many as there is room for.
pub(super) fn list(state: &State, pen: &mut Pen<'_>) {
    let all = of(state);
    if all.is_empty() {
        pen.put(0, 0, Role::Good, "nothing is wrong");
        return;
    }
    let room = pen.height();
    let mut y = 0;
    for (index, finding) in all.iter().enumerate() {
        let left = all.len() - index;
        if y + 1 >= room && left > 1 {
            pen.put(0, y, Role::Dim, &format!("and {left} more: f"));
            return;
        }
        y = one(finding, about(state, finding), y, pen);
    }
}

/// The name of the device that it is about.
fn about<'a>(state: &'a State, finding: &'a Finding) -> Option<&'a str> {
    let bdf = finding.device.as_deref()?;
    let row = state.moment().and_then(|moment| moment.row(bdf));
    Some(row.map_or(bdf, |row| row.who.name.as_str()))
}

/// The worst that is wrong with a device.
pub(super) fn worst(state: &State, bdf: &str) -> Option<Severity> {
    let moment = state.moment()?;
    let of_it = moment.findings.iter().filter(|finding| finding.device.as_deref() == Some(bdf));
    of_it.map(|finding| finding.severity).max()
}

/// One on one or two lines, with the name of its device where that is not known; says where the next line is.
pub(super) fn one(finding: &Finding, about: Option<&str>, y: u16, pen: &mut Pen<'_>) -> u16 {
    let name = about.map(|about| format!("{about}: ")).unwrap_or_default();
    let lines = wrapped(&format!("{name}{}", finding.text), usize::from(pen.width().saturating_sub(9)));
    let room = pen.height().saturating_sub(y).min(2);
    if room > 0 {
        pen.put(0, y, role(finding.severity), finding.severity.name());
    }
    for (y, line) in (y..y + room).zip(&lines) {
        pen.put(9, y, Role::Plain, line);
    }
    y + room.min(lines.len() as u16)
}

/// Each with its figures, what to do and what that risks; says how far it can be scrolled.
pub(super) fn draw(state: &State, pen: &mut Pen<'_>) -> usize {
    let lines = lines(&of(state), usize::from(pen.width().saturating_sub(3)));
    if lines.is_empty() {
        pen.put(1, 1, Role::Good, "Nothing is wrong.");
    }
    lines::draw(&lines, state.scroll, pen)
}

fn lines(findings: &[&Finding], width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for finding in findings {
        let about = finding.device.clone().or(finding.group.map(|group| format!("group {group}")));
        let title = format!(
            "{}  {}  {}",
            finding.severity.name(),
            finding.id,
            about.as_deref().unwrap_or("this host")
        );
        lines.push(line(role(finding.severity), title));
        let mut add = |role: Role, text: &str| {
            lines.extend(
                wrapped(text, width.saturating_sub(2))
                    .into_iter()
                    .map(|text| line(role, format!("  {text}"))),
            );
        };
        add(Role::Plain, &finding.text);
        let facts: Vec<_> =
            finding.evidence.0.iter().map(|fact| format!("{} {}", fact.metric, fact.render())).collect();
        if !facts.is_empty() {
            add(Role::Dim, &facts.join(", "));
        }
        add(Role::Strong, &format!("To do: {}", finding.action));
        if let Some(risk) = &finding.risk {
            add(Role::Warning, &format!("Risk: {risk}"));
        }
        lines.push(line(Role::Plain, ""));
    }
    lines
}
