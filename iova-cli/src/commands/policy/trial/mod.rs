//! `iova policy try`: change a policy, watch, and keep it only if somebody says so.

mod document;
mod drain;
mod keys;
mod leash;
mod meter;
mod record;
mod screen;
mod told;
mod verdict;
mod watch;

pub(crate) use document::{Outcome, TrialReport};
pub(crate) use meter::Phase;
pub(crate) use screen::View;
pub(crate) use told::{Figures, Summary, Told};

use super::aer::Aer;
use super::door::{self, Door};
use super::host::{self, Target};
use super::journal::Journal;
use crate::args::Format;
use crate::args::policy::TryArgs;
use crate::commands::live::Live;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::session::{Child, Source as _};
use crate::signals::{Signals, Wake};
use crate::term::Term;
use drain::Drain;
use iova_core::finding::Severity;
use iova_core::inventory::{Device, Inventory};
use iova_core::model::{HostFigures, Unknown};
use iova_core::policy::Policy;
use iova_core::policy::explain::{self, Facts, NotAdvisable, Plan, Wish};
use iova_core::policy::module::{self, Abort, Control, Lease, Request};
use iova_core::probe::Profile;
use keys::Keys;
use leash::Leash;
use meter::Meter;
use screen::Screen;
use std::path::Path;
use std::time::{Duration, Instant};
use verdict::Verdict;
use watch::{Options, Seen, Watch};

const DEFAULT_LENGTH: Duration = Duration::from_mins(10);

/// What does not change during a trial.
struct Setting<'a> {
    args: &'a TryArgs,
    inventory: Inventory,
    device: Device,
    host: HostFigures,
    control: Control,
    signals: Signals,
}

/// What a trial has come to.
struct Ended {
    lease: Lease,
    verdict: Verdict,
    before: Phase,
    after: Phase,
    seen: Seen,
    flushes: u32,
    lasted: Duration,
    child: Option<Child>,
}

pub(super) fn run(args: &TryArgs, format: Format, term: Term, errors: Term) -> Result<Exit, Stop> {
    // Held back from here on: whoever ends it gets the policy taken back, and a summary.
    let signals = Signals::block_for_trial().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let mut live = Live::new()?;
    let inventory = live.inventory();
    let device = host::one(&inventory, &args.device)?.clone();
    let host = HostFigures::new(&inventory, live.sac_control(&inventory));
    let control = Control::open(live.kernel().ok()).map_err(host::stop)?;
    let setting = Setting { args, inventory, device, host, control, signals };
    let mut screen = Screen::new(args, format, errors);

    let plan = plan(&setting, &mut live)?;
    let request = plan.request().map_err(|why| not_advisable(why, &setting.device.bdf))?;
    warn(&plan, &mut screen);
    live.attach_watching(Profile::Default, &setting.inventory, setting.device.dev)?;
    say_what_is_not_guarded(args, &live.unmeasured(), &mut screen);
    stay_in_memory();
    let before = measure_before(&setting, &mut live, &mut screen)?;
    if args.attended && Keys::of_program().has_something() {
        return Err(Stop::no("called off before anything was changed"));
    }
    let journal = Journal::new(&live.kernel()?.root, &setting.device, args.reason.text.clone());
    record::begin(&journal, args.policy);
    let mut ended = attempt(&setting, &mut live, &plan, &request, before, screen)?;
    record::end(&journal, args.policy, &ended.verdict, &ended.before, &ended.after);
    Journal::collect(live.kernel().ok());
    let child = ended.child.take().map(|child| reap(child, &setting.signals));
    let report = report(&setting, &live, &plan, ended, child);
    let text = if args.attended { over(&report)? } else { renderer(format, term).trial(&report)? };
    output::print(&text)?;
    Ok(if report.outcome == Outcome::Kept { Exit::Done } else { Exit::No })
}

fn plan(setting: &Setting<'_>, live: &mut Live) -> Result<Plan, Stop> {
    let Setting { args, device, inventory, control, .. } = setting;
    let wish = Wish {
        flush: args.flush,
        whole: args.whole,
        beyond_list: args.beyond_list,
        ..Wish::new(&device.bdf, args.policy)
    };
    let root = &live.kernel()?.root.clone();
    let facts = Facts::gather(root, inventory, &live.snapshot(), &wish);
    explain::plan(&facts, &wish, Some(control)).map_err(|error| host::stop_for(error, root, &device.bdf))
}

