//! The words of policy control: the same in sysfs, on the command line, in JSON and in the history.

mod bdf;
mod cause;
mod evidence;
pub(crate) mod hex;
pub(crate) mod hex_option;
mod mechanisms;
mod policy;
mod refusal;

pub use bdf::Bdf;
pub use cause::Cause;
pub use evidence::{Evidence, Relation};
pub use mechanisms::{Mechanism, Mechanisms};
pub use policy::{BadPolicy, Policy};
pub use refusal::Refusal;

/// Serialize and Deserialize as the word that Display and FromStr share.
macro_rules! as_word {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use as_word;
