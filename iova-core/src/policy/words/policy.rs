//! Policies: widths of addresses.

use std::fmt;
use std::str::FromStr;

use iova_common::policy::kind;

/// Which addresses a device is to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// What the kernel does by itself: below 4 GiB first, then anywhere.
    #[default]
    Stock,
    /// Never an address of more than this many bits, 32 to 63. 32 is also called `strict32`.
    Cap(u8),
    /// The range up to this many bits at once, skipping the attempt below 4 GiB, 33 to 57.
    Dac(u8),
}

/// Narrowest and widest cap.
const CAP: std::ops::RangeInclusive<u8> = 32..=63;
/// Narrowest and widest dac. Above 57 nothing is gained (five-level page tables end there), and the pages at the top of
/// the 64-bit space break drivers.
const DAC: std::ops::RangeInclusive<u8> = 33..=57;

/// A word that is no policy; the sentence says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// Not a policy at all.
    #[error("'{0}' is no policy: say stock, strict32, cap:N (N from 32 to 63) or dac:N (N from 33 to 57)")]
    Unknown(String),
    /// The width is not a number.
    #[error("'{0}' lacks its width: say cap:N with N from 32 to 63, or dac:N with N from 33 to 57, in bits")]
    NoWidth(String),
    /// cap:N out of range.
    #[error("cap:{0} is out of range: a cap is 32 to 63 bits wide (cap:32 is strict32)")]
    CapWidth(u32),
    /// dac:N out of range.
    #[error(
        "dac:{0} is out of range: it is 33 to 57 bits wide; up to 32 bits say cap:32, and above 57 nothing is gained"
    )]
    DacWidth(u32),
}

impl Policy {
    /// `cap:32`.
    pub const STRICT32: Self = Self::Cap(32);

    /// Address bits; `None` for stock.
    pub fn width(self) -> Option<u8> {
        match self {
            Self::Stock => None,
            Self::Cap(width) | Self::Dac(width) => Some(width),
        }
    }

    /// Number of `enum iova_policy_kind`.
    pub fn kind(self) -> u32 {
        match self {
            Self::Stock => kind::STOCK,
            Self::Cap(_) => kind::CAP,
            Self::Dac(_) => kind::DAC,
        }
    }

    /// The policy of a record; `None` for numbers of a later module.
    pub fn from_numbers(kind: u32, width: u32) -> Option<Self> {
        let width = u8::try_from(width).ok()?;
        match kind {
            kind::STOCK => Some(Self::Stock),
            kind::CAP if CAP.contains(&width) => Some(Self::Cap(width)),
            kind::DAC if DAC.contains(&width) => Some(Self::Dac(width)),
            _ => None,
        }
    }

    /// True if `self` lets a device use addresses that `other` does not.
    pub fn is_wider_than(self, other: Self) -> bool {
        let reach = |policy: Self| policy.width().unwrap_or(u8::MAX);
        let high_at_once = |policy| matches!(policy, Self::Dac(_));
        reach(self) > reach(other) || high_at_once(self) && !high_at_once(other)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stock => f.write_str("stock"),
            Self::Cap(width) => write!(f, "cap:{width}"),
            Self::Dac(width) => write!(f, "dac:{width}"),
        }
    }
}

impl FromStr for Policy {
    type Err = BadPolicy;

    fn from_str(word: &str) -> Result<Self, BadPolicy> {
        let (name, width) = match word.split_once(':') {
            Some((name, width)) => (name, Some(width)),
            None => (word, None),
        };
        let width = || {
            let digits = width.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|text| text.parse().ok()).ok_or_else(|| BadPolicy::NoWidth(shown(word)))
        };
        let within = |range: std::ops::RangeInclusive<u8>, width: u32| {
            u8::try_from(width).ok().filter(|width| range.contains(width))
        };
        match name {
            "stock" if word == name => Ok(Self::Stock),
            "strict32" if word == name => Ok(Self::STRICT32),
            "cap" => width().and_then(|w| within(CAP, w).map(Self::Cap).ok_or(BadPolicy::CapWidth(w))),
            "dac" => width().and_then(|w| within(DAC, w).map(Self::Dac).ok_or(BadPolicy::DacWidth(w))),
            _ => Err(BadPolicy::Unknown(shown(word))),
        }
    }
}

/// What somebody typed, safe to print and not longer than a line.
fn shown(word: &str) -> String {
    crate::kernel::root::clean(word.as_bytes()).chars().take(40).collect()
}

super::as_word!(Policy);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        for word in ["stock", "cap:32", "cap:63", "dac:33", "dac:57"] {
            assert_eq!(word.parse::<Policy>().unwrap().to_string(), word);
        }
        assert_eq!("strict32".parse(), Ok(Policy::Cap(32)));
        assert_eq!(serde_json::to_string(&Policy::Dac(40)).unwrap(), "\"dac:40\"");
        assert_eq!(serde_json::from_str::<Policy>("\"strict32\"").unwrap(), Policy::Cap(32));
    }

    #[test]
    fn bad_words_are_told_what_is_allowed() {
        let sentence = |word: &str| word.parse::<Policy>().unwrap_err().to_string();
        for word in ["", "stock:1", "strict32:", "high", "DAC:40", " dac:40", "forcedac\x1b[31m"] {
            assert!(sentence(word).contains("N from 33 to 57"), "{}", sentence(word));
            assert!(!sentence(word).contains('\x1b'));
        }
        for word in ["cap", "dac:", "dac:x", "cap:-1", "dac:+40", "dac:99999999999999999999"] {
            assert!(sentence(word).contains("width"), "{}", sentence(word));
        }
        assert!(sentence("cap:31").contains("32 to 63"));
        assert!(sentence("dac:58").contains("33 to 57"));
        assert!(sentence("dac:32").contains("cap:32"));
    }

    #[test]
    fn numbers_of_the_interface() {
        for policy in [Policy::Stock, Policy::Cap(43), Policy::Dac(57)] {
            let width = u32::from(policy.width().unwrap_or(0));
            assert_eq!(Policy::from_numbers(policy.kind(), width), Some(policy));
        }
        assert_eq!((Policy::from_numbers(1, 31), Policy::from_numbers(3, 40)), (None, None));
    }

    #[test]
    fn wider() {
        assert!(Policy::Dac(40).is_wider_than(Policy::Stock));
        assert!(Policy::Stock.is_wider_than(Policy::Cap(32)));
        assert!(!Policy::Cap(32).is_wider_than(Policy::Stock));
        assert!(!Policy::Dac(36).is_wider_than(Policy::Dac(40)));
    }
}
