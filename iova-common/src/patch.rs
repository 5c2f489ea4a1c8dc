//! Constants of the programs, which user space knows only on the host: written into the instructions before these are loaded.
//!
//! A 64-bit constant of the code (`BPF_LD | BPF_IMM | BPF_DW`, two slots) stands for a field of [`Config`](crate::config::Config) or
//! [`Offsets`](crate::offsets::Offsets): the upper half says so, the lower half is the field's place. To the verifier it is a number that is
//! known, so it removes branches that the number rules out; a value in read-only data would take a load more.

/// Upper half of a constant that stands for a field of the configuration.
const CONFIG: u64 = 0x7e57_c0f1;
/// The same of the offsets.
const OFFSET: u64 = 0x7e57_0ff5;

/// A field, by its byte offset in its struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A `u64` of [`Config`](crate::config::Config).
    Config(usize),
    /// A `u32` of [`Offsets`](crate::offsets::Offsets).
    Offset(usize),
}

/// What stands for the field at this place of the configuration.
pub const fn config(place: usize) -> u64 {
    CONFIG << 32 | place as u64
}

/// What stands for the field at this place of the offsets.
pub const fn offset(place: usize) -> u64 {
    OFFSET << 32 | place as u64
}

/// The field that a constant stands for; `None` for any other constant.
pub const fn field(constant: u64) -> Option<Field> {
    let place = (constant & 0xffff_ffff) as usize;
    match constant >> 32 {
        CONFIG => Some(Field::Config(place)),
        OFFSET => Some(Field::Offset(place)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_again_and_a_number_is_none() {
        assert_eq!(field(config(40)), Some(Field::Config(40)));
        assert_eq!(field(offset(12)), Some(Field::Offset(12)));
        assert_eq!((field(0), field(0xffff_8880_0000_0000)), (None, None));
    }
}
