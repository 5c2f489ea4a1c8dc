//! One line of the history.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::kernel::Root;
use crate::policy::module::Record;
use crate::policy::{Bdf, Cause, Evidence, Mechanisms, Policy, Refusal, Who};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// CLOCK_REALTIME, ns since 1970.
    pub time_ns: u64,
    /// `boot_id` of the boot it happened in.
    pub boot: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Who tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum What {
    /// The module: a change or a refusal.
    Kernel(KernelEntry),
    /// The tool: what a person did with it.
    Tool(ToolEntry),
    /// Records that the module had overwritten before they were read.
    Gap(GapEntry),
}

/// A record of the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelEntry {
    /// Number since the module was loaded.
    pub seq: u64,
    /// The device.
    pub device: Bdf,
    /// `vendor:device`.
    pub id: String,
    /// Why.
    pub cause: Cause,
    /// Before.
    pub old: Option<Policy>,
    /// After, or asked for.
    pub new: Option<Policy>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// By which means.
    #[serde(default)]
    pub mechanisms: Mechanisms,
    /// Generation of the device after it.
    pub generation: u32,
    /// Who logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loginuid: Option<u32>,
    /// Effective user.
    pub uid: u32,
    /// Process.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What a person did with the tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolEntry {
    /// What it was.
    pub action: Action,
    /// The device.
    pub device: Bdf,
    /// What the device is.
    pub identity: Identity,
    /// The policy it is about.
    pub policy: Policy,
    /// Who.
    pub who: Who,
    /// Why, in the person's words, or why the tool did it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Figures before, by metric name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, f64>,
    /// Figures after.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub after: BTreeMap<String, f64>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What the tool was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A trial began.
    Try,
    /// It was confirmed: the one that [`crate::policy::persist`] asks for.
    Confirm,
    /// It was not confirmed, or the policy was taken back.
    Revert,
    /// The guard took it back and put the device into quarantine.
    Quarantine,
    /// Set without a trial.
    Set,
    /// To be applied at boot from now on.
    Persist,
    /// Not any more.
    Forget,
    /// Applied at boot.
    Restore,
    /// Not applied at boot; the reason says why.
    Skip,
    /// A quarantine was lifted.
    Release,
}

/// Records `from_seq..=to_seq` are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapEntry {
    /// First.
    pub from_seq: u64,
    /// Last.
    pub to_seq: u64,
}

/// What a device is, wherever it is plugged: vendor, device, and those of the subsystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Vendor and device id.
    pub id: (u16, u16),
    /// Those of the subsystem.
    pub subsystem: (u16, u16),
}

impl Identity {
    /// Of a PCI device; `None` if it is gone or none.
    pub fn read(root: &Root, device: &str) -> Option<Self> {
        let id = |file| {
            let number = root.number(format!("sys/bus/pci/devices/{device}/{file}"))?;
            u16::try_from(number).ok()
        };
        Some(Self {
            id: (id("vendor")?, id("device")?),
            // Bridges have none.
            subsystem: (
                id("subsystem_vendor").unwrap_or_default(),
                id("subsystem_device").unwrap_or_default(),
            ),
        })
    }

    /// `1b36:0010`.
    pub fn id_text(&self) -> String {
        format!("{:04x}:{:04x}", self.id.0, self.id.1)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:04x}:{:04x}", self.id_text(), self.subsystem.0, self.subsystem.1)
    }
}

/// Not `vendor:device:subvendor:subdevice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not vendor:device:subvendor:subdevice in hexadecimal")]
pub struct BadIdentity;

impl FromStr for Identity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let mut parts = text.split(':');
        let mut next = || {
            let part = parts.next().filter(|part| part.len() == 4).ok_or(BadIdentity)?;
            u16::from_str_radix(part, 16).map_err(|_| BadIdentity)
        };
        let identity = Self { id: (next()?, next()?), subsystem: (next()?, next()?) };
        parts.next().is_none().then_some(identity).ok_or(BadIdentity)
    }
}

crate::policy::words::as_word!(Identity);

impl Entry {
    /// The tool's entry, now, in this boot.
    pub fn now(root: &Root, entry: ToolEntry) -> Self {
        Self { time_ns: now_ns(), boot: boot_id(root), what: What::Tool(entry) }
    }

    pub(super) fn of_record(boot: &str, record: &Record) -> Self {
        let what = KernelEntry {
            seq: record.seq,
            device: record.bdf,
            id: format!("{:04x}:{:04x}", record.id.0, record.id.1),
            cause: record.cause,
            old: record.old,
            new: record.new,
            refusal: record.refusal,
            mechanisms: record.mechanisms,
            generation: record.generation,
            loginuid: record.loginuid,
            uid: record.uid,
            pid: record.pid,
            comm: record.comm.clone(),
            evidence: record.evidence,
        };
        Self { time_ns: record.time_ns, boot: boot.to_owned(), what: What::Kernel(what) }
    }

    /// The device it is about; `None` for a gap.
    pub fn device(&self) -> Option<Bdf> {
        match &self.what {
            What::Kernel(entry) => Some(entry.device),
            What::Tool(entry) => Some(entry.device),
            What::Gap(_) => None,
        }
    }
}

impl ToolEntry {
    /// An entry by this process, without reason and figures.
    pub fn new(root: &Root, action: Action, device: Bdf, identity: Identity, policy: Policy) -> Self {
        Self {
            action,
            device,
            identity,
            policy,
            who: Who::current(root),
            reason: None,
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            evidence: None,
        }
    }
}

pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Which boot this is: `seq` starts anew with each.
pub(in crate::policy) fn boot_id(root: &Root) -> String {
    root.text("proc/sys/kernel/random/boot_id").unwrap_or_default()
}
