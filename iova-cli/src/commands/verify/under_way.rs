//! What was begun earlier and did not end: go on with it, or close it.

use super::document::{self, VerifyReport};
use super::hands::{Hands, domain_of};
use super::work::Plan;
use super::{Look, Verification};
use crate::args::Format;
use crate::commands::policy::host;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::session::Source as _;
use crate::term::Term;
use iova_core::kernel::Root;
use iova_core::policy::StateDir;
use iova_core::policy::history::Identity;
use iova_core::policy::verify::{Begun, Check, Event, Facts, Journal, JournalError, Past, check};

pub(super) fn resume(look: Look, format: Format, term: Term) -> Result<Exit, Stop> {
    let (mut journal, past) = open(&look.root, &look.device.bdf)?;
    let begun = begun(&look, &journal, &past)?;
    // The conditions may be others than they were.
    let hands = hands(&look.root, &begun);
    stop_if_any(hands.put_back(&begun.domain))?;
    let mut look = look;
    look.inventory = look.live.inventory();
    look.device = host::one(&look.inventory, &look.device.bdf)?.clone();
    let facts = Facts::gather(&look.root, &look.inventory, &look.device);
    let lacking = check(&facts).into_iter().find(|check| !check.ok && check.name != "strict");
    if let Some(Check { name, found, todo, .. }) = lacking {
        return Err(Stop::unusable(format!("{name}: {found}; {}", todo.unwrap_or_default())));
    }
    let domain = Some(begun.domain.clone());
    journal.note(Event::Resumed { domain }).map_err(Stop::unusable)?;
    let plan = Plan::again(&begun.command, begun.scratch.as_ref());
    let (mut verification, host) = Verification::new(look, journal, begun, plan, facts.disks.len())?;
    verification.ladder.clone_from(&past.ladder);
    verification.steps.clone_from(&past.steps);
    verification.walk(Some(&past)).finish(&host, Vec::new(), format, term)
}

pub(super) fn close(look: Look, format: Format, term: Term) -> Result<Exit, Stop> {
    let (mut journal, past) = open(&look.root, &look.device.bdf)?;
    let Some(begun) = as_of_this_boot(&look, &journal, &past) else {
        journal.discard();
        return Err(Stop::unusable(format!(
            "no verification of {} was cut short: there is nothing to close",
            look.device.bdf
        )));
    };
    // Another boot has put everything back, and may have no driver for the device on purpose.
    let problems = if journal.is_of_another_boot(&past) {
        Vec::new()
    } else {
        hands(&look.root, &begun).put_back(&begun.domain)
    };
    journal.note(Event::Closed { answer: None }).map_err(Stop::unusable)?;
    let aside = journal.put_aside().map_err(Stop::unusable)?;
    let plan = Plan::again(&begun.command, begun.scratch.as_ref());
    let report = VerifyReport {
        work: plan.sentence(),
        ladder: past.ladder,
        worked_s: document::worked(&past.steps),
        steps: past.steps,
        sentence: "closed before it came to an answer".to_owned(),
        problems,
        journal: Some(aside.display().to_string()),
        ..VerifyReport::blank(&look.root, &look.host, &look.device)
    };
    output::print(&renderer(format, term).verification(&report)?)?;
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::No })
}

/// The device's journal, held from now on.
pub(super) fn open(root: &Root, bdf: &str) -> Result<(Journal, Past), Stop> {
    Journal::open(&StateDir::default(), root, bdf).map_err(|error| match error {
        JournalError::Busy(_) => Stop::no(error),
        JournalError::State(_) => Stop::unusable(error),
    })
}

/// What to go on with.
fn begun(look: &Look, journal: &Journal, past: &Past) -> Result<Begun, Stop> {
    let bdf = &look.device.bdf;
    let Some(begun) = as_of_this_boot(look, journal, past) else {
        return Err(Stop::unusable(format!(
            "no verification of {bdf} was cut short: there is nothing to go on with"
        )));
    };
    if Identity::read(&look.root, bdf) != Some(begun.identity) {
        return Err(Stop::unusable(format!(
            "the verification that was cut short was of {}, and another device is at {bdf} now; `iova verify {bdf} \
             --close` ends it",
            begun.identity.id_text()
        )));
    }
    Ok(begun)
}

/// What is open. Whoever has booted since has nothing to put back to what it was before: this boot's own is stock.
fn as_of_this_boot(look: &Look, journal: &Journal, past: &Past) -> Option<Begun> {
    let mut begun = past.begun.clone().filter(|_| past.is_open())?;
    if journal.is_of_another_boot(past) {
        let facts = Facts::gather(&look.root, &look.inventory, &look.device);
        begun.typed = facts.type_writable;
        begun.domain = domain_of(&look.root, &begun.bdf);
    }
    Some(begun)
}

/// The hands for a device whose verification has begun.
pub(super) fn hands(root: &Root, begun: &Begun) -> Hands {
    Hands::new(root, &begun.bdf, &begun.driver, begun.typed)
}

fn stop_if_any(problems: Vec<String>) -> Result<(), Stop> {
    match problems.into_iter().next() {
        None => Ok(()),
        Some(problem) => Err(Stop::unusable(problem)),
    }
}
