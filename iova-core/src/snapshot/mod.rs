//! The allocator's state at one moment: tree, caches, flush queues, flags, per IOVA domain.
//!
//! Read from plain user space through `/proc/kcore`, with the offsets of BTF and the addresses of kallsyms: no module,
//! no eBPF program, no lock. What is read may change meanwhile, so a domain is read until two readings in a row are
//! equal in every node, cached address and queue entry ([`Consistency::Stable`]); if that does not happen, the last
//! reading is given as [`Consistency::Approximate`].

mod caches;
mod cpus;
mod domain;
pub(crate) mod groups;
mod layout;
pub(crate) mod memory;
mod queues;
mod reserved;
mod space;
mod take;
mod tree;
mod written;

pub use layout::UnknownLayout;
pub(crate) use take::groups;
pub use take::{take, take_group};

use cpus::Cpus;
use iova_common::agg::ORDERS;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::kernel::ReadError;

/// The kernel changed something while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed;

impl From<ReadError> for Changed {
    fn from(_: ReadError) -> Self {
        Self
    }
}

/// A node of the tree: `struct iova`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    lo: u64,
    hi: u64,
}

/// How a snapshot was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Two readings in a row agreed, or nothing ran.
    Stable,
    /// The tree changed while it was read, every retry too: the figures are close, not exact.
    Approximate,
}

/// A piece of the 32-bit space, for maps of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First page.
    pub pfn_lo: u64,
    /// Last page.
    pub pfn_hi: u64,
    /// What it is.
    pub kind: RangeKind,
}

/// What holds a piece of the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RangeKind {
    /// Reserved: bridge windows, MSI, firmware.
    Reserved,
    /// Mapped by a device.
    Live,
    /// In a per-CPU cache or the depot.
    Cached,
    /// In a flush queue.
    Pending,
}

/// One IOVA domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainState {
    /// Address of the `struct iova_domain`.
    pub iovad: u64,
    /// IOMMU group that uses it.
    pub group: Option<u32>,
    /// Bytes per page of this domain.
    pub granule: u64,
    /// Everything in the tree, in address order, neighbours of one kind merged; shared by all that look at it. Written as one list per range: pages free
    /// before it, pages of it, and its kind; so a recording of a regular space repeats itself, and packs well.
    #[serde(with = "written")]
    pub ranges: Arc<[Range]>,
    /// Nodes in the tree, the anchor not counted.
    pub nodes: u64,
    /// Low pages by kind.
    pub low: LowSpace,
    /// Pages in the tree at or above 4 GiB.
    pub high_pages: u64,
    /// Cached IOVAs per order 0..=5 (count of addresses, not pages).
    pub cached_by_order: [u64; 6],
    /// Magazines in the depot, per order.
    pub depot_by_order: [u64; 6],
    /// Entries waiting in flush queues.
    pub fq_entries: u64,
    /// True if the domain unmaps lazily.
    pub lazy: bool,
    /// `max32_alloc_size`: requests of this many pages or more fail at once; equal to 2^20 when unset.
    pub max32_alloc_pages: u64,
    /// How it was read.
    pub consistency: Consistency,
}

/// The pages of one domain below 4 GiB: reserved + live + cached + pending + free = 4 GiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowSpace {
    /// Pages no allocation can ever get.
    pub reserved: u64,
    /// Pages mapped by devices.
    pub live: u64,
    /// Pages in caches.
    pub cached: u64,
    /// Pages in flush queues.
    pub pending: u64,
    /// Pages in nobody's hands.
    pub free: u64,
    /// Longest run of free pages.
    pub largest_gap: u64,
    /// Free naturally aligned blocks of 2^order pages: how many such allocations would still succeed.
    pub aligned_blocks: [u64; ORDERS],
}

/// All domains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// CLOCK_MONOTONIC, ns.
    pub ns: u64,
    /// Domains of IOMMU groups.
    pub domains: Vec<DomainState>,
    /// What could not be read, each one sentence.
    pub missing: Vec<String>,
}

#[cfg(test)]
mod tests;
