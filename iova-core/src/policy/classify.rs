//! What a faulting address says about the device that used it.
//!
//! A device that loses high address bits aims at `live mod 2^N` instead of `live`. If nothing is mapped there, the IOMMU
//! reports that address, and the live address it comes from tells N. The lowest bit that was lost is the lowest one in
//! which both differ, so N is at most its number; that the bits below came through is proved only up to the highest
//! one set in the faulting address. More faults narrow it down ([`Classified::and`]).

use crate::policy::{Evidence, Relation};
use crate::snapshot::{DomainState, Range, RangeKind};

/// Narrowest width worth a guess: no DMA device on a PC has fewer (ISA, 24 bits). Below it, any address fits.
const NARROWEST: u32 = 24;

/// A mangled address keeps its low 32 bits, else it is just another address.
const KEPT_BITS: u32 = 32;

/// The addresses a device had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSet {
    /// Mapped now, closed intervals of bytes.
    mapped: Vec<(u64, u64)>,
    /// Mapped now or a moment ago.
    known: Vec<(u64, u64)>,
}

impl LiveSet {
    /// What the domain's tree holds. What is cached or queued was mapped a moment ago: a fault is looked at only after
    /// its buffer was unmapped.
    ///
    /// `low_is_held`: the module holds the space below 4 GiB, so that what is in the tree there is not mapped.
    pub fn of_domain(domain: &DomainState, low_is_held: bool) -> Self {
        Self::of_ranges(&domain.ranges, domain.granule, low_is_held)
    }

    /// The same for ranges of pages of `granule` bytes.
    pub(crate) fn of_ranges(ranges: &[Range], granule: u64, low_is_held: bool) -> Self {
        let mut set = Self::default();
        let first_high = (1 << 32) / granule.max(1);
        for range in ranges.iter().filter(|range| !low_is_held || range.pfn_lo >= first_high) {
            let first = range.pfn_lo.saturating_mul(granule);
            let last = (range.pfn_hi.saturating_add(1)).saturating_mul(granule).saturating_sub(1);
            match range.kind {
                RangeKind::Reserved => {}
                RangeKind::Live => set.add(first, last),
                RangeKind::Cached | RangeKind::Pending => set.known.push((first, last)),
            }
        }
        set
    }

    /// Adds a mapping known from elsewhere (an allocation that was traced), first and last byte.
    pub fn add(&mut self, first: u64, last: u64) {
        self.mapped.push((first, last));
        self.known.push((first, last));
    }

    /// Adds what was mapped a moment ago, first and last byte.
    pub fn add_known(&mut self, ranges: impl IntoIterator<Item = (u64, u64)>) {
        self.known.extend(ranges);
    }

    fn is_mapped(&self, address: u64) -> bool {
        self.mapped.iter().any(|&(first, last)| (first..=last).contains(&address))
    }
}

/// What [`classify`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The fault and its relation to what was mapped.
    pub evidence: Evidence,
    /// Truncated: at least this many bits came through.
    pub at_least: Option<u8>,
}

/// Compares a faulting address with what was mapped.
///
/// Truncation is stated only if the address itself is not mapped (then the fault has another reason), and with the
/// width that holds whichever live address it came from. Where several XOR masks would explain a mangled address, the
/// one with the fewest bits is given.
pub fn classify(address: u64, live: &LiveSet) -> Classified {
    let relation = if live.is_mapped(address) {
        Relation::Unrelated
    } else {
        truncated(address, live).or_else(|| mangled(address, live)).unwrap_or(Relation::Unrelated)
    };
    let at_least = matches!(relation, Relation::Truncated { .. }).then(|| bits(address) as u8);
    Classified { evidence: Evidence { address, relation }, at_least }
}

impl Classified {
    /// What two faults of one device prove together: the narrower width, and the higher lower bound.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let at_least = self.at_least.max(other.at_least);
        let first = match (self.evidence.relation, other.evidence.relation) {
            (Relation::Truncated { width: a, .. }, Relation::Truncated { width: b, .. }) if b < a => other,
            (Relation::Truncated { .. }, _) => self,
            (_, Relation::Truncated { .. }) => other,
            (Relation::Mangled { .. }, _) => self,
            (_, Relation::Mangled { .. }) => other,
            _ => self,
        };
        Self { evidence: first.evidence, at_least }
    }
}

/// Bits needed to write `address`.
fn bits(address: u64) -> u32 {
    64 - address.leading_zeros()
}

fn truncated(address: u64, live: &LiveSet) -> Option<Relation> {
    let least = bits(address).max(NARROWEST);
    let found = live.known.iter().filter_map(|&range| lost(address, range, least));
    // The widest: whichever of the candidates it was, no more bits came through.
    let (width, live) = found.max_by_key(|&(width, _)| width)?;
    Some(Relation::Truncated { width: width as u8, live })
}

/// The highest bit number `k` of at least `least`, and the address in the range that differs from `address` in bit `k`
/// and above only.
fn lost(address: u64, (first, last): (u64, u64), least: u32) -> Option<(u32, u64)> {
    let (low, high) = (first.saturating_sub(address).max(1), last.checked_sub(address)?);
    let multiple = |k: u32| {
        let candidate = high >> k << k;
        (candidate >= low).then(|| (k, address + candidate))
    };
    (least..64).rev().find_map(multiple)
}

fn mangled(address: u64, live: &LiveSet) -> Option<Relation> {
    let kept = (1_u64 << KEPT_BITS) - 1;
    let candidates = live.known.iter().flat_map(|&(first, last)| {
        // The address with our low bits in the first and in the last 4 GiB that the range touches.
        [first, last]
            .map(|end| (end & !kept) | (address & kept))
            .into_iter()
            .filter(move |candidate| (first..=last).contains(candidate))
    });
    let live = candidates
        .filter(|&candidate| candidate != address)
        .min_by_key(|&live| (live ^ address).count_ones())?;
    Some(Relation::Mangled { xor: address ^ live, live })
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
