//! Records of changes, as `read()` gives them.

use iova_common::policy as abi;

use crate::kernel::root::clean;
use crate::policy::{Bdf, Cause, Evidence, Mechanisms, Policy, Refusal};

/// One change or refusal, from the module's ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Number since the module was loaded; a gap is what was overwritten.
    pub seq: u64,
    /// CLOCK_REALTIME, ns.
    pub time_ns: u64,
    /// The device.
    pub bdf: Bdf,
    /// Its vendor and device id.
    pub id: (u16, u16),
    /// Its generation after the change.
    pub generation: u32,
    /// Why.
    pub cause: Cause,
    /// Before; `None` if this version of iova does not know it.
    pub old: Option<Policy>,
    /// After (or asked for, if refused).
    pub new: Option<Policy>,
    /// Why not, if refused.
    pub refusal: Option<Refusal>,
    /// By which means.
    pub mechanisms: Mechanisms,
    /// Who logged in, if anybody.
    pub loginuid: Option<u32>,
    /// Effective user.
    pub uid: u32,
    /// Process.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// What was seen.
    pub evidence: Option<Evidence>,
}

impl Record {
    pub(super) fn new(raw: &abi::Record) -> Self {
        let name = raw.comm.split(|&byte| byte == 0).next().unwrap_or_default();
        Self {
            seq: raw.seq,
            time_ns: raw.time_ns,
            bdf: Bdf::from_raw(raw.bdf),
            id: (raw.vendor, raw.device),
            generation: raw.generation,
            cause: Cause::from_number(raw.cause),
            old: Policy::from_numbers(raw.old_kind.into(), raw.old_width.into()),
            new: Policy::from_numbers(raw.new_kind.into(), raw.new_width.into()),
            refusal: Refusal::from_number(raw.refusal),
            mechanisms: Mechanisms::from_bits(raw.mechanisms),
            loginuid: (raw.loginuid != u32::MAX).then_some(raw.loginuid),
            uid: raw.uid,
            pid: raw.pid,
            comm: clean(name),
            evidence: Evidence::from_abi(&raw.evidence),
        }
    }
}
