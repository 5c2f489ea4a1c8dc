//! The measurement itself.

use super::child::Child;
use super::missing::{self, Sampling};
use super::tell::Teller;
use super::{Plan, Source, Until};
use crate::exit::Stop;
use crate::signals::{Signals, Wake};
use iova_core::inventory::{DomainType, Inventory};
use iova_core::model::story::Story;
use iova_core::model::{Command, Figures, HostFigures, Model, Report};
use iova_core::sample::Sample;
use iova_core::snapshot::Snapshot;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Often enough for the peak of the space in use, and for the 32-bit histogram buckets of the probes.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// "Until the command ends": longer than any.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// How it ended.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    pub(crate) interrupted: bool,
    pub(crate) command: Option<Command>,
}

/// What paces a measurement calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// An interval is over.
    Step,
    /// Somebody asks for what there is (SIGUSR1).
    Asked,
}

/// Measures as planned and judges the result.
pub(crate) fn measure(source: &mut dyn Source, plan: &Plan) -> Result<Report, Stop> {
    run(source, plan, None)
}

/// The same, and keeps in `story` how it came. The report is the same.
pub(crate) fn measure_told(source: &mut dyn Source, plan: &Plan, story: &mut Story) -> Result<Report, Stop> {
    run(source, plan, Some(story))
}

fn run(source: &mut dyn Source, plan: &Plan, story: Option<&mut Story>) -> Result<Report, Stop> {
    // Held back from here on: whoever ends it while it still attaches gets a report too.
    let signals = Signals::block().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let inventory = source.inventory();
    let wanted = source.select(&inventory, &plan.devices)?;
    let host = HostFigures::new(&inventory, source.sac_control(&inventory));
    let profile = plan.profile.to_string();

    let (mut figures, ending) = if translates(&inventory) {
        let tell = story.map(|story| (story, host.clone()));
        observe(source, plan, &signals, inventory, tell)?
    } else {
        // Nothing to attach to, and no privilege needed to say so.
        let mut model = Model::new(inventory.clone(), None, Sample::default());
        for why in &inventory.missing {
            model.unknown("devices", why);
        }
        (model.figures(None), without_probes(plan, &signals)?)
    };
    if !wanted.is_empty() {
        figures.keep(&wanted);
    }
    let mut report = Report::new(host, profile, figures);
    report.interrupted = ending.interrupted;
    report.command = ending.command;
    Ok(report)
}

/// True if any device's DMA is translated.
pub(crate) fn translates(inventory: &Inventory) -> bool {
    inventory.devices.iter().any(|device| matches!(device.domain_type, DomainType::Dma | DomainType::DmaFq))
}

fn observe(
    source: &mut dyn Source,
    plan: &Plan,
    signals: &Signals,
    inventory: Inventory,
    tell: Option<(&mut Story, HostFigures)>,
) -> Result<(Figures, Ending), Stop> {
    source.attach(plan.profile, &inventory)?;
    let start = source.snapshot();
    let start = Some(start).filter(|snapshot| !snapshot.domains.is_empty());
    let first = source.sample()?;
    let sampling = Sampling::of(&first);
    let mut teller = tell
        .map(|(story, host)| Teller::begin(story, source, plan.profile, host, (&inventory, &start, &first)));
    let mut model = Model::new(inventory.clone(), start, first);

    let mut step = |source: &mut dyn Source, sample: Sample| {
        if let Some(teller) = &mut teller {
            teller.step(source, sample.clone());
        }
        model.feed(sample);
    };
    let (last, ending) = if plan.until == Until::Over {
        play(source, &mut step)?
    } else {
        let ending = pace(&plan.until, SAMPLE_INTERVAL, signals, |_| {
            let sample = source.sample()?;
            step(source, sample);
            Ok(ControlFlow::Continue(()))
        })?;
        (Some(source.sample()?), ending)
    };
    let end = source.snapshot();
    let now = source.inventory();
    if let (Some(teller), Some(last)) = (teller, &last) {
        teller.end(&now, &end, last.clone());
    }
    last.into_iter().for_each(|last| model.feed(last));
    model.learn(now);
    for unknown in missing::all(source, plan.profile, sampling, &inventory, &end) {
        model.unknown(unknown.metric, unknown.why);
    }
    let readable: Option<&Snapshot> = Some(&end).filter(|snapshot| !snapshot.domains.is_empty());
    Ok((model.figures(readable), ending))
}

/// Takes a recording to its last sample, which is given back.
fn play(
    source: &mut dyn Source,
    step: &mut impl FnMut(&mut dyn Source, Sample),
) -> Result<(Option<Sample>, Ending), Stop> {
    let mut last = None;
    while source.has_more() {
        let sample = source.sample()?;
        if source.has_more() {
            step(source, sample);
        } else {
            last = Some(sample);
        }
    }
    let (interrupted, command) = source.ended();
    Ok((last, Ending { interrupted, command }))
}

/// A command is run even if there is nothing to measure: the user asked for it.
fn without_probes(plan: &Plan, signals: &Signals) -> Result<Ending, Stop> {
    match &plan.until {
        Until::Command(_) => pace(&plan.until, SAMPLE_INTERVAL, signals, |_| Ok(ControlFlow::Continue(()))),
        Until::Time(_) | Until::Over => Ok(Ending::default()),
    }
}

/// Calls `step` once an interval until it breaks off, or the plan, a signal or the command ends it.
pub(crate) fn pace(
    until: &Until,
    interval: Duration,
    signals: &Signals,
    mut step: impl FnMut(Pace) -> Result<ControlFlow<()>, Stop>,
) -> Result<Ending, Stop> {
    let (length, mut child) = match until {
        Until::Time(length) => (*length, None),
        Until::Command(argv) => (FOREVER, Some(Child::spawn(argv)?)),
        Until::Over => (FOREVER, None),
    };
    let end = Instant::now() + length.min(FOREVER);
    let mut next = Instant::now() + interval;
    let mut interrupted = false;
    loop {
        match signals.wait(end.min(next)) {
            Wake::Time if Instant::now() >= end => break,
            Wake::Time => {
                if step(Pace::Step)?.is_break() {
                    break;
                }
                // After a pause (suspend, a stopped process) there is nothing to catch up with.
                next = (next + interval).max(Instant::now());
            }
            Wake::Asked => {
                if step(Pace::Asked)?.is_break() {
                    break;
                }
            }
            Wake::Child => {}
            Wake::Ended { signal, tty } => {
                let again = std::mem::replace(&mut interrupted, true);
                match &child {
                    None => break,
                    Some(child) if again => child.signal(libc::SIGKILL),
                    // The terminal has told the whole process group already.
                    Some(_) if tty => {}
                    Some(child) => child.signal(signal),
                }
            }
        }
        if child.as_mut().is_some_and(Child::ended) {
            break;
        }
    }
    Ok(Ending { interrupted, command: child.map(Child::into_command) })
}
