//! A source whose host and devices have no names of their own: for reports that are shown to others.

use super::Source;
use crate::exit::Stop;
use iova_core::compat::report::KernelName;
use iova_core::inventory::Inventory;
use iova_core::model::{Command, SacControl, Unknown};
use iova_core::probe::Profile;
use iova_core::sample::{Calls, Sample};
use iova_core::snapshot::Snapshot;
use std::collections::BTreeMap;

/// What stands for what, the same for as long as it lives. Interfaces may be named after their MAC address, and be anything
/// else that somebody thought of.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    pub(crate) fn inventory(&mut self, inventory: &mut Inventory) {
        "anonymous".clone_into(&mut inventory.host.name);
        inventory.host.kernel = kernel(&inventory.host.kernel);
        let functions = inventory.devices.iter_mut().flat_map(|device| &mut device.functions);
        functions.for_each(|name| self.function(name));
    }

    fn function(&mut self, name: &mut String) {
        let next = format!("function{}", self.0.len());
        name.clone_from(self.0.entry(name.clone()).or_insert(next));
    }

    /// What was run is the user's business; how it ended is a figure.
    pub(crate) fn command(command: &mut Command) {
        command.argv = vec!["command".to_owned()];
    }
}

/// A distribution's name of its kernel is no secret; anything else may have a user's and a host's name in it.
fn kernel(release: &str) -> String {
    let at = |name: &KernelName| name.distribution.is_none() || release.contains('@');
    let local = KernelName::of(release, None).filter(at);
    local.map_or_else(|| release.to_owned(), |name| name.version.to_string())
}

/// Another source without names.
pub(crate) struct Nameless<'a> {
    inner: &'a mut dyn Source,
    names: Names,
    /// With names, for the user's words.
    known: Inventory,
}

impl<'a> Nameless<'a> {
    pub(crate) fn new(inner: &'a mut dyn Source) -> Self {
        Self { inner, names: Names::default(), known: Inventory::default() }
    }

    fn masked(&mut self, mut inventory: Inventory) -> Inventory {
        self.known = inventory.clone();
        self.names.inventory(&mut inventory);
        inventory
    }
}

impl Source for Nameless<'_> {
    fn inventory(&mut self) -> Inventory {
        let inventory = self.inner.inventory();
        self.masked(inventory)
    }

    fn select(&self, _: &Inventory, words: &[String]) -> Result<Vec<String>, Stop> {
        self.inner.select(&self.known, words)
    }

    fn sac_control(&self, inventory: &Inventory) -> SacControl {
        self.inner.sac_control(inventory)
    }

    fn attach(&mut self, profile: Profile, inventory: &Inventory) -> Result<(), Stop> {
        self.inner.attach(profile, inventory)
    }

    fn snapshot(&mut self) -> Snapshot {
        self.inner.snapshot()
    }

    fn sample(&mut self) -> Result<Sample, Stop> {
        self.inner.sample()
    }

    fn calls(&mut self) -> Result<Option<Calls>, Stop> {
        self.inner.calls()
    }

    fn look(&mut self) -> Result<(Inventory, Snapshot), Stop> {
        let (inventory, snapshot) = self.inner.look()?;
        Ok((self.masked(inventory), snapshot))
    }

    fn looked(&self) -> Option<bool> {
        self.inner.looked()
    }

    fn has_more(&self) -> bool {
        self.inner.has_more()
    }

    fn ended(&self) -> (bool, Option<Command>) {
        self.inner.ended()
    }

    fn unmeasured(&self) -> Vec<Unknown> {
        self.inner.unmeasured()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;

    #[test]
    fn names_are_gone_and_the_same_each_time() {
        let mut inventory = fixtures::inventory();
        inventory.devices[0].functions = vec!["enx525400c0ffee".into()];
        inventory.host.kernel = "6.12.0-rc3-alice@home".into();
        let before = inventory.clone();
        let mut names = Names::default();
        names.inventory(&mut inventory);
        let text = serde_json::to_string(&inventory).unwrap();
        for gone in ["525400c0ffee", "alice", "home", &before.host.name] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        let mut again = before;
        names.inventory(&mut again);
        assert_eq!(again, inventory);
        assert_eq!(kernel("6.1.0-56-amd64"), "6.1.0-56-amd64");
        assert_eq!(kernel("6.1.0-alice@home-amd64"), "6.1");
        assert_eq!(kernel("6.12.95-custom"), "6.12.95");
    }
}
