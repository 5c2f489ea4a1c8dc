//! The kernel module `iova_policy`: its sysfs groups and its leases.
//!
//! The contract is `iova-kmod/iova_policy.h` for `/dev/iova_policy` ([`Control`]) and
//! `iova-kmod/Documentation/ABI/testing/sysfs-bus-pci-devices-iova_policy` for sysfs ([`DevicePolicy`]).

mod answer;
mod control;
mod error;
mod ioctl;
mod layout;
mod lease;
mod loaded;
mod record;
mod sysfs;

pub use control::Control;
pub use error::ModuleError;
pub use layout::Layout;
pub use lease::{Abort, Drain, Lease, LeaseState, LeaseStatus, Request, Staged, Wakeup};
pub use loaded::{Loaded, loaded};
pub use record::Record;
pub use sysfs::{DevicePolicy, Effective, Origin, State, configured, release, write_cap, write_policy};

/// Where the leases are.
pub const DEVICE_NODE: &str = "dev/iova_policy";

/// What [`Control::info`] tells (INFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Info {
    /// Major and minor version of the ABI.
    pub abi: (u16, u16),
    /// What this build can do on this kernel at all.
    pub features: super::Mechanisms,
    /// Shortest lease, ms.
    pub lease_min_ms: u32,
    /// Longest lease, ms.
    pub lease_max_ms: u32,
    /// Where the module looks for the allocator inside its private cookie, bytes; `None` if it does not.
    pub iovad_offset: Option<u32>,
}
