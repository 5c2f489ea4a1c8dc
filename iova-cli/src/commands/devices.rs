//! `iova devices`: who is behind an IOMMU.

use super::live;
use crate::args::DevicesArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::inventory::{Device, Inventory};
use iova_core::model::{HostFigures, Policy, SacControl, type_name};
use serde::Serialize;

/// The JSON document of `iova devices`. Field names are those of the report.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceList {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) host: HostFigures,
    pub(crate) devices: Vec<Entry>,
    pub(crate) missing: Vec<String>,
}

/// One device.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) bdf: String,
    pub(crate) bus: String,
    /// "vendor:device" in hexadecimal.
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) driver: Option<String>,
    pub(crate) functions: Vec<String>,
    pub(crate) group: u32,
    pub(crate) domain_type: &'static str,
    pub(crate) dma_mask_bits: Option<u8>,
    pub(crate) coherent_mask_bits: Option<u8>,
    pub(crate) bus_dma_limit: Option<u64>,
    pub(crate) policy: Policy,
}

pub(super) fn run(args: &DevicesArgs, term: Term) -> Result<Exit, Stop> {
    let (inventory, sac_control) = live::inventory()?;
    let wanted = live::select(&inventory, &args.devices)?;
    let list = DeviceList::new(&inventory, &wanted, sac_control);
    output::print(&renderer(args.format, term).devices(&list)?)?;
    Ok(Exit::Done)
}

impl DeviceList {
    /// The devices with these BDFs; all if there are none.
    pub(crate) fn new(inventory: &Inventory, wanted: &[String], sac_control: SacControl) -> Self {
        let shown = |device: &&Device| wanted.is_empty() || wanted.contains(&device.bdf);
        Self {
            schema: "iova.devices",
            schema_version: 1,
            host: HostFigures::new(inventory, sac_control),
            devices: inventory.devices.iter().filter(shown).map(entry).collect(),
            missing: inventory.missing.clone(),
        }
    }
}

fn entry(device: &Device) -> Entry {
    Entry {
        bdf: device.bdf.clone(),
        bus: device.bus.clone(),
        id: device.id.map(iova_core::inventory::id_text),
        name: device.name.clone(),
        driver: device.driver.clone(),
        functions: device.functions.clone(),
        group: device.group,
        domain_type: type_name(device.domain_type),
        dma_mask_bits: device.dma_mask_bits,
        coherent_mask_bits: device.coherent_mask_bits,
        bus_dma_limit: device.bus_dma_limit.filter(|&limit| limit > 0),
        policy: Policy::of(device),
    }
}
