//! One domain: read until two readings agree, then say what each node of its tree is.

use std::collections::HashMap;
use std::time::Duration;

use super::caches::{self, Cached};
use super::groups::Group;
use super::layout::Layout;
use super::memory::Memory;
use super::queues::{self, Pending};
use super::reserved::Reservations;
use super::space::{self, Pages};
use super::tree::{self, Tree};
use super::{Changed, Consistency, Cpus, DomainState, Node, Range, RangeKind};
use crate::kernel::Kcore;

/// On a busy domain no two readings agree; after these many we say so.
const ATTEMPTS: u32 = 5;
/// Looks at a lock that is held before a reading begins all the same.
const LOOKS: u32 = 10;
/// Time between them.
const PAUSE: Duration = Duration::from_micros(100);

/// Everything one attempt saw.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    granule: u64,
    start_pfn: u64,
    dma_32bit_pfn: u64,
    max32_alloc_size: u64,
    tree: Tree,
    cached: Cached,
    pending: Pending,
    /// Nobody had the tree's lock when the reading began, nor when it ended.
    unlocked: bool,
}

pub(super) struct Reader<'a> {
    pub(super) kcore: &'a Kcore,
    pub(super) layout: &'a Layout,
    pub(super) cpus: &'a Cpus,
    pub(super) reservations: &'a Reservations<'a>,
}

impl Reader<'_> {
    /// State of the group's domain; `None` if it has none, `Err` if no attempt came to an end.
    pub(super) fn domain(&self, group: &Group) -> Option<Result<DomainState, Changed>> {
        let iovad = group.domain?.iovad;
        let mut readings: Vec<Reading> = Vec::new();
        for _ in 0..ATTEMPTS {
            let Ok(reading) = self.attempt(group) else { continue };
            if readings.last() == Some(&reading) && reading.is_whole() {
                return Some(Ok(self.state(group, iovad, &reading, Consistency::Stable)));
            }
            readings.push(reading);
        }
        // The latest of the best.
        let best = readings.iter().max_by_key(|reading| (reading.tree.at_once, reading.unlocked));
        Some(best.map(|best| self.state(group, iovad, best, Consistency::Approximate)).ok_or(Changed))
    }

    fn attempt(&self, group: &Group) -> Result<Reading, Changed> {
        let domain = group.domain.ok_or(Changed)?;
        let unlocked = self.wait_for_lock(domain.iovad);
        let memory = Memory::new(self.kcore);
        let field = |offset| memory.u64(domain.iovad + offset);
        let granule = field(self.layout.granule)?;
        // A page size is a power of two; anything else is a domain being torn down.
        if !granule.is_power_of_two() {
            return Err(Changed);
        }
        Ok(Reading {
            granule,
            start_pfn: field(self.layout.start_pfn)?,
            dma_32bit_pfn: field(self.layout.dma_32bit_pfn)?,
            max32_alloc_size: field(self.layout.max32_alloc_size)?,
            cached: caches::read(&memory, self.layout, self.cpus, domain.iovad)?,
            pending: queues::read(&memory, self.layout, self.cpus, domain.iovad, domain.cookie)?,
            tree: tree::read(&memory, self.layout, domain.iovad)?,
            unlocked: unlocked && self.is_unlocked(domain.iovad),
        })
    }

    /// Waits a moment for whoever changes the tree to be done: on a machine whose CPUs are taken away from it, that one
    /// may stand still in the middle, and every reading would show the same half of a change.
    fn wait_for_lock(&self, iovad: u64) -> bool {
        (0..LOOKS).any(|look| {
            if look > 0 {
                std::thread::sleep(PAUSE);
            }
            self.is_unlocked(iovad)
        })
    }

    fn is_unlocked(&self, iovad: u64) -> bool {
        let word = |lock| Memory::new(self.kcore).u32(iovad + lock);
        self.layout.lock.is_none_or(|lock| word(lock).is_ok_and(|held| held == 0))
    }

    fn state(&self, group: &Group, iovad: u64, reading: &Reading, consistency: Consistency) -> DomainState {
        let shift = reading.granule.trailing_zeros();
        let reserved = self.reservations.of(&Memory::new(self.kcore), self.layout, group, shift);
        let holders = reading.holders();
        let ranges = || reading.tree.nodes.iter().map(|node| classify(*node, &holders, &reserved));
        let ranges = space::merge(ranges());
        let end = 1_u64.checked_shl(32_u32.saturating_sub(shift)).unwrap_or(u64::MAX);
        let high = ranges.iter().map(|range| (range.pfn_hi + 1).saturating_sub(range.pfn_lo.max(end)));
        DomainState {
            iovad,
            group: Some(group.id),
            granule: reading.granule,
            nodes: reading.tree.nodes.len() as u64,
            low: space::low_space(&ranges, reading.start_pfn, end),
            high_pages: high.sum(),
            cached_by_order: reading.cached.pfns.each_ref().map(|pfns| pfns.len() as u64),
            depot_by_order: reading.cached.depot,
            fq_entries: reading.pending.entries.len() as u64,
            lazy: reading.pending.lazy,
            max32_alloc_pages: reading.max32_alloc_size,
            consistency,
            ranges: ranges.into(),
        }
    }
}

/// Who holds an address that no device has mapped.
#[derive(Debug, Default)]
struct Holders {
    by_pfn: HashMap<u64, RangeKind>,
    /// An address in two places at once.
    twice: bool,
}

impl Reading {
    /// Nothing in it shows that the domain changed meanwhile. A cached or queued address without a node can't be: it
    /// moved while we looked.
    fn is_whole(&self) -> bool {
        self.unlocked && self.tree.at_once && self.holders().complete(&self.tree.nodes)
    }

    fn holders(&self) -> Holders {
        let mut holders = Holders::default();
        for (pfn, _) in &self.pending.entries {
            holders.add(*pfn, RangeKind::Pending);
        }
        for pfn in self.cached.pfns.iter().flatten() {
            holders.add(*pfn, RangeKind::Cached);
        }
        holders
    }
}

impl Holders {
    fn add(&mut self, pfn: u64, kind: RangeKind) {
        self.twice |= self.by_pfn.insert(pfn, kind).is_some();
    }

    /// True if every address held has its node.
    fn complete(&self, nodes: &[Node]) -> bool {
        let found = nodes.iter().filter(|node| self.by_pfn.contains_key(&node.lo)).count();
        !self.twice && found == self.by_pfn.len()
    }
}

fn classify(node: Node, holders: &Holders, reserved: &Pages) -> Range {
    let kind = match holders.by_pfn.get(&node.lo) {
        Some(kind) => *kind,
        None if reserved.contains(node.lo, node.hi) => RangeKind::Reserved,
        None => RangeKind::Live,
    };
    Range { pfn_lo: node.lo, pfn_hi: node.hi, kind }
}
