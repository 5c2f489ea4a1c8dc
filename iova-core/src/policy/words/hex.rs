//! Addresses in JSON are strings: a number of 64 bits is more than most readers of JSON keep.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

use crate::kernel::root::parse_number;

// serde asks for a reference.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `with` wants")]
pub(crate) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:#x}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    parse_number(&text).ok_or_else(|| D::Error::custom("not an address"))
}
