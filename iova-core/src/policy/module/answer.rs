//! What the kernel's error numbers mean, call by call.

use std::io;

use super::{ModuleError, Request, loaded};
use crate::kernel::Root;
use crate::policy::{Bdf, Refusal};

pub(super) fn open(root: &Root, error: io::Error) -> ModuleError {
    match (error.kind(), loaded(root)) {
        (io::ErrorKind::PermissionDenied, _) => ModuleError::not_permitted(),
        (io::ErrorKind::NotFound, None) => ModuleError::NotLoaded,
        (io::ErrorKind::NotFound, Some(_)) => ModuleError::NoNode,
        // The node outlived its module.
        _ if error.raw_os_error() == Some(libc::ENXIO) || error.raw_os_error() == Some(libc::ENODEV) => {
            ModuleError::NotLoaded
        }
        _ => ModuleError::io("opening /dev/iova_policy", error),
    }
}

pub(super) fn info(error: io::Error) -> ModuleError {
    match error.raw_os_error() {
        Some(libc::ENOTTY) => ModuleError::AbiMismatch("it has no INFO".to_owned()),
        Some(libc::EPERM | libc::EACCES) => ModuleError::not_permitted(),
        _ => ModuleError::io("asking the module for its version", error),
    }
}

pub(super) fn stage(error: io::Error, request: &Request, refusal: u32) -> ModuleError {
    match (error.raw_os_error(), Refusal::from_number(refusal)) {
        // The reason says more than the number of the error.
        (_, Some(refusal)) => ModuleError::Refused(refusal),
        (Some(libc::EBUSY), _) => ModuleError::Busy,
        (Some(libc::ESTALE), _) => ModuleError::Stale,
        (Some(libc::ERANGE), _) => ModuleError::Refused(Refusal::Width),
        (Some(libc::EOPNOTSUPP), _) => ModuleError::Refused(Refusal::NoMechanism),
        _ => device("asking for the policy", error, request.bdf),
    }
}

pub(super) fn device(what: &str, error: io::Error, bdf: Bdf) -> ModuleError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => ModuleError::not_permitted(),
        Some(libc::ENODEV) => ModuleError::NoDevice(bdf.to_string()),
        Some(libc::EBUSY) => ModuleError::Busy,
        _ => ModuleError::io(what, error),
    }
}

/// ENOENT: a cookie that names nothing; ESTALE: the lease is over.
pub(super) fn lease(what: &str, error: io::Error) -> ModuleError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ESTALE) => ModuleError::NoLease,
        Some(libc::EPERM | libc::EACCES) => ModuleError::not_permitted(),
        Some(libc::EBUSY) => ModuleError::Busy,
        _ => ModuleError::io(what, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn os(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    #[test]
    fn refusals_say_more_than_numbers() {
        let bdf = Bdf::from_raw(0x20);
        let request = Request { bdf, generation: None, policy: Policy::Dac(40), window: None, flush: false };
        let answer = |number, refusal| stage(os(number), &request, refusal);
        assert!(matches!(answer(libc::EOPNOTSUPP, 5), ModuleError::Refused(Refusal::SharedGroup)));
        assert!(matches!(answer(libc::EPERM, 12), ModuleError::Refused(Refusal::Quarantined)));
        assert!(matches!(answer(libc::EPERM, 0), ModuleError::NotPermitted { .. }));
        assert!(matches!(answer(libc::EBUSY, 0), ModuleError::Busy));
        assert!(matches!(answer(libc::ESTALE, 0), ModuleError::Stale));
        assert!(matches!(answer(libc::ERANGE, 0), ModuleError::Refused(Refusal::Width)));
        assert!(matches!(answer(libc::ENODEV, 0), ModuleError::NoDevice(name) if name == "0000:00:04.0"));
        assert!(matches!(answer(libc::EFAULT, 0), ModuleError::Io { .. }));
    }

    #[test]
    fn a_lease_that_is_over() {
        assert!(matches!(lease("x", os(libc::ESTALE)), ModuleError::NoLease));
        assert!(matches!(lease("x", os(libc::ENOENT)), ModuleError::NoLease));
    }

    #[test]
    fn why_the_door_stays_shut() {
        let nowhere = Root::at("/nonexistent");
        assert!(matches!(open(&nowhere, os(libc::ENOENT)), ModuleError::NotLoaded));
        assert!(matches!(open(&nowhere, os(libc::EACCES)), ModuleError::NotPermitted { .. }));
        assert!(matches!(open(&nowhere, os(libc::ENXIO)), ModuleError::NotLoaded));
        assert!(matches!(info(os(libc::ENOTTY)), ModuleError::AbiMismatch(_)));
    }
}
