//! `iova policy set`: for scripts.

use super::changes::{self, Change};
use super::host::{self, Host};
use super::journal::Journal;
use super::{explain, trial};
use crate::args::Format;
use crate::args::policy::SetArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::term::Term;
use iova_core::finding::Severity;
use iova_core::policy::Refusal;
use iova_core::policy::explain::{NotAdvisable, Plan, Wish};
use iova_core::policy::history::Action;
use iova_core::policy::module::{self, Control, Drain};

pub(super) fn run(args: &SetArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let root = host.root();
    let device = host.one(&args.device)?;
    let bdf = host::bdf(device)?;
    let control = Control::open(host.kernel.as_ref()).map_err(host::stop)?;
    let wish = Wish {
        flush: args.flush,
        whole: args.whole,
        beyond_list: args.beyond_list,
        ..Wish::new(&device.bdf, args.policy)
    };
    let plan = explain::plan(&host, device, &wish, Some(&control))?;
    match plan.request() {
        // There is nothing to lease, but the policy can wait for a driver.
        Ok(_) | Err(NotAdvisable::Refused { reason: Refusal::Unbound }) => {}
        Err(why) => return Err(trial::not_advisable(why, &device.bdf)),
    }
    if !args.yes {
        return Err(Stop::no(would(&plan, args)));
    }
    let old = host.policy(&device.bdf)?.policy;
    module::write_policy(&root, &device.bdf, args.policy)
        .map_err(|error| host::stop_for(error, &root, &device.bdf))?;
    let mut text = "until the next boot, or `iova policy revert`".to_owned();
    if args.flush
        && let Err(error) = control.flush(bdf, Drain::ALL)
    {
        output::complain(&format!("the caches are not drained: {error}"));
        text += "; the caches are not drained";
    }
    let journal = Journal::new(&root, device, args.reason.text.clone());
    journal.note(Action::Set, args.policy, |_| {});
    Journal::collect(host.kernel.as_ref());
    let change = Change { old: Some(old), ..Change::of(&host, device, text) };
    changes::print("iova.policy.set", vec![change], format, term)
}

fn would(plan: &Plan, args: &SetArgs) -> String {
    let grave = plan.hazards.iter().filter(|hazard| hazard.severity >= Severity::Warning);
    let hazards: Vec<&str> = grave.map(|hazard| hazard.text.as_str()).collect();
    let mut sentence = format!(
        "nothing was changed: --yes is missing. It would set {} for {}. {}",
        args.policy,
        plan.device,
        plan.changes.join(" ")
    );
    if !hazards.is_empty() {
        sentence += &format!(" But: {}", hazards.join(" "));
    }
    sentence + " Better: `iova policy try`, which takes it back if anything goes wrong"
}
