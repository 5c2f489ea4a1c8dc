//! What this host and kernel allow, and for everything they don't: what is lost and how to get it.

mod hooks;
mod module;
mod rights;
mod system;

pub(crate) use rights::effective as effective_capabilities;

use serde::Serialize;

use crate::inventory::Inventory;
use crate::kernel::{Kernel, KernelError, Root};

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should.
    Ok,
    /// Partly: some values are missing or less exact.
    Limited,
    /// Not at all.
    Missing,
}

/// One thing that `iova` builds on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// Short and stable, for scripts: "btf", "kcore", "hook alloc.count".
    pub name: String,
    /// How well it works.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What can't be known without it; empty if nothing is lost.
    pub lost: String,
    /// What to do about it; empty if there is nothing to do.
    pub remedy: String,
}

impl Ability {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Ok,
            found: found.into(),
            lost: String::new(),
            remedy: String::new(),
        }
    }

    fn lacking(state: State, name: &str, found: impl Into<String>, lost: &str, remedy: &str) -> Self {
        Self { state, lost: lost.to_owned(), remedy: remedy.to_owned(), ..Self::ok(name, found) }
    }
}

/// Looks at everything, most fundamental first. Never fails: a kernel that could not be loaded is a finding.
pub fn survey(kernel: Result<&Kernel, &KernelError>, inventory: &Inventory) -> Vec<Ability> {
    let root = kernel.map_or_else(|_| Root::default(), |kernel| kernel.root.clone());
    let mut abilities = vec![system::iommu(inventory), system::translation(inventory)];
    abilities.push(system::types(kernel));
    abilities.push(system::symbols(kernel));
    abilities.push(system::lockdown(&root));
    abilities.push(rights::ebpf(&root));
    abilities.push(system::memory(kernel));
    abilities.push(system::map_memory(inventory));
    if let Ok(kernel) = kernel {
        abilities.push(system::trampolines(kernel));
        abilities.push(system::ring_buffer(kernel));
        abilities.extend(hooks::survey(kernel, inventory));
    }
    abilities.push(module::policy(&root, kernel.ok()));
    abilities.push(system::names(&root));
    abilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_can_do_nothing() {
        let abilities = survey(Err(&KernelError::NoBtf), &Inventory::default());
        let state =
            |name: &str| abilities.iter().find(|ability| ability.name == name).map(|ability| ability.state);
        assert_eq!((state("iommu"), state("btf")), (Some(State::Missing), Some(State::Missing)));
        for ability in abilities.iter().filter(|ability| ability.state != State::Ok) {
            assert!(!ability.lost.is_empty() && !ability.found.is_empty(), "{ability:?}");
        }
    }
}
