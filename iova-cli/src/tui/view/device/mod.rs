//! One device, a pane at a time.

mod calls;
mod events;
mod space;
mod summary;

use super::super::history::Row;
use super::super::pane::Pane;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;
use super::{head, heat};
use iova_core::metric::Unit;
use iova_core::model::{Device, Domain, Report};

/// From this width on, two columns stand side by side.
const TWO_COLUMNS: u16 = 76;

/// What was seen so many seconds ago is what is there now.
const FRESH: f64 = 3.0;

/// Says how far down it can be scrolled.
pub(super) fn draw(state: &State, bdf: &str, pen: &mut Pen<'_>) -> usize {
    let row = state.moment().and_then(|moment| moment.row(bdf));
    title(state, bdf, row, pen);
    let (width, height) = (pen.width(), pen.height().saturating_sub(1));
    let body = &mut pen.part(0, 1, width, height);
    match (state.pane, row) {
        (Pane::Events, _) => events::draw(state, bdf, body),
        (_, None) => {
            let text = "This device is not there any more, or was not yet. Esc goes back.";
            body.wrap(0, 0, Role::Warning, text);
            0
        }
        (Pane::Device, Some(row)) => {
            summary::draw(state, row, body);
            0
        }
        (Pane::Space, _) => space::draw(state, bdf, body),
        (Pane::Calls, _) => calls::draw(state, bdf, body),
    }
}

/// Which panes there are, the shown one in brackets, and whose.
fn title(state: &State, bdf: &str, row: Option<&Row>, pen: &mut Pen<'_>) {
    let mut x = 0;
    for pane in Pane::ALL {
        x = match pane == state.pane {
            true => pen.put(x, 0, Role::Cursor, &format!("[{}]", pane.name())) + 1,
            false => pen.put(x, 0, Role::Dim, pane.name()) + 1,
        };
    }
    x = pen.put(x, 0, Role::Strong, bdf);
    let Some(row) = row else { return };
    let who = &row.who;
    x = pen.put(x + 2, 0, Role::Strong, &who.name);
    x = pen.put(x + 2, 0, Role::Plain, &format!("driver {}  policy {}", who.driver, who.policy));
    if row.approximate {
        pen.put(x + 2, 0, Role::Warning, "(figures are approximate)");
    }
}

/// What is true now; of this, the past keeps nothing.
struct Now<'a> {
    report: &'a Report,
    device: &'a Device,
    domain: Option<&'a Domain>,
}

impl<'a> Now<'a> {
    fn of(report: &'a Report, bdf: &str) -> Option<Self> {
        let device = report.devices.iter().find(|device| device.bdf == bdf)?;
        Some(Self { report, device, domain: report.domain_of(device) })
    }
}

/// The last interval.
fn now<'a>(state: &'a State, bdf: &str) -> Option<Now<'a>> {
    Now::of(&state.history.newest.as_ref()?.interval, bdf)
}

/// The last ten to twenty seconds.
fn lately<'a>(state: &'a State, bdf: &str) -> Option<Now<'a>> {
    Now::of(&state.history.newest.as_ref()?.lately, bdf)
}

/// How old the picture of a space is: on a busy host it is looked at now and then.
fn seen(state: &State, domain: Option<&Domain>) -> String {
    let newest = state.history.newest.as_ref().zip(domain);
    let age = newest.map_or(0, |(step, domain)| step.ns.saturating_sub(domain.space.seen_ns));
    let interval = newest.map_or(0.0, |(step, _)| step.interval.duration_s);
    let seconds = age as f64 / 1e9;
    let unknown = domain.is_none_or(|domain| domain.space.seen_ns == 0);
    let age = Unit::Seconds.render(Some(seconds));
    let when =
        if unknown || seconds <= interval.max(FRESH) { "now".to_owned() } else { format!("{age} ago") };
    format!("space below 4 GiB, {when}{}", not_then(state))
}

/// To be said of what is only known of now, while the screen shows the past.
fn not_then(state: &State) -> String {
    match state.steps_back() {
        0 => String::new(),
        steps => format!(" (not {})", head::ago(state, steps)),
    }
}

/// The intervals of a chart, oldest first; those without the device are `None`.
fn timeline<'a>(state: &'a State, bdf: &str, width: u16) -> Vec<Option<&'a Row>> {
    let columns = usize::from(width.saturating_sub(heat::SCALE));
    let moments = state.history.until(state.steps_back(), columns);
    moments.map(|moment| moment.row(bdf)).collect()
}

/// "29.0 s until now", of a chart of that width.
fn span(state: &State, width: u16) -> String {
    let columns = usize::from(width.saturating_sub(heat::SCALE));
    let mut moments = state.history.until(state.steps_back(), columns).map(|moment| moment.ns);
    let first = moments.next();
    let last = moments.last().or(first);
    let seconds = first.zip(last).map(|(first, last)| last.saturating_sub(first) as f64 / 1e9);
    let end = match state.steps_back() {
        0 => "now".to_owned(),
        steps => head::ago(state, steps),
    };
    format!("{} until {end}", Unit::Seconds.render(seconds))
}
