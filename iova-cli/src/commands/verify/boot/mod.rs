//! `iova verify --boot`: who on this machine does not stand the full address range, in one boot or a few.

mod document;
mod judge;
mod prepare;
mod suspects;

pub(crate) use document::BootTrial;

use crate::args::verify::VerifyArgs;
use crate::commands::live;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::inventory::Inventory;
use iova_core::kernel::{Kernel, Root};
use iova_core::model::{HostFigures, SacControl};
use iova_core::policy::boot_trial::{self, Answer, Next, Place, Plan, RoundOutcome};
use iova_core::policy::{StateDir, StateError};

/// What is found out first.
struct Look {
    kernel: Kernel,
    inventory: Inventory,
    control: SacControl,
    root: Root,
    dir: StateDir,
}

pub(super) fn run(args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    let (kernel, inventory, control) = live::look()?;
    let kernel = kernel.map_err(Stop::unusable)?;
    let (root, dir) = (kernel.root.clone(), StateDir::default());
    let look = Look { kernel, inventory, control, root, dir };
    // The unit and a person must not judge the same boot.
    let _held = boot_trial::hold(&look.dir).map_err(Stop::unusable)?.ok_or_else(|| {
        Stop::no(
            "another `iova verify --boot` is at work (`systemctl status iova-boot-trial`): wait for its end",
        )
    })?;
    let plan = boot_trial::load(&look.dir).map_err(Stop::unusable)?;
    match (plan, args.close, args.resume) {
        (Some(plan), true, _) => close(&look, plan, args, term),
        (Some(plan), _, true) => go_on(&look, plan, args, term),
        (None, true, _) | (None, _, true) => {
            Err(Stop::unusable("no boot trial is under way: `iova verify --boot` begins one"))
        }
        (Some(plan), ..) if args.dry_run => show(&look, &plan, None, args, term).map(|()| Exit::Done),
        (Some(plan), ..) => Err(Stop::unusable(format!(
            "the boot trial {} is under way, with {} boots so far: go on with `iova verify --boot --resume`, or end it with \
             `iova verify --boot --close`",
            plan.id,
            plan.rounds.len()
        ))),
        (None, ..) => begin(&look, args, term),
    }
}

fn begin(look: &Look, args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    let mut plan = suspects::plan(look, args)?;
    let Next::Boot(chosen) = boot_trial::next(&plan) else {
        return Err(Stop::unusable("no device is left to be tried"));
    };
    if !args.dry_run
        && let Some(why) = judge::rehearse(look, &mut plan)?
    {
        return Err(Stop::unusable(format!(
            "{why}, with nothing on trial: a command that fails anyway tells no device from another. Mend it, or leave it out, and \
             faults alone decide"
        )));
    }
    let boot = if args.dry_run {
        prepare::Boot::of(&mut plan, look, chosen)?
    } else {
        prepare::prepare(&mut plan, look, chosen, args.print)?
    };
    show(look, &plan, Some(boot.clone()), args, term)?;
    if plan.reboot && !args.dry_run {
        prepare::reboot_into(&boot)?;
    }
    Ok(Exit::Done)
}

/// In the boot that was prepared, or in the one after it.
fn go_on(look: &Look, mut plan: Plan, args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    match plan.place(&look.root) {
        Place::Ahead => {
            show(look, &plan, None, args, term)?;
            return Ok(Exit::Done);
        }
        Place::Between => {}
        Place::Missed => set(&mut plan, RoundOutcome::Lost),
        Place::Here => {
            plan.is_up(&look.dir, &look.root).map_err(Stop::unusable)?;
            let outcome = judge::judge(look, &mut plan, args.systemd_run)?;
            set(&mut plan, outcome);
        }
    }
    plan.save(&look.dir).map_err(Stop::unusable)?;
    match boot_trial::next(&plan) {
        Next::Boot(chosen) => {
            let boot = prepare::prepare(&mut plan, look, chosen, args.print)?;
            show(look, &plan, Some(boot.clone()), args, term)?;
            if plan.reboot {
                prepare::reboot_into(&boot)?;
            }
            Ok(Exit::Done)
        }
        Next::Done(answer) => end(look, plan, answer, args, term),
    }
}

fn set(plan: &mut Plan, outcome: RoundOutcome) {
    if let Some(round) = plan.open_round() {
        round.outcome = Some(outcome);
    }
}

/// There is an answer. The boot that it was found in is not stock yet.
fn end(look: &Look, mut plan: Plan, answer: Answer, args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    let quiet = answer == Answer::Nobody;
    plan.answer = Some(answer);
    put_aside(&plan, &look.dir)?;
    show(look, &plan, None, args, term)?;
    if plan.reboot && prepare::is_trial(&look.root) {
        prepare::reboot_to_stock()?;
    }
    Ok(if quiet { Exit::Done } else { Exit::No })
}

fn close(look: &Look, plan: Plan, args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    put_aside(&plan, &look.dir)?;
    show(look, &plan, None, args, term)?;
    Ok(Exit::Done)
}

fn put_aside(plan: &Plan, dir: &StateDir) -> Result<(), Stop> {
    plan.put_aside(dir).map(drop).map_err(|error: StateError| Stop::unusable(error))
}

fn show(
    look: &Look,
    plan: &Plan,
    boot: Option<prepare::Boot>,
    args: &VerifyArgs,
    term: Term,
) -> Result<(), Stop> {
    let host = HostFigures::new(&look.inventory, look.control);
    let trial = BootTrial::new(host, plan, boot, &look.root, args.close);
    output::print(&renderer(args.format, term).boot_trial(&trial)?)
}
