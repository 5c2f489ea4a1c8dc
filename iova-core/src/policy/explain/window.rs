//! Where the low 32 bits of the high addresses shall lie.
//!
//! `dac:N` hands out addresses from a base of high bits plus `window` down. A device that loses these aims at `[0, window]`,
//! just below the window's top. If nothing is mapped there, the IOMMU refuses the access and reports it; if something
//! is, the device writes into it and nobody notices. So the window is put where nothing is and nothing will be: into the
//! largest free range, or, where the space is full or in pieces, into what the kernel reserves for PCI devices and no
//! device uses. The IOMMU has nothing mapped there either, and the allocator never will.

use serde::Serialize;

use super::{Facts, Wish};
use crate::metric::Unit;
use crate::policy::Policy;
use crate::snapshot::{DomainState, RangeKind};

/// A place below 4 GiB with nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Highest low 32 bits that are handed out.
    pub top: u32,
    /// Bytes below the top in which nothing is mapped: what the device may use before its addresses, cut to 32 bits,
    /// meet anything.
    pub room_bytes: u64,
}

impl Window {
    /// What the module takes if nobody chooses: half of the low space.
    pub const DEFAULT_TOP: u32 = 0x7fff_ffff;
    /// Less room than this is none: a ring and a few buffers of one device.
    pub const LEAST_ROOM: u64 = 64 << 20;
}

/// Why there is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWindow {
    /// The domain could not be looked at.
    #[error(
        "what is mapped below 4 GiB can't be seen (kernel memory can't be read, or changes faster than that), so no \
         window can be chosen in which a truncated address would hit nothing: run as root without \
         lockdown=confidentiality, when the device is less busy, or say --whole to do without"
    )]
    Unseen,
    /// No gap is large enough.
    #[error(
        "the largest free range below 4 GiB has {}, and a window needs 64 MiB in which a truncated address hits nothing: \
         bind the driver anew when the device is idle, or say --whole to do without",
        Unit::Bytes.render(Some(*largest_bytes as f64))
    )]
    TooSmall {
        /// The largest gap found, bytes.
        largest_bytes: u64,
    },
    /// The module's fill and mappings can't be told apart.
    #[error(
        "the module holds the space below 4 GiB for a policy in force, among {} that are mapped, so no window can be \
         chosen: revert first (`iova policy revert`), then try",
        Unit::Bytes.render(Some(*live_bytes as f64))
    )]
    Filled {
        /// Mapped beside what is held, bytes.
        live_bytes: u64,
    },
}

/// The interrupt range of x86 (`IOAPIC_RANGE_START`, `drivers/iommu/intel/iommu.h`): a DMA write there is an
/// interrupt message.
const MSI: (u64, u64) = (0xfee0_0000, 0xfeef_ffff);
const LOW_END: u64 = 1 << 32;
/// Windows end at a multiple of this, so that aligned requests don't leave a hole at the top.
const ALIGN: u64 = 2 << 20;

/// The window for a wish; `None` if it needs none (not dac, or the user wants the whole width).
pub(super) fn choose(facts: &Facts, wish: &Wish) -> Option<Result<Window, NoWindow>> {
    if wish.whole || !matches!(wish.policy, Policy::Dac(_)) {
        return None;
    }
    Some(window(facts))
}

fn window(facts: &Facts) -> Result<Window, NoWindow> {
    let domain = facts.domain.as_ref().ok_or(NoWindow::Unseen)?;
    let free = if facts.held_bytes() > 0 { filled(facts) } else { in_free_space(facts, domain) };
    free.or_else(|why| ending_in(largest(&holes(domain, &facts.taken))).map_err(|_| why))
}

fn in_free_space(facts: &Facts, domain: &DomainState) -> Result<Window, NoWindow> {
    let (first, end) = largest(&gaps(domain, &facts.taken));
    // Who still gets low addresses gets them from the top of the gap downwards: leave that half to them.
    ending_in((first, if low_goes_on(facts) { first + (end - first) / 2 } else { end }))
}

/// The window at the end of a range.
fn ending_in((first, end): (u64, u64)) -> Result<Window, NoWindow> {
    // The module keeps the last 2 MiB of every width free.
    let end = (end / ALIGN * ALIGN).min(LOW_END - ALIGN);
    let room = end.saturating_sub(first);
    let top = end.checked_sub(1).and_then(|top| u32::try_from(top).ok());
    match top.filter(|_| room >= Window::LEAST_ROOM) {
        Some(top) => Ok(Window { top, room_bytes: room }),
        None => Err(NoWindow::TooSmall { largest_bytes: room }),
    }
}

fn largest(ranges: &[(u64, u64)]) -> (u64, u64) {
    ranges.iter().copied().max_by_key(|range| range.1 - range.0).unwrap_or((0, 0))
}

/// With a fill in force, low mappings look like what is held, unless there are none.
fn filled(facts: &Facts) -> Result<Window, NoWindow> {
    let low = facts.low_use().unwrap_or_default();
    match low.live_bytes + low.cached_bytes + low.pending_bytes {
        0 => Ok(Window { top: Window::DEFAULT_TOP, room_bytes: u64::from(Window::DEFAULT_TOP) + 1 }),
        live_bytes => Err(NoWindow::Filled { live_bytes }),
    }
}

/// True if somebody in the domain will go on to get low addresses: the group's other devices, or the device itself
/// for its coherent buffers.
fn low_goes_on(facts: &Facts) -> bool {
    let narrow = |bits: Option<u8>| bits.is_none_or(|bits| bits <= 32);
    !facts.mates.is_empty() || facts.device.as_ref().is_none_or(|device| narrow(device.coherent_mask_bits))
}

/// What is free between page 1 and 4 GiB.
fn gaps(domain: &DomainState, taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    // Page 0 is never handed out.
    between(domain.granule.max(1), LOW_END, nodes(domain, |_| true).chain(fixed(taken)))
}

/// What is reserved below 4 GiB, for PCI devices or by the firmware, and used by none.
fn holes(domain: &DomainState, taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let reserved = nodes(domain, |kind| kind == RangeKind::Reserved).filter(|range| range.0 < LOW_END);
    reserved.flat_map(|(first, end)| between(first, end.min(LOW_END), fixed(taken))).collect()
}

/// The nodes of some kinds: first byte, and the byte after the last.
fn nodes(domain: &DomainState, wanted: impl Fn(RangeKind) -> bool) -> impl Iterator<Item = (u64, u64)> {
    let granule = domain.granule.max(1);
    domain.ranges.iter().filter(move |range| wanted(range.kind)).map(move |range| {
        let end = range.pfn_hi.saturating_add(1).saturating_mul(granule);
        (range.pfn_lo.saturating_mul(granule), end)
    })
}

/// What somebody answers to, though it may be no node: first byte, and the byte after the last.
fn fixed(taken: &[(u64, u64)]) -> impl Iterator<Item = (u64, u64)> {
    taken.iter().chain([&MSI]).map(|&(first, last)| (first, last.saturating_add(1)))
}

/// What `busy` leaves of a range.
fn between(first: u64, end: u64, busy: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut busy: Vec<(u64, u64)> = busy.filter(|range| range.0 < end && range.1 > first).collect();
    busy.sort_unstable();
    let mut gaps = Vec::new();
    let mut next = first;
    for (busy_first, busy_end) in busy {
        if busy_first > next {
            gaps.push((next, busy_first));
        }
        next = next.max(busy_end);
    }
    if next < end {
        gaps.push((next, end));
    }
    gaps
}
