//! What a faulting address has to do with a live one.

use std::fmt;

use iova_common::policy::{self as abi, relation};
use serde::{Deserialize, Serialize};

use super::hex;

/// How a faulting address relates to a live one (`enum iova_policy_relation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Nobody compared.
    #[default]
    Unknown,
    /// No live address explains it.
    Unrelated,
    /// It is a live address of which at most this many low bits came through.
    Truncated {
        /// Bits that came through, at most.
        width: u8,
        /// The live address.
        #[serde(with = "hex")]
        live: u64,
    },
    /// It is a live address with other high bits.
    Mangled {
        /// address ^ live.
        #[serde(with = "hex")]
        xor: u64,
        /// The live address.
        #[serde(with = "hex")]
        live: u64,
    },
}

/// A faulting address and its [`Relation`] to what was mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the IOMMU saw.
    #[serde(with = "hex")]
    pub address: u64,
    /// What it comes from.
    pub relation: Relation,
}

impl Evidence {
    /// As the interface has it.
    pub fn to_abi(self) -> abi::Evidence {
        let raw = abi::Evidence { address: self.address, ..abi::Evidence::default() };
        match self.relation {
            Relation::Unknown => abi::Evidence { relation: relation::UNKNOWN, ..raw },
            Relation::Unrelated => abi::Evidence { relation: relation::UNRELATED, ..raw },
            Relation::Truncated { width, live } => abi::Evidence {
                relation: relation::TRUNCATED,
                live,
                xor: self.address ^ live,
                width: u32::from(width),
                ..raw
            },
            Relation::Mangled { xor, live } => {
                abi::Evidence { relation: relation::MANGLED, live, xor, ..raw }
            }
        }
    }

    /// From a record; `None` if it holds none.
    pub fn from_abi(raw: &abi::Evidence) -> Option<Self> {
        if *raw == abi::Evidence::default() {
            return None;
        }
        let relation = match raw.relation {
            relation::UNRELATED => Relation::Unrelated,
            relation::TRUNCATED => {
                Relation::Truncated { width: u8::try_from(raw.width).unwrap_or(u8::MAX), live: raw.live }
            }
            relation::MANGLED => Relation::Mangled { xor: raw.xor, live: raw.live },
            _ => Relation::Unknown,
        };
        Some(Self { address: raw.address, relation })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not compared with what was mapped"),
            Self::Unrelated => f.write_str("unrelated to any mapped address"),
            Self::Truncated { width, live } => {
                write!(f, "the mapped address {live:#x}, of which at most {width} bits came through")
            }
            Self::Mangled { xor, live } => {
                write!(f, "the mapped address {live:#x} with other bits (XOR {xor:#x})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let live = 0x80_7fff_f000;
        for relation in [
            Relation::Unrelated,
            Relation::Truncated { width: 39, live },
            Relation::Mangled { xor: 0xff_0000_0000_0000, live },
        ] {
            let evidence = Evidence { address: 0x7fff_f000, relation };
            assert_eq!(Evidence::from_abi(&evidence.to_abi()), Some(evidence));
            let json = serde_json::to_string(&evidence).unwrap();
            assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence, "{json}");
        }
        assert_eq!(Evidence::from_abi(&abi::Evidence::default()), None);
    }
}
