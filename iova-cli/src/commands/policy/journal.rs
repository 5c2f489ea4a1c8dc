//! What goes into the history, and that a history which cannot be written is said and stops nothing: undoing a change
//! must work on a full disk too.

use crate::output;
use iova_core::inventory::Device;
use iova_core::kernel::{Kernel, Root};
use iova_core::policy::history::{Action, Entry, History, Identity, ToolEntry};
use iova_core::policy::module::Control;
use iova_core::policy::{Bdf, Policy, StateDir};

/// The history, from the point of view of one change of one device.
pub(super) struct Journal {
    root: Root,
    history: History,
    device: Option<(Bdf, Identity)>,
    reason: Option<String>,
}

impl Journal {
    pub(super) fn new(root: &Root, device: &Device, reason: Option<String>) -> Self {
        let bdf = device.bdf.parse().ok();
        Self {
            root: root.clone(),
            history: history(),
            device: bdf.zip(Identity::read(root, &device.bdf)),
            reason,
        }
    }

    /// Appends what was done, with the reason given unless `fill` sets another.
    pub(super) fn note(&self, action: Action, policy: Policy, fill: impl FnOnce(&mut ToolEntry)) {
        let Some((bdf, identity)) = self.device else { return };
        let mut entry = ToolEntry::new(&self.root, action, bdf, identity, policy);
        entry.reason.clone_from(&self.reason);
        fill(&mut entry);
        if let Err(error) = self.history.append(&Entry::now(&self.root, entry)) {
            output::complain(&format!("this is not in the history: {error}"));
        }
    }

    /// Copies the module's records to disk, which has more room and outlives the module.
    pub(super) fn collect(kernel: Option<&Kernel>) {
        let root = kernel.map(|kernel| kernel.root.clone()).unwrap_or_default();
        let records = Control::open(kernel).and_then(|mut control| control.records());
        if let Ok(records) = records
            && let Err(error) = history().merge(&root, &records)
        {
            output::complain(&format!("the module's records are not in the history: {error}"));
        }
    }
}

/// The history of this machine.
pub(super) fn history() -> History {
    History::at(StateDir::default())
}
