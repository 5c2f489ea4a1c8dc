//! The first two lines: where we are, and how far the figures can be trusted.

use super::super::history::Moment;
use super::super::state::{Origin, Screen, State};
use super::super::theme::Role;
use super::pen::Pen;
use super::policy::clock;
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::HostFigures;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    let end = match &state.history.newest {
        Some(step) => host(&step.interval.host, pen),
        None => pen.put(0, 0, Role::Strong, "iova top"),
    };
    let (role, text) = mode(state);
    if usize::from(end) + text.len() < usize::from(pen.width()) {
        pen.put_right(pen.width(), 0, role, &text);
    } else {
        pen.put_right(pen.width(), 0, role, text.split(' ').next().unwrap_or_default());
    }
    second(state, pen);
}

fn host(host: &HostFigures, pen: &mut Pen<'_>) -> u16 {
    let x = pen.put(0, 0, Role::Strong, &host.name);
    let iommu = host.iommu.as_deref().unwrap_or("no IOMMU");
    let kind = host.domain_type.as_deref().unwrap_or("-");
    pen.put(x + 2, 0, Role::Plain, &format!("{}  {iommu} {kind}  {} CPUs ", host.kernel, host.cpus))
}

fn mode(state: &State) -> (Role, String) {
    let suffix = if state.read_only { " read-only" } else { "" };
    match (state.paused, &state.trouble) {
        (_, Some(_)) => (Role::Bad, format!("STALLED{suffix}")),
        (None, None) => match state.origin {
            Origin::Live => (Role::Good, format!("LIVE{suffix}")),
            Origin::Played => (Role::Good, "REPLAY".to_owned()),
            Origin::Ended => (Role::Warning, "END".to_owned()),
        },
        (Some(steps), None) => (Role::Warning, format!("PAUSED {}{suffix}", ago(state, steps))),
    }
}

pub(super) fn ago(state: &State, steps: usize) -> String {
    let at = |steps: usize| state.history.back(steps).map(|moment| moment.ns);
    let past = at(0).zip(at(steps)).map(|(now, then)| now.saturating_sub(then) as f64 / 1e9);
    format!("{} ago", Unit::Seconds.render(past))
}

/// What watching costs: the watcher's CPU time, and what each allocation takes longer.
fn own_cost(moment: &Moment) -> String {
    let cpu = Unit::Ratio.render(moment.own_cpu);
    let plus = if moment.added_ns.is_some() { "+" } else { "" };
    let added = metric::render(Scope::Report, metric::ADDED_TIME, moment.added_ns);
    format!("iova: {cpu} CPU, {plus}{added} per allocation, ")
}

fn second(state: &State, pen: &mut Pen<'_>) {
    if let Some(trouble) = &state.trouble {
        pen.put(0, 1, Role::Bad, trouble);
        return;
    }
    let Some(moment) = state.moment() else {
        pen.put(0, 1, Role::Dim, "waiting for the first interval");
        return;
    };
    let mut x = 0;
    if let Some(step) = &state.history.newest {
        let interval = Unit::Seconds.render(Some(step.interval.duration_s));
        x = pen.put(0, 1, Role::Dim, &format!("every {interval}, {}, ", step.interval.profile));
    }
    x = pen.put(x, 1, Role::Dim, &own_cost(moment));
    match moment.notes.first() {
        None => pen.put(x, 1, Role::Dim, "all figures exact"),
        Some(note) => pen.put_short(x, 1, Role::Warning, note),
    };
    if let Some(trial) = state.desk.running().filter(|_| state.screen != Screen::Policy) {
        let left = trial.figures.as_ref().and_then(|figures| figures.left_s).map(clock);
        let left = left.map_or_else(String::new, |left| format!(", {left} left"));
        pen.put_right(pen.width(), 1, Role::Warning, &format!(" {} on trial{left}: P ", trial.policy));
    }
}
