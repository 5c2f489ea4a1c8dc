//! What can go wrong with the module, each as one sentence that says what to do next.

use std::io;

use crate::policy::Refusal;

/// Why the module did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// It isn't there.
    #[error(
        "the kernel module iova_policy is not loaded, and without it no policy can be changed: sudo modprobe \
         iova_policy; if there is no such module, install iova-policy-dkms or build it (make -C iova-kmod); with Secure \
         Boot it must be signed by an enrolled key (mokutil --import)"
    )]
    NotLoaded,
    /// It is loaded, but its device node is missing.
    #[error("the module iova_policy is loaded, but /dev/iova_policy is missing: mount devtmpfs on /dev")]
    NoNode,
    /// This process may not.
    #[error(
        "changing a policy takes CAP_SYS_ADMIN and CAP_SYS_RAWIO, and this process lacks {lacking}: run as root (sudo \
         iova …)"
    )]
    NotPermitted {
        /// The missing capabilities; both if it can't be told.
        lacking: String,
    },
    /// Somebody else holds a lease of this device, or it is just being bound.
    #[error(
        "the device is busy: another `iova policy try` holds it, or a driver is just being bound; wait for its end, or \
         end it (`iova policy revert`)"
    )]
    Busy,
    /// The module says no.
    #[error("refused ({}): {}", .0, .0.sentence())]
    Refused(Refusal),
    /// It speaks another version of the interface.
    #[error(
        "the loaded module iova_policy and this iova don't fit together ({0}): install both from one release"
    )]
    AbiMismatch(String),
    /// The device was bound anew or changed by somebody else meanwhile.
    #[error(
        "the device has changed since it was looked at (another generation): look again, then decide again"
    )]
    Stale,
    /// No such device.
    #[error("the module knows no PCI device {0}: `iova devices` lists all")]
    NoDevice(String),
    /// The lease is over, and the former policy is back; [`super::Control::status`] has the cause.
    #[error("the trial is over: `iova policy log` says why")]
    NoLease,
    /// Anything else.
    #[error("{what}: {error}; the kernel log (dmesg) may say more")]
    Io {
        /// What was tried.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
}

impl ModuleError {
    pub(super) fn io(what: impl Into<String>, error: io::Error) -> Self {
        Self::Io { what: what.into(), error }
    }

    pub(super) fn not_permitted() -> Self {
        Self::NotPermitted { lacking: super::loaded::lacking() }
    }
}
