//! Why something changed.

use std::fmt;
use std::str::FromStr;

use iova_common::policy::cause as number;

/// `enum iova_policy_cause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Written to sysfs `policy`.
    Sysfs,
    /// Written to sysfs `cap`.
    Cap,
    /// A lease began.
    Stage,
    /// A lease was confirmed.
    Commit,
    /// Its holder gave up.
    Abort,
    /// Its holder went away.
    Closed,
    /// Its time ran out.
    Expired,
    /// An IOMMU fault was seen.
    Fault,
    /// A PCIe error was seen.
    Aer,
    /// Applied again: a driver was bound.
    Bind,
    /// Taken back: the driver went.
    Unbind,
    /// The device went.
    Removed,
    /// The system went to sleep.
    Suspend,
    /// The module was unloaded.
    Unload,
    /// Out of quarantine.
    Released,
    /// Asked for and refused.
    Refused,
    /// Cap of the module's own list.
    List,
    /// The module's parameter `off` ended all.
    Off,
    /// The device came back: its cap of before.
    Returned,
    /// A cause of a later module.
    Other(u32),
}

/// Every cause, its number, its word, and what happened, for people.
const TABLE: &[(Cause, u32, &str, &str)] = &[
    (Cause::Sysfs, number::SYSFS, "sysfs", "set in sysfs"),
    (Cause::Cap, number::CAP, "cap", "protective cap set in sysfs"),
    (Cause::Stage, number::STAGE, "stage", "trial began"),
    (Cause::Commit, number::COMMIT, "commit", "trial confirmed"),
    (Cause::Abort, number::ABORT, "abort", "trial given up"),
    (Cause::Closed, number::CLOSED, "closed", "the process that held the trial went away"),
    (Cause::Expired, number::EXPIRED, "expired", "the trial's time ran out"),
    (Cause::Fault, number::FAULT, "fault", "an IOMMU fault was seen"),
    (Cause::Aer, number::AER, "aer", "a PCIe error was seen"),
    (Cause::Bind, number::BIND, "bind", "applied to a newly bound driver"),
    (Cause::Unbind, number::UNBIND, "unbind", "the driver was unbound"),
    (Cause::Removed, number::REMOVED, "removed", "the device was removed"),
    (Cause::Suspend, number::SUSPEND, "suspend", "the system went to sleep"),
    (Cause::Unload, number::UNLOAD, "unload", "the module was unloaded"),
    (Cause::Released, number::RELEASED, "released", "out of quarantine"),
    (Cause::Refused, number::REFUSED, "refused", "refused"),
    (Cause::List, number::LIST, "list", "protective cap of the module's own list"),
    (Cause::Off, number::OFF, "off", "all policies were switched off"),
    (Cause::Returned, number::RETURNED, "returned", "protective cap of before the device was removed"),
];

impl Cause {
    /// From the number of the interface.
    pub fn from_number(raw: u32) -> Self {
        TABLE.iter().find(|entry| entry.1 == raw).map_or(Self::Other(raw), |entry| entry.0)
    }

    /// Number of the interface.
    pub fn number(self) -> u32 {
        match self {
            Self::Other(raw) => raw,
            known => TABLE.iter().find(|entry| entry.0 == known).map_or(0, |entry| entry.1),
        }
    }

    /// What happened, in a few words.
    pub fn what(self) -> &'static str {
        TABLE.iter().find(|entry| entry.0 == self).map_or("unknown to this version of iova", |entry| entry.3)
    }

    /// True if the device itself gave it: a fault or a PCIe error.
    pub fn is_hardware(self) -> bool {
        matches!(self, Self::Fault | Self::Aer)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(raw) => write!(f, "cause-{raw}"),
            known => {
                f.write_str(TABLE.iter().find(|entry| entry.0 == *known).map_or("unknown", |entry| entry.2))
            }
        }
    }
}

/// Not a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cause of a policy change")]
pub struct BadCause;

impl FromStr for Cause {
    type Err = BadCause;

    fn from_str(word: &str) -> Result<Self, BadCause> {
        let known = TABLE.iter().find(|entry| entry.2 == word).map(|entry| entry.0);
        let later = || word.strip_prefix("cause-")?.parse().ok().map(Self::Other);
        known.or_else(later).ok_or(BadCause)
    }
}

super::as_word!(Cause);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_word() {
        for raw in 1..=number::RETURNED {
            let cause = Cause::from_number(raw);
            assert!(!matches!(cause, Cause::Other(_)), "{raw}");
            assert_eq!((cause.number(), cause.to_string().parse()), (raw, Ok(cause)));
        }
        assert_eq!("cause-77".parse(), Ok(Cause::Other(77)));
        assert_eq!(Cause::from_number(77).number(), 77);
    }
}
