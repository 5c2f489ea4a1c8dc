//! How a trial can end.

use super::document::Outcome;
use iova_core::policy::{Cause, Evidence};

/// Why a trial is over, and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody said yes; the lease is committed.
    Kept { by: String, reason: Option<String> },
    /// Nobody did, or somebody said no.
    Not(No),
    /// The device made the IOMMU complain.
    Fault { evidence: Evidence, read: Option<bool> },
    /// The device made PCIe errors.
    Aer(String),
    /// The module has taken the policy back by itself.
    Taken(Cause),
}

/// Why a policy is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    Answered,
    Unanswered,
    InputEnded,
    /// The time is over, and nobody is there to be asked.
    NobodyToAsk,
    Signal(i32),
    /// The command is over, and nobody is there to be asked.
    CommandEnded,
    CommandFailed,
    /// It ended well, but something was seen that the guard did not act on.
    NotClean,
}

impl No {
    fn sentence(self) -> String {
        match self {
            Self::Answered => "the answer was no".to_owned(),
            Self::Unanswered => "nobody answered in time".to_owned(),
            Self::InputEnded => "the terminal is gone".to_owned(),
            Self::NobodyToAsk => {
                "the time is over, and nobody confirmed it (`iova policy confirm`)".to_owned()
            }
            Self::Signal(libc::SIGINT) => "interrupted".to_owned(),
            Self::Signal(libc::SIGHUP) => "the terminal is gone (SIGHUP)".to_owned(),
            Self::Signal(libc::SIGTERM) => "told to end (SIGTERM)".to_owned(),
            Self::Signal(signal) => format!("ended by signal {signal}"),
            Self::CommandEnded => {
                "the command is over, and nobody confirmed it (--keep-if-ok, `iova policy confirm`)"
                    .to_owned()
            }
            Self::CommandFailed => "the command failed".to_owned(),
            Self::NotClean => "faults or errors were seen".to_owned(),
        }
    }
}

impl Verdict {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Kept { .. } => Outcome::Kept,
            Self::Fault { .. } | Self::Aer(_) => Outcome::Quarantined,
            Self::Taken(cause) if cause.is_hardware() => Outcome::Quarantined,
            Self::Not(_) | Self::Taken(_) => Outcome::Reverted,
        }
    }

    /// What the module calls it.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Kept { .. } => Cause::Commit,
            Self::Not(_) => Cause::Abort,
            Self::Fault { .. } => Cause::Fault,
            Self::Aer(_) => Cause::Aer,
            Self::Taken(cause) => *cause,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Kept { by, .. } => format!("confirmed by {by}"),
            Self::Not(no) => no.sentence(),
            Self::Fault { evidence, read } => {
                let access = match read {
                    Some(true) => "reading",
                    Some(false) => "writing",
                    None => "accessing",
                };
                format!(
                    "the IOMMU stopped the device {access} {:#x}: {}",
                    evidence.address, evidence.relation
                )
            }
            Self::Aer(what) => format!("PCIe errors of the device: {what}"),
            // Our own end comes first, so its time was that of a heartbeat.
            Self::Taken(Cause::Expired) => {
                "the module took the policy back: faults were not looked at for a second (this process was stopped, or \
                 the host has no CPU for it)"
                    .to_owned()
            }
            Self::Taken(cause) => format!("the module took the policy back: {}", cause.what()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iova_core::policy::Relation;

    #[test]
    fn a_fault_is_told_with_what_it_means() {
        let relation = Relation::Truncated { width: 39, live: 0x80_7fff_f000 };
        let evidence = Evidence { address: 0x7fff_f000, relation };
        let verdict = Verdict::Fault { evidence, read: Some(false) };
        let sentence = verdict.sentence();
        assert!(sentence.contains("writing 0x7ffff000") && sentence.contains("39 bits"), "{sentence}");
        assert_eq!((verdict.outcome(), verdict.cause()), (Outcome::Quarantined, Cause::Fault));
    }

    #[test]
    fn whatever_is_no_yes_reverts() {
        for no in [No::Answered, No::InputEnded, No::Signal(libc::SIGHUP), No::NobodyToAsk] {
            assert_eq!(Verdict::Not(no).outcome(), Outcome::Reverted);
        }
        assert_eq!(Verdict::Taken(Cause::Expired).outcome(), Outcome::Reverted);
        assert_eq!(Verdict::Taken(Cause::Fault).outcome(), Outcome::Quarantined);
    }
}
