//! The group `iova_policy/` of a PCI device in sysfs.

use std::io::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ModuleError, loaded};
use crate::kernel::Root;
use crate::kernel::root::parse_number;
use crate::policy::{Cause, Mechanisms, Policy, Refusal};

/// What the module says about one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePolicy {
    /// The configured policy.
    pub policy: Policy,
    /// The protective cap, bits.
    pub cap: Option<u8>,
    /// What the device's fields say now.
    pub effective: Effective,
    /// Where it stands.
    pub state: State,
    /// Who set it.
    pub origin: Origin,
    /// What can be used for this device now.
    pub mechanisms: Mechanisms,
    /// Grows at each change and each bind.
    pub generation: u32,
    /// Bytes of low space held by the module.
    pub held_bytes: u64,
}

/// `effective`: read back from the device's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", content = "bits", rename_all = "kebab-case")]
pub enum Effective {
    /// Below 4 GiB first, then up to this many bits.
    SacFirst(u8),
    /// Anywhere up to this many bits.
    FullRange(u8),
    /// Below 4 GiB only.
    Low(u8),
    /// Nothing is allocated, or a later module's word.
    Unknown,
}

/// `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum State {
    /// Stock.
    Idle,
    /// In force.
    Active,
    /// Takes effect when a driver is bound.
    Pending,
    /// On trial.
    Leased {
        /// What is left of it, ms.
        left_ms: u64,
    },
    /// A fault was seen; no dac any more.
    Quarantined {
        /// Fault or AER.
        cause: Option<Cause>,
        /// The address that faulted; an AER error has none.
        address: Option<u64>,
        /// `IOVA_POLICY_REL_*`, its bare word: nobody compared, unrelated, truncated, mangled.
        relation: Option<QuarantineRelation>,
    },
    /// The last wish was refused.
    Refused {
        /// Why.
        reason: Refusal,
    },
    /// A later module's word.
    Unknown,
}

/// `fault_relation`; the whole [`crate::policy::Evidence`] is in the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuarantineRelation {
    /// Nobody compared.
    Unknown,
    /// Unrelated.
    Unrelated,
    /// Truncated.
    Truncated,
    /// Mangled.
    Mangled,
}

/// `origin`: who set the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Origin {
    /// Nobody: what the kernel does.
    Kernel,
    /// A write to sysfs.
    Sysfs {
        /// The process, as `COMM[PID] UID`.
        process: String,
    },
    /// A lease.
    Lease {
        /// The process, as `COMM[PID] UID`.
        process: String,
    },
    /// A later module's word.
    Unknown,
}

impl State {
    /// The word of sysfs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Leased { .. } => "leased",
            Self::Quarantined { .. } => "quarantined",
            Self::Refused { .. } => "refused",
            Self::Unknown => "unknown",
        }
    }
}

fn group(bdf: &str, file: &str) -> String {
    format!("sys/bus/pci/devices/{bdf}/iova_policy/{file}")
}

/// Readings of one device before a change between its files is put up with.
const ATTEMPTS: u32 = 4;

/// What the module says about a device; `None` if it is not loaded, or the device is none of its.
///
/// Each file has one value. `generation` grows with every change of a policy or a lease, so that values before one are not mixed with
/// values after it. A refusal leaves it as it is: a reason that has gone meanwhile makes the state unknown.
pub fn configured(root: &Root, bdf: &str) -> Option<DevicePolicy> {
    let mut read = read(root, bdf)?;
    for _ in 1..ATTEMPTS {
        if read.generation == generation(root, bdf) {
            break;
        }
        read = self::read(root, bdf)?;
    }
    Some(read)
}

fn read(root: &Root, bdf: &str) -> Option<DevicePolicy> {
    let text = |file| root.text(group(bdf, file));
    Some(DevicePolicy {
        generation: generation(root, bdf),
        policy: text("policy")?.parse().ok()?,
        cap: text("cap").and_then(|cap| cap.parse().ok()).filter(|&cap| cap != 0),
        effective: text("effective").map_or(Effective::Unknown, |text| effective(&text)),
        state: state(root, bdf),
        origin: origin(root, bdf),
        mechanisms: Mechanisms::from_str(&text("mechanisms").unwrap_or_default()).unwrap_or_default(),
        held_bytes: text("held").and_then(|text| text.parse().ok()).unwrap_or(0),
    })
}

