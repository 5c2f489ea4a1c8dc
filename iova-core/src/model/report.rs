//! The whole report: what every face prints.

use super::device::Device;
use super::domain::Domain;
use super::quality::Quality;
use crate::finding::Finding;
use crate::inventory::{DomainType, Inventory};
use crate::kernel::Kernel;
use serde::{Deserialize, Serialize};

/// Name of the JSON schema.
pub const SCHEMA: &str = "iova.report";
/// Its version: raised when a name changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// What decides on this kernel whether a device may skip the attempt below 4 GiB. Told apart by what the kernel has
/// (BTF members, symbols), never by its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SacControl {
    /// `dev_iommu.pci_32bit_workaround`: cleared for good at the first failed attempt (6.6 and later).
    DeviceFlag,
    /// The global `iommu_dma_forcedac`, read at every allocation: no fallback, each allocation tries low first.
    Global,
    /// Only VT-d's own `dmar_forcedac` (5.10): boot option `intel_iommu=forcedac`.
    IntelGlobal,
    /// Nothing: each allocation tries low first, and no option changes it (5.10, AMD-Vi).
    Fixed,
    /// Could not be found out.
    #[default]
    Unknown,
}

impl SacControl {
    /// What `kernel` has, on a host with the IOMMU of `inventory`.
    pub fn of(kernel: &Kernel, inventory: &Inventory) -> Self {
        let vtd = inventory.host.iommu.iter().any(|name| name.contains("VT-d"));
        if kernel.btf.member("dev_iommu.pci_32bit_workaround").is_some() {
            Self::DeviceFlag
        } else if kernel.symbols.exists("iommu_dma_forcedac") {
            Self::Global
        } else if vtd && kernel.symbols.exists("dmar_forcedac") {
            Self::IntelGlobal
        } else {
            Self::Fixed
        }
    }

    /// True if a device that fails once below 4 GiB stays above it from then on.
    pub fn falls_back_for_good(self) -> bool {
        self == Self::DeviceFlag
    }

    /// The boot option that skips the attempt below 4 GiB for every PCI device.
    pub fn boot_option(self) -> Option<&'static str> {
        match self {
            Self::DeviceFlag | Self::Global => Some("iommu.forcedac=1"),
            Self::IntelGlobal => Some("intel_iommu=forcedac"),
            Self::Fixed | Self::Unknown => None,
        }
    }
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFigures {
    /// Host name.
    pub name: String,
    /// `uname -r`.
    pub kernel: String,
    /// Architecture.
    pub arch: String,
    /// IOMMUs, or `None`.
    pub iommu: Option<String>,
    /// Default domain type if all devices agree, "mixed" if not, `None` without devices.
    pub domain_type: Option<String>,
    /// Online CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// Words of the kernel command line that concern the IOMMU.
    pub cmdline: Vec<String>,
    /// What decides where addresses go.
    pub sac_control: SacControl,
}

impl HostFigures {
    /// The machine as the inventory knows it.
    pub fn new(inventory: &Inventory, sac_control: SacControl) -> Self {
        let host = &inventory.host;
        Self {
            name: host.name.clone(),
            kernel: host.kernel.clone(),
            arch: host.arch.clone(),
            iommu: (!host.iommu.is_empty()).then(|| host.iommu.join(", ")),
            domain_type: common_type(inventory),
            cpus: host.cpus,
            memory_bytes: host.memory_bytes,
            cmdline: host.cmdline.clone(),
            sac_control,
        }
    }
}

/// The name of a domain type, as in sysfs.
pub fn type_name(domain_type: DomainType) -> &'static str {
    match domain_type {
        DomainType::Dma => "DMA",
        DomainType::DmaFq => "DMA-FQ",
        DomainType::Identity => "identity",
        DomainType::Other => "other",
    }
}

fn common_type(inventory: &Inventory) -> Option<String> {
    let first = inventory.devices.first()?.domain_type;
    let same = inventory.devices.iter().all(|device| device.domain_type == first);
    Some(if same { type_name(first) } else { "mixed" }.to_owned())
}

/// The command that was measured (`iova report -- CMD`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// Its exit code; `None` if a signal ended it or it was still running.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// What the model knows about an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Length of the interval, s.
    pub duration_s: f64,
    /// Data quality.
    pub quality: Quality,
    /// Devices, busiest first.
    pub devices: Vec<Device>,
    /// Domains, in the order of their first device.
    pub domains: Vec<Domain>,
}

impl Figures {
    /// Keeps the devices with these BDFs, and their domains.
    pub fn keep(&mut self, bdfs: &[String]) {
        self.devices.retain(|device| bdfs.contains(&device.bdf));
        self.domains.retain(|domain| domain.devices.iter().any(|bdf| bdfs.contains(bdf)));
    }
}

/// A report: the JSON document of `iova report --format json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The machine.
    pub host: HostFigures,
    /// Length of the interval, s.
    pub duration_s: f64,
    /// Profile of the probes.
    pub profile: String,
    /// True if a signal ended the measurement early.
    pub interrupted: bool,
    /// The measured command.
    pub command: Option<Command>,
    /// Data quality.
    pub quality: Quality,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// Devices, busiest first.
    pub devices: Vec<Device>,
    /// IOVA domains.
    pub domains: Vec<Domain>,
}

impl Report {
    /// A report of `figures`, with its findings.
    pub fn new(host: HostFigures, profile: String, figures: Figures) -> Self {
        let mut report = Self::without_findings(host, profile, figures);
        report.findings = crate::finding::check(&report);
        report
    }

    /// A report of an interval too short for a verdict.
    pub(super) fn without_findings(host: HostFigures, profile: String, figures: Figures) -> Self {
        let Figures { duration_s, quality, devices, domains } = figures;
        Self {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            host,
            duration_s,
            profile,
            interrupted: false,
            command: None,
            quality,
            findings: Vec::new(),
            devices,
            domains,
        }
    }

    /// The domain of `device`.
    pub fn domain_of(&self, device: &Device) -> Option<&Domain> {
        let iovad = device.iovad?;
        self.domains.iter().find(|domain| domain.iovad == iovad)
    }

    /// The devices of `domain`.
    pub fn devices_of(&self, domain: &Domain) -> impl Iterator<Item = &Device> {
        let iovad = domain.iovad;
        let members = self.devices.iter().filter(move |device| device.iovad == Some(iovad));
        // Among many devices, the search ends at the last of them.
        members.take(domain.devices.len())
    }
}
