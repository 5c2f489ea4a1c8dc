//! From what was measured on this host, and from its journals, to a report.

use super::proofs::proof;
use super::trials::trials;
use super::usage::usage;
use super::{
    CompatReport, DeviceReport, Domain, DriverName, HexByte, KernelName, MAX_DEVICES, MAX_PROOFS, PciClass,
    PciId, Product, ReportId, SCHEMA, SCHEMA_VERSION, iommu,
};
use crate::compat::device::PciFacts;
use crate::inventory::{self, Inventory};
use crate::kernel::Root;
use crate::model::{Device, Report};
use crate::policy::history::{Entry, Identity};
use crate::policy::verify::Past;

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The running system.
    pub root: &'a Root,
    /// Its devices.
    pub inventory: &'a Inventory,
    /// What was measured.
    pub measured: &'a Report,
    /// The journals of verifications.
    pub journals: &'a [Past],
    /// The history of policies.
    pub history: &'a [Entry],
}

impl Sources<'_> {
    /// The report. `product`: the user wants the machine's product name in it.
    ///
    /// # Errors
    /// One sentence, if the kernel's version can't be told.
    pub fn report(&self, id: ReportId, product: bool) -> Result<CompatReport, &'static str> {
        let kernel = KernelName::read(self.root)
            .ok_or("the kernel's version can't be told from /proc/sys/kernel/osrelease: mount /proc")?;
        let name = || self.root.text("sys/class/dmi/id/product_name")?.parse::<Product>().ok();
        let mut devices: Vec<DeviceReport> =
            self.measured.devices.iter().filter_map(|device| self.device(device)).collect();
        // By what they are: the order of addresses on the bus is nobody's business.
        devices.sort_by_cached_key(|one| (one.device, one.path.clone(), serde_json::to_string(one).ok()));
        devices.truncate(MAX_DEVICES);
        Ok(CompatReport {
            schema: SCHEMA.to_owned(),
            schema_version: SCHEMA_VERSION,
            id,
            kernel,
            iommu: iommu::read(self.root),
            product: product.then(name).flatten(),
            devices,
        })
    }

    /// `None` for what is no PCI device (any more), and for bridges and devices without a driver that do nothing.
    fn device(&self, measured: &Device) -> Option<DeviceReport> {
        let known = self.inventory.devices.iter().find(|device| device.bdf == measured.bdf)?;
        let facts = PciFacts::read(self.root, &known.bdf)?;
        let path = facts.path?;
        let proofs = self.proofs(known, &path);
        let is_bridge = facts.class.is_some_and(|class| class >> 16 == 6);
        let idle = measured.alloc.count == 0 && measured.faults.count.unwrap_or(0) == 0;
        let identity = Identity { id: facts.id, subsystem: facts.subsystem };
        let trials = trials(self.history, &known.bdf, identity);
        if idle && proofs.is_empty() && trials.is_empty() && (is_bridge || known.driver.is_none()) {
            return None;
        }
        let subsystem = Some(facts.subsystem).filter(|&subsystem| subsystem != (0, 0));
        Some(DeviceReport {
            device: PciId(facts.id.0, facts.id.1),
            subsystem: subsystem.map(|(vendor, device)| PciId(vendor, device)),
            revision: facts.revision.map(HexByte),
            class: facts.class.map(PciClass),
            path,
            driver: driver(self.root, known),
            mask_bits: known.dma_mask_bits,
            coherent_mask_bits: known.coherent_mask_bits,
            domain: Domain::from(known.domain_type),
            placement: known.configured,
            policy: known.managed.as_ref().map(|managed| managed.policy),
            usage: Some(usage(measured, self.measured)),
            trials,
            proofs,
        })
    }

    /// Of the same device on the same path: a journal is about a place on the bus, where something else may be by now.
    fn proofs(&self, device: &inventory::Device, path: &[PciId]) -> Vec<super::Proof> {
        let identity = Identity::read(self.root, &device.bdf);
        let here = |past: &&Past| {
            past.begun.as_ref().is_some_and(|begun| {
                begun.bdf == device.bdf
                    && Some(begun.identity) == identity
                    && begun.path.as_deref() == Some(path)
            })
        };
        let mut all: Vec<_> =
            self.journals.iter().filter(here).filter_map(|past| Some((past.began_s, proof(past)?))).collect();
        all.sort_by_key(|(began_s, _)| *began_s);
        // The latest, if there are too many.
        let old = all.len().saturating_sub(MAX_PROOFS);
        all.into_iter().skip(old).map(|(_, proof)| proof).collect()
    }
}

/// The name of a driver that is the kernel's own: a module from elsewhere (taint flag O) may be called anything.
fn driver(root: &Root, device: &inventory::Device) -> Option<DriverName> {
    let taint = root.text(format!("sys/bus/pci/devices/{}/driver/module/taint", device.bdf));
    let foreign = taint.is_some_and(|taint| taint.contains('O'));
    device.driver.as_ref().filter(|_| !foreign)?.parse().ok()
}
