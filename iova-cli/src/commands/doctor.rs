//! `iova doctor`: what this host and kernel can do, and how to get the rest.

use crate::args::DoctorArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::doctor::{self, Ability, State};
use iova_core::inventory::Inventory;
use iova_core::kernel::Kernel;
use iova_core::model::{HostFigures, SacControl};
use serde::Serialize;

/// Without these nothing can be measured at all.
const NEEDED: &[&str] =
    &["iommu", "translation", "btf", "symbols", "ebpf rights", "fentry", "hook alloc.count"];

/// What `iova report` does without: no reason for exit code 1.
const NICE: &[&str] = &["pci.ids", "policy module"];

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Everything that `iova report` uses works.
    Ok,
    /// Some values will be missing.
    Limited,
    /// Nothing can be measured.
    Unusable,
}

/// The JSON document of `iova doctor`.
#[derive(Debug, Serialize)]
pub(crate) struct Survey {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) host: HostFigures,
    pub(crate) verdict: Verdict,
    pub(crate) abilities: Vec<Ability>,
}

impl Survey {
    pub(crate) fn new(host: HostFigures, abilities: Vec<Ability>) -> Self {
        Self { schema: "iova.doctor", schema_version: 1, host, verdict: verdict(&abilities), abilities }
    }
}

pub(super) fn run(args: &DoctorArgs, term: Term) -> Result<Exit, Stop> {
    let kernel = Kernel::load();
    let inventory = Inventory::collect(kernel.as_ref().ok());
    let control = kernel.as_ref().map_or(SacControl::Unknown, |kernel| SacControl::of(kernel, &inventory));
    let abilities = doctor::survey(kernel.as_ref(), &inventory);
    let survey = Survey::new(HostFigures::new(&inventory, control), abilities);
    output::print(&renderer(args.format, term).doctor(&survey)?)?;
    Ok(match survey.verdict {
        Verdict::Ok => Exit::Done,
        Verdict::Limited => Exit::No,
        Verdict::Unusable => Exit::Unusable,
    })
}

fn verdict(abilities: &[Ability]) -> Verdict {
    let missing =
        |ability: &Ability| ability.state == State::Missing && NEEDED.contains(&ability.name.as_str());
    let limits = |ability: &Ability| ability.state != State::Ok && !NICE.contains(&ability.name.as_str());
    if abilities.iter().any(missing) {
        Verdict::Unusable
    } else if abilities.iter().any(limits) {
        Verdict::Limited
    } else {
        Verdict::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ability(name: &str, state: State) -> Ability {
        Ability { name: name.into(), state, found: String::new(), lost: String::new(), remedy: String::new() }
    }

    #[test]
    fn only_what_everything_rests_on_makes_a_host_unusable() {
        use State::{Limited, Missing, Ok};
        assert_eq!(verdict(&[ability("btf", Ok), ability("hook lock.wait_ns", Ok)]), Verdict::Ok);
        assert_eq!(verdict(&[ability("btf", Ok), ability("hook lock.wait_ns", Missing)]), Verdict::Limited);
        assert_eq!(verdict(&[ability("btf", Ok), ability("pci.ids", Limited)]), Verdict::Ok);
        assert_eq!(verdict(&[ability("policy module", Missing)]), Verdict::Ok);
        assert_eq!(verdict(&[ability("symbols", Limited)]), Verdict::Limited);
        assert_eq!(verdict(&[ability("btf", Missing)]), Verdict::Unusable);
    }
}
