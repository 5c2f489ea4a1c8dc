//! By what means a policy is made.

use std::fmt;
use std::str::FromStr;

use iova_common::policy::mechanism;

/// One means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The device's own 32-bit-first flag (6.6).
    Flag,
    /// The device's bus limit.
    Limit,
    /// The space below 4 GiB is held, so that nobody gets it.
    Fill,
    /// The device's DMA masks, after its driver set them.
    Mask,
    /// The domain's caches can be drained.
    Flush,
}

impl Mechanism {
    /// All of them, in the order of the interface's bits.
    pub const ALL: [Self; 5] = [Self::Flag, Self::Limit, Self::Fill, Self::Mask, Self::Flush];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Limit => "limit",
            Self::Fill => "fill",
            Self::Mask => "mask",
            Self::Flush => "flush",
        }
    }

    /// What it does, for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::Flag => "the device's flag that makes the kernel try below 4 GiB first",
            Self::Limit => "the device's bus limit (bus_dma_limit)",
            Self::Fill => "holding the space below 4 GiB, so that no allocation gets it",
            Self::Mask => "the device's DMA masks, after its driver has set them (best effort)",
            Self::Flush => "draining the domain's caches",
        }
    }

    fn bit(self) -> u32 {
        match self {
            Self::Flag => mechanism::FLAG,
            Self::Limit => mechanism::LIMIT,
            Self::Fill => mechanism::FILL,
            Self::Mask => mechanism::MASK,
            Self::Flush => mechanism::FLUSH,
        }
    }
}

/// A set of means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms(u32);

impl Mechanisms {
    /// From the interface's bits; those of a later module are left out.
    pub fn from_bits(bits: u32) -> Self {
        Self(Mechanism::ALL.iter().fold(0, |known, one| known | one.bit() & bits))
    }

    /// True if `one` is among them.
    pub fn has(self, one: Mechanism) -> bool {
        self.0 & one.bit() != 0
    }

    /// True if there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

impl FromIterator<Mechanism> for Mechanisms {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

impl fmt::Display for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Mechanism::name).collect();
        f.write_str(&words.join(" "))
    }
}

impl FromStr for Mechanisms {
    type Err = std::convert::Infallible;

    /// Words with spaces between them; unknown ones are left out.
    fn from_str(words: &str) -> Result<Self, Self::Err> {
        let known = |word: &str| Mechanism::ALL.into_iter().find(|one| one.name() == word);
        Ok(words.split_whitespace().filter_map(known).collect())
    }
}

impl serde::Serialize for Mechanisms {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Mechanism::name))
    }
}

impl<'de> serde::Deserialize<'de> for Mechanisms {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = <Vec<String>>::deserialize(deserializer)?;
        Ok(words
            .iter()
            .filter_map(|word| Mechanism::ALL.into_iter().find(|one| one.name() == word))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bits() {
        let two: Mechanisms = "flag limit".parse().unwrap();
        assert_eq!((two.to_string(), two), ("flag limit".to_owned(), Mechanisms::from_bits(3)));
        assert_eq!("flag future".parse::<Mechanisms>().unwrap(), Mechanisms::from_bits(1 | 1 << 30));
        assert_eq!(serde_json::to_string(&two).unwrap(), r#"["flag","limit"]"#);
        assert_eq!(serde_json::from_str::<Mechanisms>(r#"["fill"]"#).unwrap(), Mechanisms::from_bits(4));
        assert!(Mechanisms::default().is_empty() && !two.has(Mechanism::Fill));
    }
}
