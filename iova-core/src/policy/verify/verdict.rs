//! The answer.

use serde::{Deserialize, Serialize};

/// What a limit is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The address of a fault, compared with those handed out.
    Fault,
    /// A fault at an address with changed high bits.
    Mangled,
    /// The work succeeded below, failed above, succeeded below again, and failed above again.
    Data,
}

/// What a walk came to. It is never "good": it says how far, on this path, for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything that was tried worked.
    Verified {
        /// Address bits.
        bits: u8,
        /// Why that is not all that was asked for; `None`: it is.
        short: Option<String>,
    },
    /// The path is narrower than the driver thinks.
    Limit {
        /// So many bits come through at least,
        at_least: u8,
        /// and so many at most.
        at_most: u8,
        /// How that is known.
        basis: Basis,
    },
    /// Nothing more can be said.
    CannotProve {
        /// Bits that are proved all the same.
        bits: u8,
        /// One sentence.
        reason: String,
    },
}

impl Verdict {
    /// Whether everything that was asked for is verified.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Verified { short: None, .. })
    }

    /// Bits that are safe to use, as far as this goes.
    pub fn proved(&self) -> u8 {
        match self {
            Self::Verified { bits, .. } | Self::CannotProve { bits, .. } => *bits,
            Self::Limit { at_least, .. } => *at_least,
        }
    }
}

impl Verdict {
    /// One sentence. `time`: how long the device worked in the steps that passed.
    pub fn sentence(&self, time: &str) -> String {
        match self {
            Self::Verified { bits, short } => {
                let end = short.as_ref().map(|why| format!(", and no further: {why}"));
                format!("verified to {bits} bits on this path for {time}{}", end.unwrap_or_default())
            }
            Self::Limit { at_least, at_most, basis } => {
                let verb = if *basis == Basis::Mangled { "changes high bits" } else { "truncates" };
                let range = if at_least == at_most { String::new() } else { format!("{at_least} to ") };
                let how = match basis {
                    Basis::Fault | Basis::Mangled => "",
                    Basis::Data => " (shown by data that did not arrive, not by a fault)",
                };
                format!("{verb} at {range}{at_most} bits{how}")
            }
            Self::CannotProve { bits, reason } => format!("cannot prove more than {bits} bits: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let verified = Verdict::Verified { bits: 48, short: None };
        assert_eq!(verified.sentence("2 h"), "verified to 48 bits on this path for 2 h");
        assert!(verified.is_whole());
        let short = Verdict::Verified { bits: 40, short: Some("too much was mapped".into()) };
        assert!(
            !short.is_whole()
                && short.sentence("1 s").ends_with("for 1 s, and no further: too much was mapped")
        );
        let limit = |at_least, basis| Verdict::Limit { at_least, at_most: 36, basis };
        assert_eq!(limit(36, Basis::Fault).sentence(""), "truncates at 36 bits");
        assert_eq!(limit(33, Basis::Fault).sentence(""), "truncates at 33 to 36 bits");
        assert!(limit(36, Basis::Data).sentence("").contains("not by a fault"));
        assert_eq!((limit(33, Basis::Fault).proved(), limit(33, Basis::Fault).is_whole()), (33, false));
    }
}
