//! Index of types by name: a hash table that costs a few instructions per type to build, since a kernel has 150,000 types and `iova`
//! asks for a hundred.

use super::TypeId;

const BUCKETS_BITS: u32 = 15;
/// 2^64 divided by the golden ratio: spreads what differs in any bit over the upper bits of a product.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The table: chains of types, the lowest number first.
#[derive(Debug)]
pub(super) struct Names {
    /// The first type of each bucket, 0 for none.
    first: Vec<TypeId>,
    /// The type after type number `index + 1` in its bucket, 0 for none.
    next: Vec<TypeId>,
}

impl Names {
    /// Of types at these places. `name` gives the bytes from the name of a type on, `None` for one that is never looked up.
    pub(super) fn of<'a>(types: &[u32], name: impl Fn(usize) -> Option<&'a [u8]>) -> Self {
        let (mut first, mut next) = (vec![0; 1 << BUCKETS_BITS], vec![0; types.len()]);
        let with_next = types.iter().zip(&mut next).enumerate();
        for (index, (&at, next)) in with_next.rev() {
            if let Some(head) = name(at as usize).and_then(|name| first.get_mut(bucket(name))) {
                *next = std::mem::replace(head, index as TypeId + 1);
            }
        }
        Self { first, next }
    }

    /// Types that may have this name, lowest number first.
    pub(super) fn candidates(&self, name: &[u8]) -> impl Iterator<Item = TypeId> + '_ {
        let known = |id: &TypeId| *id != 0;
        let first = self.first.get(bucket(name)).copied().filter(known);
        std::iter::successors(first, move |id| self.next.get(*id as usize - 1).copied().filter(known))
    }
}

/// By the first 16 bytes: what begins alike shares a bucket, which a look-up can afford.
fn bucket(name: &[u8]) -> usize {
    let (first, ends) = word(name);
    let second = if ends { 0 } else { word(name.get(8..).unwrap_or_default()).0 };
    let mixed = (first.wrapping_mul(SPREAD) ^ second).wrapping_mul(SPREAD);
    (mixed >> (u64::BITS - BUCKETS_BITS)) as usize
}

/// Up to eight bytes, and whether the name ends among them: with a zero byte, or because there are no more.
fn word(name: &[u8]) -> (u64, bool) {
    let Some(bytes) = name.first_chunk() else {
        let bytes = name.iter().take_while(|byte| **byte != 0).zip((0..).step_by(8));
        return (bytes.fold(0, |word, (&byte, shift)| word | u64::from(byte) << shift), true);
    };
    let word = u64::from_le_bytes(*bytes);
    // The lowest bit set is the top bit of the first zero byte.
    let zeros = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
    match zeros {
        0 => (word, false),
        _ => (word & ((1 << (zeros.trailing_zeros() & !7)) - 1), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_name_does_not_count() {
        for name in
            ["", "a", "iova", "1234567", "12345678", "123456789", "alloc_iova_fast", "iommu_dma_alloc_iova"]
        {
            let alone = bucket(name.as_bytes());
            for after in ["\0", "\0x", "\0remove_iova\0alloc_iova_fast\0"] {
                assert_eq!(bucket(format!("{name}{after}").as_bytes()), alone, "{name}");
            }
        }
        assert_ne!(bucket(b"alloc_iova"), bucket(b"alloc_iova_fast"));
    }

    #[test]
    fn the_lowest_number_comes_first_and_the_nameless_never() {
        let names = [Some("b"), Some("a"), None, Some("a"), Some("")];
        let table = Names::of(&[0, 1, 2, 3, 4], |at| names[at].map(str::as_bytes));
        let of = |name: &str| table.candidates(name.as_bytes()).collect::<Vec<_>>();
        assert_eq!((of("a"), of("b"), of(""), of("c")), (vec![2, 4], vec![1], vec![5], vec![]));
    }
}
