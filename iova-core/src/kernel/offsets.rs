//! Fills the table the eBPF programs are given.

use iova_common::offsets::Offsets;

use super::Types;

/// Every field of the table that this kernel has.
pub fn resolve(types: &Types) -> Offsets {
    let mut offsets = Offsets::NONE;
    for (index, (_, path)) in Offsets::PATHS.iter().enumerate() {
        if let Some(offset) = types.offset(path) {
            offsets.set(index, offset);
        }
    }
    offsets
}
