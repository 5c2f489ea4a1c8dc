//! What rarely happens, newest first.

use super::super::super::events::{Entry, Happened};
use super::super::super::state::State;
use super::super::super::theme::Role;
use super::super::lines::{self, Line, line};
use super::super::pen::{Pen, wrapped};
use crate::render::items;
use iova_core::metric::Unit;
use iova_core::model::Incident;
use iova_core::sample::What;

/// The pane; says how far down it can be scrolled.
pub(super) fn draw(state: &State, bdf: &str, pen: &mut Pen<'_>) -> usize {
    let (width, height) = (pen.width(), pen.height());
    let (lines, dropped) = told(state, bdf, width);
    heading(state, lines.len(), dropped, pen);
    lines::draw(&lines, state.scroll, &mut pen.part(0, 1, width, height.saturating_sub(1)))
}

/// The newest that fit, under a heading.
pub(super) fn list(state: &State, bdf: &str, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    let (mut lines, dropped) = told(state, bdf, width);
    heading(state, lines.len(), dropped, pen);
    let room = height.saturating_sub(1);
    if lines.len() > usize::from(room) {
        lines.truncate(usize::from(room.saturating_sub(1)));
        lines.push(line(Role::Dim, "older ones: see events"));
    }
    lines::draw(&lines, 0, &mut pen.part(0, 1, width, room));
}

fn heading(state: &State, count: usize, dropped: u64, pen: &mut Pen<'_>) {
    let since = if state.steps_back() == 0 { "ago" } else { "before that" };
    let x = pen.put(0, 0, Role::Strong, &format!("events: how long {since}, how often, what"));
    let text = match (count, dropped) {
        (0, 0) => "(none so far)".to_owned(),
        (_, 0) => String::new(),
        _ => format!("({} older ones are not kept)", Unit::Count.render(Some(dropped as f64))),
    };
    pen.put(x + 1, 0, Role::Dim, &text);
}

/// All up to the moment that is shown, newest first, and how many older ones are lost.
fn told(state: &State, bdf: &str, width: u16) -> (Vec<Line>, u64) {
    let until = state.moment().map_or(0, |moment| moment.ns);
    let events = &state.history.events;
    let lines = events.of(bdf, until).flat_map(|entry| told_at(entry, until, width)).collect();
    (lines, events.dropped(bdf))
}

fn told_at(entry: &Entry, until: u64, width: u16) -> Vec<Line> {
    const WHEN: usize = 14;
    let ago = Unit::Seconds.render(Some(until.saturating_sub(entry.ns) as f64 / 1e9));
    let (role, text) = words(&entry.what);
    let count = match &entry.what {
        Happened::Incident(incident) if incident.count > 1 => {
            format!("{}x", Unit::Count.render(Some(incident.count as f64)))
        }
        _ => String::new(),
    };
    let mut when = format!("{ago:>7} {count:>5} ");
    let texts = wrapped(&text, usize::from(width).saturating_sub(WHEN));
    let line = |text| vec![(Role::Dim, std::mem::replace(&mut when, " ".repeat(WHEN))), (role, text)];
    texts.into_iter().map(line).collect()
}

fn words(what: &Happened) -> (Role, String) {
    match what {
        Happened::Incident(incident) => incident_words(incident),
        Happened::Added => (Role::Good, "the device was added".to_owned()),
        Happened::Removed => (Role::Warning, "the device was removed".to_owned()),
        Happened::Policy(before, now) => (Role::Strong, format!("policy {before} -> {now}")),
        Happened::Driver(before, now) => (Role::Strong, format!("driver {before} -> {now}")),
    }
}

fn incident_words(incident: &Incident) -> (Role, String) {
    let role = match &incident.last {
        What::SacFailed { .. } | What::AllocFailed { .. } | What::Fault { .. } => Role::Bad,
        What::FellBack { .. } | What::CacheFlush => Role::Warning,
        What::SlowCall { .. } | What::DeviceGone | What::DeviceNew => Role::Dim,
    };
    (role, items::incident(&incident.last, incident.sizes))
}
