//! `iova compat check`: what the list says about this host.

use crate::args::compat::CheckArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::compat::{self, Checked, List, Origin, build};
use iova_core::inventory::Inventory;
use iova_core::kernel::Root;
use serde::Serialize;

/// The JSON document.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ListCheck {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) kernel: String,
    /// Records of the list, and the administrator's.
    pub(crate) records: usize,
    pub(crate) local_records: usize,
    pub(crate) devices: Vec<CheckedDevice>,
}

/// One device.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckedDevice {
    pub(crate) name: String,
    /// A cap that neither this kernel nor the module keeps.
    pub(crate) open: bool,
    #[serde(flatten)]
    pub(crate) checked: Checked,
}

pub(super) fn run(args: &CheckArgs, term: Term) -> Result<Exit, Stop> {
    let root = Root::default();
    let local = List::local(&root).map_err(|complaints| super::unusable(&complaints))?;
    let list = super::list(args.list.as_deref())?.with_local(local);
    let Some(format) = args.format.plain() else { return for_rules(&root, &list, args) };
    let inventory = Inventory::collect_from(&root, None);
    let checked = select(compat::check(&root, &list), &inventory, &args.devices)?;
    let check = ListCheck::new(&list, &inventory, checked);
    output::print(&renderer(format, term).list_check(&check)?)?;
    Ok(if check.devices.iter().any(|device| device.open) { Exit::No } else { Exit::Done })
}

/// Nothing but what is asked for: udev waits for it.
fn for_rules(root: &Root, list: &List, args: &CheckArgs) -> Result<Exit, Stop> {
    let [bdf] = args.devices.as_slice() else {
        return Err(Stop::unusable("--format udev is about one device: give its PCI address"));
    };
    let word = compat::check_one(root, list, bdf).ok_or_else(|| {
        Stop::unusable(format!("{bdf} is no PCI device here: give an address as in /sys/bus/pci/devices"))
    })?;
    output::print(&build::properties(&word))?;
    Ok(Exit::Done)
}

/// The devices that `words` name, behind an IOMMU or not; all for no words.
fn select(all: Vec<Checked>, inventory: &Inventory, words: &[String]) -> Result<Vec<Checked>, Stop> {
    if words.is_empty() {
        return Ok(all);
    }
    let mut wanted: Vec<String> = Vec::new();
    for word in words {
        let named = |device: &&Checked| {
            let short = device.bdf.strip_prefix("0000:").unwrap_or(&device.bdf);
            [&device.bdf, short, &device.id].iter().any(|name| name.eq_ignore_ascii_case(word))
        };
        let direct: Vec<_> = all.iter().filter(named).map(|device| device.bdf.clone()).collect();
        if direct.is_empty() {
            let found = inventory.find(word).map_err(Stop::unusable)?;
            wanted.extend(found.into_iter().map(|device| device.bdf.clone()));
        }
        wanted.extend(direct);
    }
    Ok(all.into_iter().filter(|device| wanted.contains(&device.bdf)).collect())
}

impl ListCheck {
    fn new(list: &List, inventory: &Inventory, checked: Vec<Checked>) -> Self {
        let local = list.entries.iter().filter(|entry| entry.origin == Origin::Local).count();
        let device = |checked: Checked| CheckedDevice {
            name: name(inventory, &checked),
            open: checked.is_open(),
            checked,
        };
        Self {
            schema: "iova.compat.check",
            schema_version: 1,
            kernel: inventory.host.kernel.clone(),
            records: list.entries.len() - local,
            local_records: local,
            devices: checked.into_iter().map(device).collect(),
        }
    }
}

/// From pci.ids for devices behind an IOMMU, else what the list calls it.
fn name(inventory: &Inventory, checked: &Checked) -> String {
    let known = inventory.devices.iter().find(|device| device.bdf == checked.bdf);
    let listed = || checked.list.entries.first().map(|entry| entry.name.clone());
    known.map(|device| device.name.clone()).or_else(listed).unwrap_or_else(|| checked.id.clone())
}
