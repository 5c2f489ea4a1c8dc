//! The file in which a host tells what it has seen of its devices' widths: what `iova report --compat` writes, and
//! `iova compat merge` and the distribution's view of `iova advise` read.
//!
//! What may be in it is what these types can hold: numbers, words out of short lists, ids of PCI devices. There is no
//! field for a free text but the product's name, which is only there if the user asked for it. So no address, place on
//! the bus, path, name of a host, user or interface, serial number or command can get in.

mod bounded;
mod collect;
mod file;
mod id;
mod ids;
mod iommu;
mod kernel;
mod proofs;
mod trials;
mod usage;

pub use collect::Sources;
pub use file::{MAX_BYTES, ReportError};
pub use id::SALT_FILE;
pub use ids::{DriverName, HexByte, PciClass, PciId, Product, ReportId};
pub use kernel::{Distribution, KernelName};

use serde::{Deserialize, Serialize};

use crate::inventory::{Configured, DomainType};
use crate::policy::Policy;
use crate::policy::verify::{Basis, Purpose};

/// Name of the format.
pub const SCHEMA: &str = "iova.compat.report";
/// Its version: raised with every change, since a reader refuses what it does not know.
pub const SCHEMA_VERSION: u32 = 1;

/// Most devices in a report.
pub const MAX_DEVICES: usize = 1024;
/// Most bridges above a device.
pub const MAX_PATH: usize = 16;
/// Most verifications of a device.
pub const MAX_PROOFS: usize = 32;
/// Most steps of a verification.
pub const MAX_STEPS: usize = 256;
/// Most policies of a device with trials.
pub const MAX_TRIALS: usize = 64;
/// Most IOMMUs of different kinds or widths.
pub const MAX_IOMMUS: usize = 8;

/// A report file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompatReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The same in all reports of a host, and nothing can be told from it.
    pub id: ReportId,
    /// What runs.
    pub kernel: KernelName,
    /// Kinds of IOMMU with their widths; empty without one.
    #[serde(deserialize_with = "bounded::vec::<_, _, MAX_IOMMUS>")]
    pub iommu: Vec<IommuFacts>,
    /// The machine's product name, only if the user asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// PCI devices behind an IOMMU, by what they are.
    #[serde(deserialize_with = "bounded::vec::<_, _, MAX_DEVICES>")]
    pub devices: Vec<DeviceReport>,
}

/// One kind of IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IommuFacts {
    /// What it is.
    pub kind: IommuKind,
    /// Bits of address that it can translate; `None` if it does not say.
    pub width: Option<u8>,
}

/// Kinds of IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IommuKind {
    /// Intel VT-d.
    IntelVtD,
    /// AMD-Vi.
    AmdVi,
    /// virtio-iommu.
    Virtio,
    /// Arm SMMU, all versions.
    ArmSmmu,
    /// Anything else.
    Other,
}

/// How the IOMMU treats a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Domain {
    /// Translated; unmapped at once.
    Strict,
    /// Translated; unmapped later, many at once.
    Lazy,
    /// Not translated.
    Passthrough,
    /// Something else.
    Other,
}

impl From<DomainType> for Domain {
    fn from(domain: DomainType) -> Self {
        match domain {
            DomainType::Dma => Self::Strict,
            DomainType::DmaFq => Self::Lazy,
            DomainType::Identity => Self::Passthrough,
            DomainType::Other => Self::Other,
        }
    }
}

/// One device on its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceReport {
    /// Vendor and device.
    pub device: PciId,
    /// Those of the subsystem; `None` if it has none.
    pub subsystem: Option<PciId>,
    /// Revision.
    pub revision: Option<HexByte>,
    /// Class.
    pub class: Option<PciClass>,
    /// The bridges above it, from the one it is plugged into to the root; empty on a root bus.
    #[serde(deserialize_with = "bounded::vec::<_, _, MAX_PATH>")]
    pub path: Vec<PciId>,
    /// Its driver, if that is one of the kernel's own.
    pub driver: Option<DriverName>,
    /// Bits of the DMA mask that the driver declared.
    pub mask_bits: Option<u8>,
    /// The same of the coherent mask.
    pub coherent_mask_bits: Option<u8>,
    /// How the IOMMU treats it.
    pub domain: Domain,
    /// Where the kernel was told to put its addresses, whoever told it.
    pub placement: Option<Configured>,
    /// What the module `iova_policy` was told; `None` if it is not loaded.
    pub policy: Option<Policy>,
    /// What was seen while it was in normal use; `None` if nobody looked.
    pub usage: Option<Usage>,
    /// How trials of policies ended, by policy; only those of which the history tells.
    #[serde(default, deserialize_with = "bounded::vec::<_, _, MAX_TRIALS>")]
    pub trials: Vec<Trial>,
    /// What `iova verify` found on this path.
    #[serde(deserialize_with = "bounded::vec::<_, _, MAX_PROOFS>")]
    pub proofs: Vec<Proof>,
}

