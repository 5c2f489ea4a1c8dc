//! Drives the module iova_policy through the library, every call once: `policy BDF POLICY`. A development aid; what is
//! expected is asserted, so exit code 0 means that library and module fit together.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use iova_core::inventory::Inventory;
use iova_core::kernel::Kernel;
use iova_core::policy::classify::{LiveSet, classify};
use iova_core::policy::explain::{self, Facts, Plan, Wish};
use iova_core::policy::history::History;
use iova_core::policy::module::{self, Abort, Control, Drain, LeaseState, ModuleError, Request, State};
use iova_core::policy::{Cause, Policy, Refusal, Relation, StateDir};
use iova_core::snapshot;

const LONG: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(device), Some(policy)) = (args.next(), args.next()) else { bail!("usage: policy BDF POLICY") };
    let wish = Wish { flush: true, ..Wish::new(device, policy.parse()?) };
    let kernel = Kernel::load()?;
    let control = match Control::open(Some(&kernel)) {
        Ok(control) => control,
        Err(error) => bail!("{error}"),
    };
    println!("{:?} {:?}", control.info(), control.layout());
    let plan = plan(&kernel, &control, &wish)?;
    println!("{}", serde_json::to_string_pretty(&plan)?);
    let request = plan.request()?;
    expiry(&kernel, &control, &request, &wish)?;
    renewal_and_abort(&kernel, &control, &request, &wish)?;
    confirmation(&kernel, &control, &request, &wish)?;
    if matches!(wish.policy, Policy::Dac(_)) {
        quarantine(&kernel, &control, &request, &wish)?;
    }
    closing(&kernel, &request, &wish)?;
    match control.flush(request.bdf, Drain::ALL) {
        Ok(()) => println!("flushed"),
        Err(error) => println!("flush: {error}"),
    }
    history(&kernel, control)?;
    println!("all is well");
    Ok(())
}

fn plan(kernel: &Kernel, control: &Control, wish: &Wish) -> Result<Plan> {
    let inventory = Inventory::collect(Some(kernel));
    let snapshot = snapshot::take(kernel);
    Ok(explain::plan(&Facts::gather(&kernel.root, &inventory, &snapshot, wish), wish, Some(control))?)
}

fn state(kernel: &Kernel, wish: &Wish) -> Result<(Policy, State)> {
    let Some(now) = module::configured(&kernel.root, &wish.device) else { bail!("no group in sysfs") };
    println!("  {now:?}");
    Ok((now.policy, now.state))
}

fn expect(kernel: &Kernel, wish: &Wish, policy: Policy, fits: impl Fn(&State) -> bool) -> Result<()> {
    let (is, state) = state(kernel, wish)?;
    ensure!(is == policy && fits(&state), "expected {policy}, found {is} {state:?}");
    Ok(())
}

/// The generation grows with each change, so every stage but the first asks for any.
fn again(request: &Request) -> Request {
    Request { generation: None, ..*request }
}

fn expiry(kernel: &Kernel, control: &Control, request: &Request, wish: &Wish) -> Result<()> {
    println!("expiry");
    let begin = Instant::now();
    let lease = control.stage(request, Duration::from_secs(2))?;
    println!("  staged {:?} in {:?}", lease.staged, begin.elapsed());
    expect(kernel, wish, wish.policy, |state| matches!(state, State::Leased { .. }))?;
    ensure!(matches!(control.stage(&again(request), LONG), Err(ModuleError::Busy)));
    ensure!(matches!(
        module::write_policy(&kernel.root, &wish.device, Policy::Stock),
        Err(ModuleError::Busy)
    ));
    ensure!(matches!(control.stage(request, LONG), Err(ModuleError::Stale)), "an old generation");
    while !control.wait(LONG)?.lease_ended {}
    println!("  ended after {:?}", begin.elapsed());
    ensure!(control.status(&lease)?.state == LeaseState::Ended(Cause::Expired));
    ensure!(matches!(control.commit(&lease), Err(ModuleError::NoLease)));
    expect(kernel, wish, Policy::Stock, |state| *state == State::Idle)
}

fn renewal_and_abort(kernel: &Kernel, control: &Control, request: &Request, wish: &Wish) -> Result<()> {
    println!("renew, abort");
    let lease = control.stage(&again(request), Duration::from_secs(1))?;
    let renewed = control.renew(&lease, LONG)?;
    ensure!(matches!(renewed.state, LeaseState::Open(left) if left > Duration::from_secs(30)), "{renewed:?}");
    control.abort(&lease, Abort::GiveUp)?;
    ensure!(matches!(control.abort(&lease, Abort::GiveUp), Err(ModuleError::NoLease)));
    expect(kernel, wish, Policy::Stock, |state| *state == State::Idle)
}

fn confirmation(kernel: &Kernel, control: &Control, request: &Request, wish: &Wish) -> Result<()> {
    println!("commit");
    let lease = control.stage(&again(request), LONG)?;
    control.commit(&lease)?;
    ensure!(control.status(&lease)?.state == LeaseState::Kept);
    expect(kernel, wish, wish.policy, |state| *state == State::Active)?;
    module::write_policy(&kernel.root, &wish.device, Policy::Stock)?;
    expect(kernel, wish, Policy::Stock, |state| *state == State::Idle)
}

/// As if the device had dropped the upper half of an address.
fn quarantine(kernel: &Kernel, control: &Control, request: &Request, wish: &Wish) -> Result<()> {
    println!("quarantine");
    let lease = control.stage(&again(request), LONG)?;
    let mut live = LiveSet::default();
    live.add(0x80_1fff_f000, 0x80_1fff_ffff);
    let evidence = classify(0x1fff_f000, &live).evidence;
    ensure!(matches!(evidence.relation, Relation::Truncated { width: 39, .. }), "{evidence:?}");
    control.abort(&lease, Abort::Quarantine { cause: Cause::Fault, evidence })?;
    expect(kernel, wish, Policy::Stock, |state| matches!(state, State::Quarantined { .. }))?;
    let refused = control.dry_run(&again(request));
    ensure!(matches!(refused, Err(ModuleError::Refused(Refusal::Quarantined))), "{refused:?}");
    let refused = module::write_policy(&kernel.root, &wish.device, wish.policy);
    ensure!(matches!(refused, Err(ModuleError::Refused(Refusal::Quarantined))), "{refused:?}");
    module::release(&kernel.root, &wish.device)?;
    expect(kernel, wish, Policy::Stock, |state| *state == State::Idle)
}

/// Dropping the last handle gives up.
fn closing(kernel: &Kernel, request: &Request, wish: &Wish) -> Result<()> {
    println!("close");
    let control = Control::open(Some(kernel))?;
    control.stage(&again(request), LONG)?;
    let begin = Instant::now();
    drop(control);
    expect(kernel, wish, Policy::Stock, |state| *state == State::Idle)?;
    println!("  back after {:?}", begin.elapsed());
    Ok(())
}

fn history(kernel: &Kernel, mut control: Control) -> Result<()> {
    println!("history");
    let dir = std::env::temp_dir().join("iova-policy-example");
    let history = History::at(StateDir::at(&dir));
    let records = control.records()?;
    let new = history.merge(&kernel.root, &records)?;
    ensure!(new == records.len() && history.merge(&kernel.root, &records)? == 0);
    print!("{}", std::fs::read_to_string(history.path())?);
    ensure!(control.records()?.is_empty(), "all were read");
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
