//! A new verification: the conditions, and then the walk.

use super::document::VerifyReport;
use super::hands::domain_of;
use super::ladder;
use super::under_way;
use super::work::Plan;
use super::{Look, Verification};
use crate::args::Format;
use crate::args::verify::VerifyArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::{Text, renderer};
use crate::term::Term;
use iova_core::compat::bridges;
use iova_core::compat::report::KernelName;
use iova_core::policy::history::Identity;
use iova_core::policy::module::Control;
use iova_core::policy::verify::{Begun, Check, Event, FIRST, Facts, Ladder, check};
use std::time::Duration;

pub(super) fn begin(look: Look, args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    let mut facts = Facts::gather(&look.root, &look.inventory, &look.device);
    let control = Control::open(look.live.kernel().ok());
    facts.module_trouble =
        control.as_ref().err().filter(|_| facts.managed.is_some()).map(ToString::to_string);
    let snapshot = look.live.snapshot_of(look.device.group);
    let domain = snapshot.domains.iter().find(|domain| Some(domain.iovad) == look.device.iovad);
    facts.lazy = domain.map(|domain| domain.lazy);
    let checks = check(&facts);
    if args.format == Format::Text {
        output::print(&Text::new(term).conditions(&look.device.bdf, &checks))?;
    }
    let proved = facts.free_bits().unwrap_or(0).max(FIRST);
    let possible = checks.iter().all(|check| check.ok);
    if args.dry_run || !possible {
        // As far as it can be told in the domain that it has now.
        let ladder =
            control.ok().and_then(|control| ladder::ask(&control, &look.device, proved, args.to).ok());
        return only_looked(&look, args, checks, ladder, possible, term);
    }
    drop(control);
    let plan = Plan::choose(&look.root, &facts, &args.command, args.scratch.as_deref())?;
    let (journal, past) = under_way::open(&look.root, &look.device.bdf)?;
    if past.is_open() {
        return Err(Stop::unusable(format!(
            "a verification of {0} was cut short: go on with `iova verify {0} --resume`, or end it with `iova verify {0} \
             --close`",
            look.device.bdf
        )));
    }
    let begun = begun(&look, &facts, args, &plan, proved)?;
    let mut verification = Verification::new(look, journal, begun, plan, facts.disks.len())?;
    verification.0.journal.note(Event::Begun(verification.0.begun.clone())).map_err(Stop::unusable)?;
    verification.0.walk(None).finish(&verification.1, checks, args.format, term)
}

fn begun(look: &Look, facts: &Facts, args: &VerifyArgs, plan: &Plan, proved: u8) -> Result<Begun, Stop> {
    let bdf = &look.device.bdf;
    let identity =
        Identity::read(&look.root, bdf).ok_or_else(|| Stop::unusable(format!("{bdf} is no PCI device")))?;
    let domain = domain_of(&look.root, bdf);
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let step_ms = milliseconds(args.step.unwrap_or_default());
    Ok(Begun {
        bdf: bdf.clone(),
        identity,
        path: bridges(&look.root, bdf),
        kernel: KernelName::read(&look.root),
        driver: facts.driver.clone().unwrap_or_default(),
        domain,
        typed: facts.type_writable,
        proved,
        to: args.to,
        step_ms,
        hold_ms: args.hold.map_or(step_ms, milliseconds),
        command: args.command.clone(),
        scratch: plan.scratch().cloned(),
    })
}

fn only_looked(
    look: &Look,
    args: &VerifyArgs,
    checks: Vec<Check>,
    ladder: Option<Ladder>,
    possible: bool,
    term: Term,
) -> Result<Exit, Stop> {
    let sentence =
        if possible { "can be verified; nothing was changed" } else { "cannot be verified as it is" };
    let report = VerifyReport {
        checks,
        ladder,
        sentence: sentence.to_owned(),
        ..VerifyReport::blank(&look.root, &look.host, &look.device)
    };
    output::print(&renderer(args.format, term).verification(&report)?)?;
    Ok(if possible { Exit::Done } else { Exit::Unusable })
}
