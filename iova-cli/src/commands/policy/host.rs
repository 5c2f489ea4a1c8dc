//! What every `iova policy` command looks at first: kernel, devices, module.

use super::super::live;
use crate::exit::{Exit, Stop};
use iova_core::inventory::{Device, Inventory};
use iova_core::kernel::{Kernel, Root};
use iova_core::model::{HostFigures, SacControl};
use iova_core::policy::Bdf;
use iova_core::policy::module::{self, DevicePolicy, ModuleError};
use iova_core::snapshot::{self, RangeKind, Snapshot};
use serde::Serialize;

/// Where addresses get high.
const LOW_END: u64 = 1 << 32;

/// The machine now.
pub(super) struct Host {
    pub(super) kernel: Option<Kernel>,
    pub(super) inventory: Inventory,
    pub(super) control: SacControl,
}

/// A device in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    pub(crate) bdf: String,
    pub(crate) name: String,
    pub(crate) driver: Option<String>,
    pub(crate) functions: Vec<String>,
}

impl From<&Device> for Target {
    fn from(device: &Device) -> Self {
        Self {
            bdf: device.bdf.clone(),
            name: device.name.clone(),
            driver: device.driver.clone(),
            functions: device.functions.clone(),
        }
    }
}

impl Target {
    /// What people call it on the command line.
    pub(crate) fn handle(&self) -> &str {
        self.functions.first().unwrap_or(&self.bdf)
    }
}

impl Host {
    /// Looks, with whatever rights there are.
    pub(super) fn look() -> Result<Self, Stop> {
        let (kernel, inventory, control) = live::look()?;
        Ok(Self { kernel: kernel.ok(), inventory, control })
    }

    pub(super) fn figures(&self) -> HostFigures {
        HostFigures::new(&self.inventory, self.control)
    }

    pub(super) fn root(&self) -> Root {
        self.kernel.as_ref().map(|kernel| kernel.root.clone()).unwrap_or_default()
    }

    /// The one device that `word` names.
    pub(super) fn one(&self, word: &str) -> Result<&Device, Stop> {
        one(&self.inventory, word)
    }

    /// What the module says about it.
    pub(super) fn policy(&self, bdf: &str) -> Result<DevicePolicy, Stop> {
        let root = self.root();
        module::configured(&root, bdf).ok_or_else(|| match module::loaded(&root) {
            None => stop(ModuleError::NotLoaded),
            Some(_) => stop(ModuleError::NoDevice(bdf.to_owned())),
        })
    }

    /// Bytes still mapped at or above 4 GiB in the device's domain; `None` if its tree cannot be read.
    pub(super) fn still_high(&self, device: &Device) -> Option<u64> {
        mapped_high(&snapshot::take(self.kernel.as_ref()?), device)
    }
}

/// The one device of `inventory` that `word` names.
pub(in crate::commands) fn one<'a>(inventory: &'a Inventory, word: &str) -> Result<&'a Device, Stop> {
    let found = inventory.find(word).map_err(Stop::unusable)?;
    match found.as_slice() {
        [device] => Ok(device),
        several => {
            let names: Vec<_> = several.iter().map(|device| device.bdf.as_str()).collect();
            Err(Stop::unusable(format!(
                "'{word}' names {} devices: give the address of one ({})",
                names.len(),
                names.join(", ")
            )))
        }
    }
}

/// The number the module knows a device by.
pub(in crate::commands) fn bdf(device: &Device) -> Result<Bdf, Stop> {
    device.bdf.parse().map_err(|_| {
        Stop::unusable(format!(
            "{} is no PCI device that the module can name: policies are for PCI devices",
            device.bdf
        ))
    })
}

/// Bytes that are mapped at or above 4 GiB in the device's domain.
pub(super) fn mapped_high(snapshot: &Snapshot, device: &Device) -> Option<u64> {
    let domain = snapshot.domains.iter().find(|domain| Some(domain.iovad) == device.iovad)?;
    let first = LOW_END / domain.granule.max(1);
    let live = domain.ranges.iter().filter(|range| range.kind == RangeKind::Live);
    let pages = live.map(|range| (range.pfn_hi + 1).saturating_sub(range.pfn_lo.max(first)));
    Some(pages.sum::<u64>() * domain.granule)
}

/// A refusal is an answer; a missing module or right has to be mended first.
pub(in crate::commands) fn stop(error: ModuleError) -> Stop {
    let exit = match &error {
        ModuleError::Refused(_) | ModuleError::Busy | ModuleError::Stale | ModuleError::NoLease => Exit::No,
        _ => Exit::Unusable,
    };
    Stop { exit, message: error.to_string() }
}

/// The same for a device: a busy one is named with its holder.
pub(super) fn stop_for(error: ModuleError, root: &Root, bdf: &str) -> Stop {
    use module::Origin;
    let origin = module::configured(root, bdf).map(|policy| policy.origin);
    match (error, origin) {
        (ModuleError::Busy, Some(Origin::Lease { process })) => Stop::no(format!(
            "{bdf} is on trial by {process}: wait for its end, answer it there (`iova policy confirm`), or end that \
             process"
        )),
        (ModuleError::NoDevice(_), _) => stop(ModuleError::NoDevice(bdf.to_owned())),
        (error, _) => {
            let Stop { exit, message } = stop(error);
            Stop { exit, message: format!("{bdf}: {message}") }
        }
    }
}
