//! A device's policy: the choice, the dry run, the trial.

use super::super::desk::{Plan, Stage, Trial};
use super::super::state::State;
use super::super::theme::Role;
use super::lines::{self, Line, line};
use super::pen::{Pen, wrapped};
use crate::commands::policy::{Outcome, Phase};
use crate::render::phase::{FIGURES, Figure, LARGE};
use iova_core::metric::Unit;

/// Columns of the table of figures.
const NAME: u16 = 13;
const CELL: u16 = 11;

/// Says how far it can be scrolled.
pub(super) fn draw(state: &State, pen: &mut Pen<'_>) -> usize {
    let desk = &state.desk;
    let row = state.moment().and_then(|moment| moment.row(&desk.bdf));
    let x = pen.put(0, 0, Role::Strong, &format!("policy of {}", desk.bdf));
    if let Some(row) = row {
        pen.put(x + 1, 0, Role::Plain, &format!("{}: {}", row.who.name, row.who.policy));
    }
    let (width, height) = (pen.width(), pen.height().saturating_sub(2));
    let pen = &mut pen.part(0, 2, width, height);
    match &desk.stage {
        Stage::Choosing => choices(state, pen),
        Stage::Asking => drop(pen.put(0, 0, Role::Dim, "asking the kernel…")),
        Stage::Planned(plan) => {
            return lines::draw(&plan_lines(desk.policy(), plan, width), state.scroll, pen);
        }
        Stage::Said(sentence) => drop(pen.wrap(0, 0, Role::Plain, sentence)),
        Stage::Trial => {
            if let Some(shown) = &desk.trial {
                return trial(state, shown, pen);
            }
        }
    }
    0
}

fn choices(state: &State, pen: &mut Pen<'_>) {
    let desk = &state.desk;
    let room = usize::from(pen.height().saturating_sub(2)).max(1);
    let first = (desk.chosen + 1).saturating_sub(room);
    let mut y = 0;
    for (index, choice) in desk.choices.iter().enumerate().skip(first).take(room) {
        pen.put(1, y, Role::Plain, choice);
        pen.put(11, y, Role::Dim, meaning(choice));
        if index == desk.chosen {
            pen.paint(y, Role::Cursor);
        }
        y += 1;
    }
    pen.wrap(0, y + 1, Role::Dim, "Enter: what it would do. That changes nothing.");
}

fn meaning(choice: &str) -> &'static str {
    match choice.split(':').next() {
        Some("dac") => "so many bits at once, without the search below 4 GiB",
        Some("cap") => "never more bits than that",
        Some("stock") => "what the kernel does by itself",
        _ => "",
    }
}

fn plan_lines(policy: &str, plan: &Result<Plan, String>, width: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |x: usize, role: Role, text: &str| {
        let rows = wrapped(text, usize::from(width).saturating_sub(x));
        lines.extend(rows.into_iter().map(|text| line(role, format!("{:x$}{text}", ""))));
    };
    let plan = match plan {
        Err(why) => {
            add(0, Role::Bad, why);
            return lines;
        }
        Ok(plan) => plan,
    };
    match (&plan.refused, policy) {
        (Some(why), _) => add(0, Role::Bad, &format!("{policy}: no. {why}")),
        (None, "stock") => add(0, Role::Good, "t goes back to stock, for good."),
        (None, _) => {
            let end = "is taken back then, or when iova ends, unless it is kept";
            add(0, Role::Good, &format!("t tries it for 10 minutes: {policy} {end}."));
        }
    }
    for (title, sentences) in [("What would change", &plan.changes), ("What a revert leaves", &plan.lasting)]
    {
        if !sentences.is_empty() {
            add(0, Role::Strong, title);
            sentences.iter().for_each(|sentence| add(2, Role::Plain, sentence));
        }
    }
    if !plan.hazards.is_empty() {
        add(0, Role::Strong, "Hazards");
    }
    for hazard in &plan.hazards {
        let role = if hazard.severity == "critical" { Role::Bad } else { Role::Warning };
        add(2, role, &format!("{}: {}", hazard.severity, hazard.text));
    }
    lines
}

fn trial(state: &State, trial: &Trial, pen: &mut Pen<'_>) -> usize {
    let (role, sentence) = headline(trial);
    let mut y = pen.wrap(0, 0, role, &sentence);
    if let Some(question) = trial.question.as_ref().filter(|_| trial.over.is_none()) {
        y = pen.wrap(0, y, Role::Warning, question);
    }
    let last = (FIGURES.len() + 1).saturating_sub(usize::from(pen.height().saturating_sub(y + 1)));
    y = match (&trial.over, &trial.figures) {
        (Some(Ok(summary)), _) => {
            table(&[("before", &summary.before), ("after", &summary.after)], state.scroll, y, pen)
        }
        (_, Some(figures)) => {
            let phases = [("before", &figures.before), ("since", &figures.since), ("last 1s", &figures.last)];
            table(&phases, state.scroll, y, pen)
        }
        _ => y,
    };
    // The newest is what matters where there is no room for all.
    let room = usize::from(pen.height().saturating_sub(y + 1));
    for sentence in trial.said.iter().skip(trial.said.len().saturating_sub(room)) {
        y = pen.wrap(0, y, Role::Dim, sentence);
    }
    last
}

fn headline(trial: &Trial) -> (Role, String) {
    let policy = &trial.policy;
    match (&trial.over, &trial.figures) {
        (Some(Err(why)), _) => (Role::Bad, format!("No trial of {policy}: {why}")),
        (Some(Ok(summary)), _) => {
            let high =
                summary.mapped_high_bytes.filter(|&bytes| bytes > 0 && summary.outcome != Outcome::Kept);
            let high = high.map_or_else(String::new, |bytes| {
                format!(" {} are still mapped above 4 GiB.", Unit::Bytes.render(Some(bytes as f64)))
            });
            let (role, word) = match summary.outcome {
                Outcome::Kept => (Role::Good, "is kept until the next boot"),
                Outcome::Reverted => (Role::Warning, "was taken back"),
                Outcome::Quarantined => (Role::Bad, "was taken back, and the device is in quarantine"),
            };
            (role, format!("{policy} {word}: {}.{high}", summary.why))
        }
        (None, None) => (Role::Warning, format!("{policy}: measuring as it is, before anything is changed")),
        (None, Some(figures)) => {
            let left = figures.left_s.map_or_else(String::new, |left| format!(", {} left", clock(left)));
            let drained =
                figures.flushes.map_or_else(String::new, |times| format!(", drained {times} times"));
            (Role::Warning, format!("{policy} on trial for {}{left}{drained}", clock(figures.elapsed_s)))
        }
    }
}

/// "9:54" for nine minutes and 54 seconds.
pub(super) fn clock(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Phases side by side; says where the next line is.
fn table(phases: &[(&str, &Phase)], scroll: usize, y: u16, pen: &mut Pen<'_>) -> u16 {
    for (x, (title, _)) in (1..).zip(phases) {
        pen.put_right(NAME + x * CELL, y, Role::Strong, title);
    }
    let rows: Vec<&Figure> = FIGURES.iter().chain([&LARGE]).collect();
    let room = usize::from(pen.height().saturating_sub(y + 1));
    let first = scroll.min(rows.len().saturating_sub(room));
    let mut y = y + 1;
    for (name, figure) in rows.into_iter().skip(first).take(room) {
        pen.put(0, y, Role::Dim, name);
        for (x, (_, phase)) in (1..).zip(phases) {
            pen.put_right(NAME + x * CELL, y, Role::Plain, &figure(phase));
        }
        y += 1;
    }
    y
}
