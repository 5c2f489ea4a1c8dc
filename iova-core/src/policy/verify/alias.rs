//! Would an address that lost high bits hit something?
//!
//! A truncated address is only heard of if nothing is mapped where it points. The addresses of a step lie in a window
//! whose low 32 bits are below 2 GiB, and a new domain has nothing there; but a driver whose coherent mask is narrow
//! maps low, and so does whatever does not fit into the window. So it is looked at, not assumed.

use serde::{Deserialize, Serialize};

use super::FIRST;
use crate::policy::words::hex;

/// A truncated address that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The address.
    #[serde(with = "hex")]
    pub address: u64,
    /// Cut to so many bits,
    pub bits: u8,
    /// it is this one, which is mapped too.
    #[serde(with = "hex")]
    pub hits: u64,
}

/// Ranges that were mapped during a step: closed intervals of bytes, disjoint and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    ranges: Vec<(u64, u64)>,
    dirty: bool,
}

impl Aliases {
    /// Adds a mapping, first and last byte. What was mapped one after the other counts as if at once.
    pub fn add(&mut self, first: u64, last: u64) {
        // Most requests get the address of one before.
        let known = self.ranges.iter().rev().take(32).any(|&(from, to)| from <= first && last <= to);
        if !known {
            self.ranges.push((first, last));
            self.dirty = true;
            if self.ranges.len() > 4096 {
                self.settle();
            }
        }
    }

    /// Everything that was added.
    pub fn ranges(&mut self) -> &[(u64, u64)] {
        self.settle();
        &self.ranges
    }

    /// The first mapping of which some number of low bits, from 32 on, is another one.
    pub fn find(&mut self) -> Option<Alias> {
        self.settle();
        self.ranges.iter().find_map(|&range| (FIRST..64).find_map(|bits| self.hit(range, bits)))
    }

    fn hit(&self, (first, last): (u64, u64), bits: u8) -> Option<Alias> {
        let kept = (1_u64 << bits) - 1;
        if first <= kept {
            return None;
        }
        // No mapping is 4 GiB long; one that lies across a multiple wraps, and is looked at in two parts.
        let parts = if first & !kept == last & !kept {
            [Some((first & kept, last & kept)), None]
        } else {
            [Some((first & kept, kept)), Some((0, last & kept))]
        };
        let found = parts.into_iter().flatten().find_map(|part| self.overlap(part));
        found.map(|hits| Alias { address: first & !kept | hits, bits, hits })
    }

    /// The first byte of the part that is mapped.
    fn overlap(&self, (first, last): (u64, u64)) -> Option<u64> {
        let at = self.ranges.partition_point(|&(_, to)| to < first);
        self.ranges.get(at).filter(|range| range.0 <= last).map(|range| range.0.max(first))
    }

    fn settle(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        self.ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for &(first, last) in &self.ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        self.ranges = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ranges: &[(u64, u64)]) -> Aliases {
        let mut aliases = Aliases::default();
        ranges.iter().for_each(|&(first, last)| aliases.add(first, last));
        aliases
    }

    #[test]
    fn a_window_with_nothing_below_is_loud() {
        let mut step = of(&[(0xbf_7fff_e000, 0xbf_7fff_efff), (0xbf_7fff_f000, 0xbf_7fff_ffff)]);
        assert_eq!(step.find(), None);
        assert_eq!(step.ranges(), [(0xbf_7fff_e000, 0xbf_7fff_ffff)], "neighbours are one");
        // A coherent buffer near 4 GiB: no address of the window becomes that.
        step.add(0xffff_f000, 0xffff_ffff);
        assert_eq!(step.find(), None);
    }

    #[test]
    fn whatever_number_of_bits_is_lost() {
        let mut low = of(&[(0xbf_7fff_f000, 0xbf_7fff_ffff), (0x7fff_0000, 0x7fff_f7ff)]);
        let alias = Alias { address: 0xbf_7fff_f000, bits: 32, hits: 0x7fff_f000 };
        assert_eq!(low.find(), Some(alias));
        let mut middle = of(&[(0xbf_7fff_f000, 0xbf_7fff_ffff), (0x3f_7fff_f000, 0x3f_7fff_ffff)]);
        assert_eq!(middle.find().map(|alias| (alias.bits, alias.hits)), Some((38, 0x3f_7fff_f000)));
    }

    #[test]
    fn a_mapping_across_a_multiple_of_4_gib() {
        let mut across = of(&[(0x1_ffff_f000, 0x2_0000_0fff), (0, 0xfff)]);
        assert_eq!(across.find().map(|alias| (alias.bits, alias.hits)), Some((32, 0)));
    }
}
