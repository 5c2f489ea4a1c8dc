//! What goes to `/dev/iova_policy` and what comes back, in our words.

use std::time::Duration;

use iova_common::policy as abi;
use serde::Serialize;

use super::{Info, ModuleError};
use crate::policy::{Bdf, Cause, Evidence, Mechanisms, Policy};

/// What [`super::Control::stage`] and [`super::Control::dry_run`] ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The device.
    pub bdf: Bdf,
    /// The generation at which it was looked at; `None`: any.
    pub generation: Option<u32>,
    /// The policy.
    pub policy: Policy,
    /// `dac:N`: highest low 32 bits of an address, so that one that lost its high bits hits nothing; `None`: from the
    /// top of the width down (`IOVA_POLICY_F_WHOLE`).
    pub window: Option<u32>,
    /// Drain the domain's caches too.
    pub flush: bool,
}

/// What the module did, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Staged {
    /// Highest address that can come, inclusive.
    pub limit: u64,
    /// By which means.
    pub mechanisms: Mechanisms,
    /// Bytes of low space that are held (fill).
    pub held_bytes: u64,
    /// The device's generation; after a dry run the one that was asked for, 0 if any.
    pub generation: u32,
}

/// A change on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) cookie: u64,
    /// The device.
    pub bdf: Bdf,
    /// What the module did.
    pub staged: Staged,
}

/// Where a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It runs for this much longer.
    Open(Duration),
    /// It was confirmed.
    Kept,
    /// It is over, and the former policy is back.
    Ended(Cause),
}

/// A lease's state and its device's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Where it stands.
    pub state: LeaseState,
    /// Generation of the device now.
    pub generation: u32,
}

/// How [`super::Control::abort`] ends a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// The user does not want it.
    GiveUp,
    /// A fault or a PCIe error of the device: no dac from now on.
    Quarantine {
        /// [`Cause::Fault`] or [`Cause::Aer`].
        cause: Cause,
        /// What was seen.
        evidence: Evidence,
    },
}

/// What [`super::Control::flush`] drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The per-CPU caches and the depot.
    pub caches: bool,
    /// The flush queue.
    pub queue: bool,
}

impl Drain {
    /// Both.
    pub const ALL: Self = Self { caches: true, queue: true };
}

/// What [`super::Control::wait`] woke up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wakeup {
    /// There are new records.
    pub records: bool,
    /// One of the leases of this file is over.
    pub lease_ended: bool,
}

impl Request {
    /// As the interface has it.
    pub(super) fn to_abi(self, flags: u32, lease_ms: u32) -> abi::Stage {
        let flush = if self.flush { abi::stage_flag::FLUSH } else { 0 };
        let is_dac = matches!(self.policy, Policy::Dac(_));
        let whole = if is_dac && self.window.is_none() { abi::stage_flag::WHOLE } else { 0 };
        abi::Stage {
            flags: flags | flush | whole,
            bdf: self.bdf.raw(),
            generation: self.generation.unwrap_or(0),
            kind: self.policy.kind(),
            width: u32::from(self.policy.width().unwrap_or(0)),
            window: self.window.filter(|_| is_dac).unwrap_or(0),
            lease_ms,
            ..abi::Stage::default()
        }
    }
}

impl Lease {
    pub(super) fn new(bdf: Bdf, raw: &abi::Stage) -> Self {
        Self {
            cookie: raw.cookie,
            bdf,
            staged: Staged {
                limit: raw.limit,
                mechanisms: Mechanisms::from_bits(raw.mechanisms),
                held_bytes: raw.held,
                generation: raw.generation,
            },
        }
    }

    pub(super) fn to_abi(self) -> abi::Lease {
        abi::Lease { cookie: self.cookie, ..abi::Lease::default() }
    }
}

impl LeaseStatus {
    pub(super) fn new(raw: &abi::Lease) -> Self {
        let state = match raw.state {
            abi::lease_state::OPEN => LeaseState::Open(Duration::from_millis(raw.lease_ms.into())),
            abi::lease_state::KEPT => LeaseState::Kept,
            _ => LeaseState::Ended(Cause::from_number(raw.cause)),
        };
        Self { state, generation: raw.generation }
    }
}

impl Info {
    /// # Errors
    /// `AbiMismatch`.
    pub(super) fn new(raw: &abi::Info) -> Result<Self, ModuleError> {
        let mismatch = |why: String| Err(ModuleError::AbiMismatch(why));
        if raw.abi_major != abi::ABI_MAJOR {
            return mismatch(format!("ABI {}.{}, wanted {}", raw.abi_major, raw.abi_minor, abi::ABI_MAJOR));
        }
        // Later minor versions only append.
        if (raw.record_size as usize) < size_of::<abi::Record>() || raw.record_size > 1 << 16 {
            return mismatch(format!("records of {} bytes", raw.record_size));
        }
        Ok(Self {
            abi: (raw.abi_major, raw.abi_minor),
            features: Mechanisms::from_bits(raw.features),
            lease_min_ms: raw.lease_min_ms,
            lease_max_ms: raw.lease_max_ms,
            iovad_offset: u32::try_from(raw.iovad_offset).ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(policy: Policy, window: Option<u32>) -> abi::Stage {
        let bdf = Bdf::from_raw(0x20);
        Request { bdf, generation: Some(7), policy, window, flush: true }.to_abi(0, 1000)
    }

    #[test]
    fn requests() {
        let dac = request(Policy::Dac(40), Some(0x3fff_ffff));
        assert_eq!((dac.kind, dac.width, dac.window), (abi::kind::DAC, 40, 0x3fff_ffff));
        assert_eq!(
            (dac.bdf, dac.generation, dac.lease_ms, dac.flags),
            (0x20, 7, 1000, abi::stage_flag::FLUSH)
        );
        let whole = request(Policy::Dac(40), None);
        assert_eq!((whole.window, whole.flags), (0, abi::stage_flag::FLUSH | abi::stage_flag::WHOLE));
        // The module refuses a window where there is none.
        let cap = request(Policy::Cap(40), Some(0x3fff_ffff));
        assert_eq!((cap.window, cap.flags), (0, abi::stage_flag::FLUSH));
    }

    #[test]
    fn versions() {
        let raw = abi::Info {
            abi_major: 2,
            abi_minor: 3,
            iovad_offset: -1,
            record_size: 128,
            ..abi::Info::default()
        };
        let info = Info::new(&raw).unwrap();
        assert_eq!((info.abi, info.iovad_offset), ((2, 3), None));
        for bad in [abi::Info { abi_major: 1, ..raw }, abi::Info { record_size: 64, ..raw }] {
            assert!(matches!(Info::new(&bad), Err(ModuleError::AbiMismatch(_))));
        }
    }

    #[test]
    fn states() {
        let state = |state, cause| {
            LeaseStatus::new(&abi::Lease { state, cause, lease_ms: 9, ..abi::Lease::default() }).state
        };
        assert_eq!(state(abi::lease_state::OPEN, 0), LeaseState::Open(Duration::from_millis(9)));
        assert_eq!(state(abi::lease_state::KEPT, 0), LeaseState::Kept);
        assert_eq!(state(abi::lease_state::ENDED, abi::cause::FAULT), LeaseState::Ended(Cause::Fault));
    }
}
