//! Constants of the programs, which user space knows only on the host: written into the instructions before these are loaded.
//!
//! | instruction | stands for |
//! |---|---|
//! | a constant of 64 bits (`BPF_LD \| BPF_IMM \| BPF_DW`, two slots) | a field of [`Config`](crate::config::Config) or [`Offsets`](crate::offsets::Offsets): the upper half says so, the lower half is the field's place |
//! | a load (`BPF_LDX`) at a distance from [`LOADS`] on | a field of `Offsets`: the load is made at that offset |
//! | `&=` with an immediate from [`MASKS`] on | a field of `Config`: the mask |
//!
//! To the verifier each is a number that is known, so it removes branches that the number rules out; a value in read-only data would
//! take a load more.

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

/// Constant that stands for the field at this place of the configuration.
pub const fn config(place: usize) -> u64 {
    CONFIG << 32 | place as u64
}

/// Constant that stands for the field at this place of the offsets.
pub const fn offset(place: usize) -> u64 {
    OFFSET << 32 | place as u64
}

/// Distances of loads from here on stand for fields of the offsets. No kernel struct that is read has fields so far inside.
pub const LOADS: i16 = 0x7000;

/// A distance that no struct has: the verifier refuses to load there.
pub const REFUSED: i16 = i16::MAX;

/// The distance that stands for the field at this place of the offsets.
pub const fn load(place: usize) -> i16 {
    LOADS + place as i16
}

/// The place of the field that a distance stands for.
pub const fn loaded(distance: i16) -> Option<usize> {
    if distance >= LOADS { Some((distance - LOADS) as usize) } else { None }
}

/// Immediates of `&=` from here on stand for fields of the configuration.
pub const MASKS: i32 = 0x7e57_c000;

/// The immediate that stands for the field at this place of the configuration.
pub const fn mask(place: usize) -> i32 {
    MASKS + place as i32
}

/// The place of the field that an immediate stands for.
pub const fn masked(immediate: i32) -> Option<usize> {
    if immediate >> 12 == MASKS >> 12 { Some((immediate - MASKS) as usize) } else { None }
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
        assert_eq!((loaded(load(0)), loaded(load(68)), loaded(0x50)), (Some(0), Some(68), None));
        assert_eq!((masked(mask(72)), masked(3), masked(-1)), (Some(72), None, None));
    }
}
