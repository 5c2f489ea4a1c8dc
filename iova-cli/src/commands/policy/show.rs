//! `iova policy show`: configured against effective, with or without the module.

use super::host::{Host, Target};
use crate::args::Format;
use crate::args::policy::ShowArgs;
use crate::commands::live::{self, Live};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::session::{self, Plan, Until};
use crate::term::Term;
use iova_core::inventory::Device;
use iova_core::model::{HostFigures, configured_name};
use iova_core::policy::module::{self, DevicePolicy};
use iova_core::probe::Profile;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The JSON document.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyList {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) host: HostFigures,
    /// The module is there.
    pub(crate) module: bool,
    pub(crate) module_version: Option<String>,
    pub(crate) measured_s: Option<f64>,
    pub(crate) devices: Vec<PolicyEntry>,
    pub(crate) missing: Vec<String>,
}

/// One device.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PolicyEntry {
    #[serde(flatten)]
    pub(crate) device: Target,
    pub(crate) group: u32,
    pub(crate) dma_mask_bits: Option<u8>,
    /// What the kernel does with its addresses now, as in `iova devices`.
    pub(crate) kernel: Option<&'static str>,
    /// What the module says; `None` without it.
    pub(crate) policy: Option<DevicePolicy>,
    /// Measured only.
    pub(crate) allocations: Option<u64>,
    pub(crate) effective_high_ratio: Option<f64>,
}

pub(super) fn run(args: &ShowArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let wanted = live::select(&host.inventory, &args.devices)?;
    let measured = args.measure.map(|length| measure(length, &wanted)).transpose()?;
    // After the measurement: what is in effect now is what counts.
    let list = PolicyList::new(&host, &wanted, measured);
    output::print(&renderer(format, term).policies(&list)?)?;
    Ok(Exit::Done)
}

/// Allocations and share of high addresses by BDF.
struct Measured {
    seconds: f64,
    devices: BTreeMap<String, (u64, Option<f64>)>,
}

fn measure(length: Duration, wanted: &[String]) -> Result<Measured, Stop> {
    let plan = Plan { until: Until::Time(length), profile: Profile::Light, devices: wanted.to_vec() };
    let report = session::measure(&mut Live::new()?, &plan)?;
    let devices = report.devices.into_iter();
    Ok(Measured {
        seconds: report.duration_s,
        devices: devices
            .map(|device| (device.bdf, (device.alloc.count, device.policy.effective_high_ratio)))
            .collect(),
    })
}

impl PolicyList {
    fn new(host: &Host, wanted: &[String], measured: Option<Measured>) -> Self {
        let root = host.root();
        let loaded = module::loaded(&root);
        let shown =
            |device: &&Device| device.bus == "pci" && (wanted.is_empty() || wanted.contains(&device.bdf));
        let entry = |device: &Device| {
            let figures = measured.as_ref().and_then(|measured| measured.devices.get(&device.bdf));
            PolicyEntry {
                device: Target::from(device),
                group: device.group,
                dma_mask_bits: device.dma_mask_bits,
                kernel: device.configured.map(configured_name),
                policy: module::configured(&root, &device.bdf),
                allocations: figures.map(|figures| figures.0),
                effective_high_ratio: figures.and_then(|figures| figures.1),
            }
        };
        Self {
            schema: "iova.policy.show",
            schema_version: 1,
            host: host.figures(),
            module: loaded.is_some(),
            module_version: loaded.and_then(|loaded| loaded.version),
            measured_s: measured.as_ref().map(|measured| measured.seconds),
            devices: host.inventory.devices.iter().filter(shown).map(entry).collect(),
            missing: host.inventory.missing.clone(),
        }
    }
}