/// What the history tells about one policy of a device: `iova policy try` and what the module saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The policy.
    pub policy: Policy,
    /// How often it was kept,
    pub kept: u32,
    /// not kept,
    pub reverted: u32,
    /// and taken back by the guard.
    pub quarantined: u32,
    /// The faults that were noted.
    pub faults: Faults,
}

/// A device in normal use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// How long it was watched, ms.
    pub observed_ms: u64,
    /// Allocations of addresses in that time, failed ones included.
    pub allocations: u64,
    /// Bytes that they asked for. How many of them the device moved is not known.
    pub bytes: u64,
    /// Allocations that got an address at or above 4 GiB.
    pub high: u64,
    /// Bits of the widest address in its domain, when that was last looked at; `None` if it could not be.
    pub width: Option<u8>,
    /// Attempts below 4 GiB; `None` if not counted.
    pub low_attempts: Option<u64>,
    /// Of these, the ones that failed: the space there was used up.
    pub low_failed: Option<u64>,
    /// 99 of 100 allocations took at most so long, ns; `None` without enough of them.
    pub alloc_p99_ns: Option<u64>,
    /// Accesses that the IOMMU refused; `None` where that can't be seen.
    pub faults: Option<Faults>,
}

/// Refused accesses by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// All of them.
    pub count: u64,
    /// Of those that were looked at: a live address at or above 4 GiB that had lost its high bits.
    pub truncated: u64,
    /// The same with other high bits.
    pub mangled: u64,
    /// No address that was live explains it.
    pub unrelated: u64,
    /// One of them had the low 32 bits of a live address at or above 4 GiB: truncated or mangled.
    pub low_32_alias: bool,
    /// What the truncated ones say about the width.
    pub passes: Option<Passes>,
}

/// How many bits came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passes {
    /// So many at least,
    pub at_least: u8,
    /// and so many at most.
    pub at_most: u8,
}

/// One verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// What ran then; `None` if it was not noted.
    pub kernel: Option<KernelName>,
    /// What the device did.
    pub work: WorkKind,
    /// Bits that were proved before the first step: it worked with physical addresses.
    pub free_bits: u8,
    /// What was tried, in order.
    #[serde(deserialize_with = "bounded::vec::<_, _, MAX_STEPS>")]
    pub steps: Vec<Step>,
    /// What it came to; `None` if it was ended before.
    pub answer: Option<Answer>,
}

/// What a device did while it was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// A disk, read by two paths and compared.
    Read,
    /// A partition, written with stamps and read back.
    Scratch,
    /// A command, of which the exit code counted.
    Command,
}

/// One step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Address bits.
    pub width: u8,
    /// Why it was made.
    pub purpose: Purpose,
    /// What it came to.
    pub result: StepResult,
    /// Addresses that the device was given.
    pub addresses: u64,
    /// How often the work was done.
    pub runs: u32,
    /// Bytes that were moved and compared; 0 for a command, which keeps that to itself.
    pub bytes: u64,
    /// How long the device worked, ms.
    pub worked_ms: u64,
    /// Accesses that the IOMMU refused.
    pub faults: u32,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// The work came out right, with the addresses asked for.
    Passed,
    /// A fault shows that high bits are lost.
    Truncated,
    /// A fault shows that high bits are changed.
    Mangled,
    /// Something went wrong, and nothing shows that the width is to blame.
    Failed,
    /// Nothing was tried: the device did not get such addresses.
    Unreached,
}

/// What a verification came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// In one word.
    pub verdict: AnswerKind,
    /// So many bits are proved.
    pub bits: u8,
    /// For a limit: so many bits come through at most.
    pub at_most: Option<u8>,
    /// For a limit: how that is known.
    pub basis: Option<Basis>,
    /// Everything that was asked for was tried.
    pub whole: bool,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// Everything that was tried worked.
    Verified,
    /// The path is narrower than the driver thinks.
    Limit,
    /// Nothing more can be said.
    CannotProve,
}

#[cfg(test)]
pub(super) mod tests;
