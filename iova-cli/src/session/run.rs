//! The measurement itself.

use super::child::Child;
use super::{Plan, Source, Until, missing};
use crate::exit::Stop;
use crate::signals::{Signals, Wake};
use iova_core::inventory::{DomainType, Inventory};
use iova_core::model::{Command, Figures, HostFigures, Model, Report};
use iova_core::sample::Sample;
use iova_core::snapshot::Snapshot;
use std::time::{Duration, Instant};

/// Often enough for the peak of the space in use, and for the 32-bit histogram buckets of the probes.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// "Until the command ends": longer than any.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// How it ended.
struct Ending {
    interrupted: bool,
    command: Option<Command>,
}

/// Measures as planned and judges the result.
pub(crate) fn measure(source: &mut dyn Source, plan: &Plan) -> Result<Report, Stop> {
    // Held back from here on: whoever ends it while it still attaches gets a report too.
    let signals = Signals::block().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let inventory = source.inventory();
    let wanted = source.select(&inventory, &plan.devices)?;
    let host = HostFigures::new(&inventory, source.sac_control(&inventory));
    let profile = plan.profile.to_string();

    let (mut figures, ending) = if translates(&inventory) {
        observe(source, plan, &signals, inventory)?
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
) -> Result<(Figures, Ending), Stop> {
    source.attach(plan.profile, &inventory)?;
    let start = source.snapshot();
    let start = Some(start).filter(|snapshot| !snapshot.domains.is_empty());
    let first = source.sample()?;
    let mut model = Model::new(inventory.clone(), start, first);

    let ending = wait(plan, signals, |_| model_step(source, &mut model))?;

    model.feed(source.sample()?);
    let end = source.snapshot();
    model.learn(source.inventory());
    for unknown in missing::all(source, plan.profile, &inventory, &end) {
        model.unknown(unknown.metric, unknown.why);
    }
    let readable: Option<&Snapshot> = Some(&end).filter(|snapshot| !snapshot.domains.is_empty());
    Ok((model.figures(readable), ending))
}

fn model_step(source: &mut dyn Source, model: &mut Model) -> Result<(), Stop> {
    model.feed(source.sample()?);
    Ok(())
}

/// A command is run even if there is nothing to measure: the user asked for it.
fn without_probes(plan: &Plan, signals: &Signals) -> Result<Ending, Stop> {
    match &plan.until {
        Until::Command(_) => wait(plan, signals, |_| Ok(())),
        Until::Time(_) => Ok(Ending { interrupted: false, command: None }),
    }
}

/// Calls `step` every second until the plan, a signal or the command ends it.
fn wait(
    plan: &Plan,
    signals: &Signals,
    mut step: impl FnMut(Instant) -> Result<(), Stop>,
) -> Result<Ending, Stop> {
    let (length, mut child) = match &plan.until {
        Until::Time(length) => (*length, None),
        Until::Command(argv) => (FOREVER, Some(Child::spawn(argv)?)),
    };
    let end = Instant::now() + length;
    let mut next = Instant::now() + SAMPLE_INTERVAL;
    let mut interrupted = false;
    loop {
        match signals.wait(end.min(next)) {
            Wake::Time if Instant::now() >= end => break,
            Wake::Time => {
                step(next)?;
                // After a pause (suspend, a stopped process) there is nothing to catch up with.
                next = (next + SAMPLE_INTERVAL).max(Instant::now());
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
