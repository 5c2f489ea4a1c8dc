//! The same for an address that may not be known.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

use crate::kernel::root::parse_number;

// serde asks for a reference.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "the signature that serde's `with` wants"
)]
pub(crate) fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(&format_args!("{value:#x}")),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = <Option<String>>::deserialize(deserializer)?;
    text.map(|text| parse_number(&text).ok_or_else(|| D::Error::custom("not an address"))).transpose()
}