/// Why a plan is not carried out, as an error.
pub(super) fn not_advisable(why: NotAdvisable, bdf: &str) -> Stop {
    match why {
        NotAdvisable::NotLoaded | NotAdvisable::NoAddress(_) => Stop::unusable(why),
        NotAdvisable::Refused { .. } | NotAdvisable::Listed(_) | NotAdvisable::NoWindow(_) => {
            Stop::no(format!("{bdf}: {why}"))
        }
    }
}

fn warn(plan: &Plan, screen: &mut Screen) {
    let grave = plan.hazards.iter().filter(|hazard| hazard.severity >= Severity::Warning);
    grave.for_each(|hazard| screen.say(&hazard.text));
}

/// The guard is only as good as what it sees.
fn say_what_is_not_guarded(args: &TryArgs, unmeasured: &[Unknown], screen: &mut Screen) {
    let faults = unmeasured.iter().find(|unknown| "faults.count".starts_with(unknown.metric.as_str()));
    if let Some(unknown) = faults.filter(|_| !args.no_guard) {
        screen.say(&format!("DMA faults can't be seen here, so they end nothing: {}", unknown.why));
    }
}

/// The device on trial may be the disk this program is on: what is needed to take the policy back must not have to be
/// read from it. Where that is not allowed, the kernel's own end of the lease remains.
fn stay_in_memory() {
    // SAFETY: no pointers.
    let _ = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
}

fn measure_before(setting: &Setting<'_>, live: &mut Live, screen: &mut Screen) -> Result<Phase, Stop> {
    let Setting { args, device, signals, .. } = setting;
    screen.say(&format!("measuring {} as it is for {:?}", device.bdf, args.before));
    let first = live.sample()?;
    let mut meter = Meter::new(&setting.inventory, &device.bdf, first, live.unmeasured());
    let end = Instant::now() + args.before;
    loop {
        let next = end.min(Instant::now() + Duration::from_secs(1));
        match signals.wait(next) {
            Wake::Ended { .. } => return Err(Stop::no("interrupted before anything was changed")),
            Wake::Child | Wake::Asked => {}
            Wake::Time => drop(meter.feed(live.sample()?)),
        }
        if Instant::now() >= end {
            return Ok(meter.phase());
        }
    }
}

fn attempt(
    setting: &Setting<'_>,
    live: &mut Live,
    plan: &Plan,
    request: &Request,
    before: Phase,
    mut screen: Screen,
) -> Result<Ended, Stop> {
    let Setting { args, device, control, signals, .. } = setting;
    let signal_fd = signals.descriptor().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let first = live.sample()?;
    // Drops events of before the trial; from here on each one is kept until it was looked at.
    live.events()?;
    let aer = Aer::new(&device.bdf);
    let staged_at = Instant::now();
    let leash = Leash::new(end(args, staged_at), staged_at);
    let root = live.kernel()?.root.clone();
    let lease = control
        .stage_watched(request, leash::HEARTBEAT)
        .map_err(|error| host::stop_for(error, &root, &device.bdf))?;
    let door = Door::open(Path::new(door::PLACE), &device.bdf);
    if let Err(error) = &door {
        screen.say(&format!("`iova policy confirm` will not work ({}: {error})", door::PLACE));
    }
    let keys = if args.attended { Some(Keys::of_program()) } else { Keys::open() };
    announce(setting, &lease, keys.is_some(), door.is_ok(), &mut screen);
    let child = match args.command.as_slice() {
        [] => None,
        command => Some(Child::spawn(command).inspect_err(|_| {
            let _ = control.abort(&lease, Abort::GiveUp);
        })?),
    };
    let meter = Meter::new(&setting.inventory, &device.bdf, first, live.unmeasured());
    let options = Options { policy: args.policy, guard: !args.no_guard, keep_if_ok: args.keep_if_ok };
    let drain = args.flush.then(|| Drain::new(staged_at));
    let mut watch = Watch {
        live,
        control,
        signals,
        signal_fd,
        device,
        lease,
        leash,
        options,
        before: &before,
        meter,
        drain,
        aer,
        door: door.ok(),
        keys,
        child,
        screen,
        staged_at,
        seen: Seen::default(),
    };
    let verdict = watch.run()?;
    let Watch { meter, drain, seen, child, mut screen, .. } = watch;
    screen.say(&format!("{} {}: {}", device.bdf, headline(&verdict, plan, args.policy), verdict.sentence()));
    Ok(Ended {
        lease,
        verdict,
        after: meter.phase(),
        before,
        seen,
        flushes: drain.map_or(0, |drain| drain.count()),
        lasted: staged_at.elapsed(),
        child,
    })
}

