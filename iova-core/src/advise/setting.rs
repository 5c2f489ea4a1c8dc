//! What can be set.

use serde::Serialize;

/// One setting, with the value that is advised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Setting {
    /// Leave everything as it is.
    Nothing,
    /// A device's policy, in the words of `iova policy`.
    Policy {
        /// BDF.
        device: String,
        /// "dac:40".
        policy: String,
    },
    /// The largest request of a block device (`queue/max_sectors_kb`).
    MaxSectors {
        /// "nvme0n1".
        disk: String,
        /// KiB.
        kib: u32,
    },
    /// The type of a group's domain (`/sys/kernel/iommu_groups/N/type`).
    DomainType {
        /// BDF of a device of the group: group numbers change from boot to boot.
        device: String,
        /// The group now.
        group: u32,
        /// "DMA-FQ".
        to: &'static str,
    },
    /// A word of the kernel's command line.
    BootOption {
        /// "intel_iommu=forcedac".
        option: &'static str,
    },
    /// A new, empty domain for a group, once: caches and flush queues go with the old one.
    FreshDomain {
        /// BDF.
        device: String,
        /// The group now.
        group: u32,
        /// Driver to unbind and bind; `None` if it has none.
        driver: Option<String>,
    },
}

impl Setting {
    /// The setting in one line, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Nothing => "leave everything as it is".to_owned(),
            Self::Policy { device, policy } => format!("policy {policy} for {device}"),
            Self::MaxSectors { disk, kib } => format!("/sys/block/{disk}/queue/max_sectors_kb = {kib}"),
            Self::DomainType { group, to, .. } => format!("/sys/kernel/iommu_groups/{group}/type = {to}"),
            Self::BootOption { option } => format!("boot with {option}"),
            Self::FreshDomain { device, .. } => format!("a fresh domain for {device}, once"),
        }
    }
}