fn generation(root: &Root, bdf: &str) -> u32 {
    root.text(group(bdf, "generation")).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn effective(text: &str) -> Effective {
    let Some((order, bits)) = text.split_once(':') else { return Effective::Unknown };
    match (order, bits.parse()) {
        ("sac-first", Ok(bits)) => Effective::SacFirst(bits),
        ("full-range", Ok(bits)) => Effective::FullRange(bits),
        ("low", Ok(bits)) => Effective::Low(bits),
        _ => Effective::Unknown,
    }
}

/// `state`, and the files that belong to it.
fn state(root: &Root, bdf: &str) -> State {
    let text = |file| root.text(group(bdf, file));
    match text("state").as_deref() {
        Some("idle") => State::Idle,
        Some("active") => State::Active,
        Some("pending") => State::Pending,
        Some("leased") => {
            State::Leased { left_ms: text("lease_ms").and_then(|ms| ms.parse().ok()).unwrap_or(0) }
        }
        Some("quarantined") => State::Quarantined {
            cause: text("reason").and_then(|cause| cause.parse().ok()),
            address: text("fault_address").as_deref().and_then(parse_number),
            relation: text("fault_relation").as_deref().and_then(relation),
        },
        Some("refused") => text("reason")
            .and_then(|word| word.parse().ok())
            .map_or(State::Unknown, |reason| State::Refused { reason }),
        _ => State::Unknown,
    }
}

fn relation(word: &str) -> Option<QuarantineRelation> {
    match word {
        "unknown" => Some(QuarantineRelation::Unknown),
        "unrelated" => Some(QuarantineRelation::Unrelated),
        "truncated" => Some(QuarantineRelation::Truncated),
        "mangled" => Some(QuarantineRelation::Mangled),
        _ => None,
    }
}

/// `origin`, and the files that belong to it.
fn origin(root: &Root, bdf: &str) -> Origin {
    let text = |file| root.text(group(bdf, file)).unwrap_or_default();
    let process = || format!("{}[{}] {}", text("origin_comm"), text("origin_pid"), text("origin_uid"));
    match text("origin").as_str() {
        "kernel" => Origin::Kernel,
        "sysfs" => Origin::Sysfs { process: process() },
        "lease" => Origin::Lease { process: process() },
        _ => Origin::Unknown,
    }
}

/// Sets a policy without a lease: at once if a driver is bound, and at every later bind.
///
/// # Errors
/// `NotLoaded`, `NoDevice`, `NotPermitted`, `Busy` (leased), `Refused` with the reason, `Io`.
pub fn write_policy(root: &Root, bdf: &str, policy: Policy) -> Result<(), ModuleError> {
    write(root, bdf, "policy", &policy.to_string())
}

/// Lowers the protective cap, 32 to 63 bits; it can't be raised before the next boot.
///
/// # Errors
/// As [`write_policy`]; raising it is `Refused(Capped)`.
pub fn write_cap(root: &Root, bdf: &str, bits: u8) -> Result<(), ModuleError> {
    write(root, bdf, "cap", &bits.to_string())
}

/// Lifts a quarantine, or clears a refusal.
///
/// # Errors
/// `NotLoaded`, `NoDevice`, `NotPermitted`, `Busy`, `Io`.
pub fn release(root: &Root, bdf: &str) -> Result<(), ModuleError> {
    write(root, bdf, "state", "idle")
}

fn write(root: &Root, bdf: &str, file: &str, word: &str) -> Result<(), ModuleError> {
    let path = root.path(group(bdf, file));
    // Without O_CREAT: where the file is missing, there is nothing to write to.
    let opened = std::fs::OpenOptions::new().write(true).open(path);
    let result = opened.and_then(|mut attribute| attribute.write_all(word.as_bytes()));
    result.map_err(|error| write_error(root, bdf, file, error))
}

fn write_error(root: &Root, bdf: &str, file: &str, error: io::Error) -> ModuleError {
    let reason = || match configured(root, bdf)?.state {
        State::Refused { reason } => Some(reason),
        State::Quarantined { .. } => Some(Refusal::Quarantined),
        _ => None,
    };
    match error.raw_os_error() {
        Some(libc::ENOENT) if loaded(root).is_none() => ModuleError::NotLoaded,
        Some(libc::ENOENT | libc::ENODEV) => ModuleError::NoDevice(bdf.to_owned()),
        Some(libc::EACCES) => ModuleError::not_permitted(),
        Some(libc::EBUSY) => ModuleError::Busy,
        Some(libc::EPERM) if !super::loaded::lacking_capabilities().is_empty() => {
            ModuleError::not_permitted()
        }
        Some(libc::EPERM) if file == "cap" => ModuleError::Refused(Refusal::Capped),
        Some(libc::EPERM) => reason().map_or_else(ModuleError::not_permitted, ModuleError::Refused),
        Some(libc::ERANGE) => ModuleError::Refused(reason().unwrap_or(Refusal::Width)),
        Some(libc::EOPNOTSUPP) => ModuleError::Refused(reason().unwrap_or(Refusal::NoMechanism)),
        _ => ModuleError::io(format!("writing {file} of {bdf}"), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testdir::TestDir;

    const DEVICE: &str = "0000:00:04.0";

    fn reads(files: &[(&str, &str)]) -> DevicePolicy {
        let dir = TestDir::new("sysfs");
        dir.file(&group(DEVICE, "policy"), "stock\n");
        for (name, value) in files {
            dir.file(&group(DEVICE, name), &format!("{value}\n"));
        }
        configured(&dir.root(), DEVICE).unwrap()
    }

    #[test]
    fn states() {
        let state = |files: &[_]| reads(files).state;
        assert_eq!(state(&[("state", "leased"), ("lease_ms", "59000")]), State::Leased { left_ms: 59_000 });
        assert_eq!(
            state(&[("state", "refused"), ("reason", "shared-group")]),
            State::Refused { reason: Refusal::SharedGroup }
        );
        let fault = State::Quarantined {
            cause: Some(Cause::Fault),
            address: Some(0x7fff_f000),
            relation: Some(QuarantineRelation::Truncated),
        };
        let files = [("reason", "fault"), ("fault_address", "0x7ffff000"), ("fault_relation", "truncated")];
        assert_eq!(state(&[&[("state", "quarantined")], &files[..]].concat()), fault);
        let aer = State::Quarantined { cause: Some(Cause::Aer), address: None, relation: None };
        assert_eq!(state(&[("state", "quarantined"), ("reason", "aer")]), aer, "an AER error has no address");
        assert_eq!((state(&[]), state(&[("state", "idle")])), (State::Unknown, State::Idle));
        assert_eq!(state(&[("state", "refused"), ("reason", "x")]), State::Unknown);
    }

    #[test]
    fn effective_and_origin() {
        assert_eq!(effective("sac-first:48"), Effective::SacFirst(48));
        assert_eq!((effective("low:32"), effective("none")), (Effective::Low(32), Effective::Unknown));
        assert_eq!(reads(&[("origin", "kernel")]).origin, Origin::Kernel);
        let by = [("origin", "lease"), ("origin_comm", "iova"), ("origin_pid", "12"), ("origin_uid", "0")];
        assert_eq!(reads(&by).origin, Origin::Lease { process: "iova[12] 0".to_owned() });
    }

    #[test]
    fn a_device_without_the_module() {
        let root = Root::at("/nonexistent");
        assert_eq!(configured(&root, "0000:00:04.0"), None);
        let error = write_policy(&root, "0000:00:04.0", Policy::Stock).unwrap_err();
        assert!(matches!(error, ModuleError::NotLoaded), "{error}");
    }
}