/// The last line for the program that attends.
fn over(report: &TrialReport) -> Result<String, Stop> {
    serde_json::to_string(&Told::Over { report }).map(|line| line + "\n").map_err(Stop::internal)
}

/// When the trial ends by itself.
fn end(args: &TryArgs, now: Instant) -> Option<Instant> {
    match (args.length, args.command.is_empty()) {
        (Some(length), _) => Some(now + length),
        (None, true) => Some(now + DEFAULT_LENGTH),
        (None, false) => None,
    }
}

fn former(plan: &Plan) -> Policy {
    plan.now.as_ref().map_or(Policy::Stock, |now| now.policy)
}

fn announce(setting: &Setting<'_>, lease: &Lease, asks: bool, door: bool, screen: &mut Screen) {
    let Setting { args, device, .. } = setting;
    let staged = lease.staged;
    let target = Target::from(device);
    let limit = if args.policy == Policy::Stock {
        String::new()
    } else {
        format!(", addresses up to {:#x}", staged.limit)
    };
    screen.say(&format!(
        "{} is on trial for {} ({}{limit}); the kernel takes it back when this process ends",
        args.policy, device.bdf, staged.mechanisms
    ));
    let confirm = format!("`iova policy confirm {}`", target.handle());
    let end = args.length.unwrap_or(DEFAULT_LENGTH);
    let sentence = match (asks, args.command.is_empty()) {
        _ if args.attended => return,
        (true, true) => format!("press Enter to decide; in {end:?} you are asked; Ctrl-C takes it back"),
        (true, false) => "when the command ends, you are asked; Ctrl-C takes it back".to_owned(),
        (false, _) if args.keep_if_ok => "it is kept if the command succeeds".to_owned(),
        (false, _) if !door => "nobody can be asked here: it will be taken back".to_owned(),
        (false, true) => {
            format!("there is no terminal to ask on: it is taken back in {end:?} unless {confirm} keeps it")
        }
        (false, false) => {
            format!(
                "there is no terminal to ask on: it is taken back when the command ends, unless {confirm} keeps it"
            )
        }
    };
    screen.say(&sentence);
}

fn headline(verdict: &Verdict, plan: &Plan, policy: Policy) -> String {
    match verdict.outcome() {
        Outcome::Kept => format!("keeps {policy}"),
        Outcome::Reverted => format!("is back to {}", former(plan)),
        Outcome::Quarantined => format!("is back to {}, and in quarantine", former(plan)),
    }
}

/// Waits for a command that is still running; signals are passed on, and a second one kills it.
fn reap(mut child: Child, signals: &Signals) -> Child {
    let mut told = false;
    while !child.ended() {
        if let Wake::Ended { signal, tty } = signals.wait(Instant::now() + Duration::from_secs(1)) {
            let again = std::mem::replace(&mut told, true);
            if again || !tty {
                child.signal(if again { libc::SIGKILL } else { signal });
            }
        }
    }
    child
}

fn report(
    setting: &Setting<'_>,
    live: &Live,
    plan: &Plan,
    ended: Ended,
    child: Option<Child>,
) -> TrialReport {
    let Setting { args, device, host, .. } = setting;
    let now = live.kernel().ok().and_then(|kernel| module::configured(&kernel.root, &device.bdf));
    let Ended { lease, verdict, before, after, seen, flushes, lasted, .. } = ended;
    TrialReport {
        schema: "iova.policy.try",
        schema_version: 1,
        host: host.clone(),
        device: Target::from(device),
        former: former(plan),
        policy: args.policy,
        staged: lease.staged,
        outcome: verdict.outcome(),
        cause: verdict.cause(),
        why: verdict.sentence(),
        confirmed_by: match &verdict {
            Verdict::Kept { by, .. } => Some(by.clone()),
            _ => None,
        },
        lasted_s: lasted.as_secs_f64(),
        before,
        after,
        last: seen.last,
        settled_s: seen.settled.unwrap_or_default().as_secs_f64(),
        flushes,
        evidence: match verdict {
            Verdict::Fault { evidence, .. } => Some(evidence),
            _ => None,
        },
        notes: seen.notes,
        unmeasured: live.unmeasured(),
        command: child.map(Child::into_command),
        effective: now.as_ref().map(|now| now.effective),
        state: now.map(|now| now.state),
        mapped_high_bytes: host::mapped_high(&live.snapshot_of(device.group), device),
    }
}
