//! Blocks that say where they belong, so that one which came to the wrong place, or from it, is found out.

/// Bytes of a block: what is written at least, and a page.
pub const BLOCK: usize = 4096;

/// Fills a block for its place: every word depends on the seed, the place, and its own number.
pub fn fill(block: &mut [u8], seed: u64, place: u64) {
    let mut state = mix(seed ^ mix(place));
    for word in block.chunks_mut(8) {
        state = mix(state);
        let bytes = state.to_le_bytes();
        word.iter_mut().zip(bytes).for_each(|(byte, value)| *byte = value);
    }
}

/// Whether a block is the one of its place.
pub fn is_right(block: &[u8], seed: u64, place: u64) -> bool {
    let mut state = mix(seed ^ mix(place));
    block.chunks(8).all(|word| {
        state = mix(state);
        word.iter().zip(state.to_le_bytes()).all(|(byte, value)| *byte == value)
    })
}

/// A checksum of what was read, to compare with that of another time.
pub fn sum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// SplitMix64's step: no two places have the same words in a row.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_block_is_right() {
        let mut block = vec![0; BLOCK];
        fill(&mut block, 7, 42);
        assert!(is_right(&block, 7, 42));
        assert!(!is_right(&block, 7, 43) && !is_right(&block, 8, 42));
        for at in [0, 1, 2047, BLOCK - 1] {
            block[at] ^= 1;
            assert!(!is_right(&block, 7, 42), "byte {at}");
            block[at] ^= 1;
        }
        assert!(!is_right(&vec![0; BLOCK], 7, 42));
    }
}
