//! The flush queues: addresses unmapped but not given back, because the IOMMU may still have them in its TLB.
//!
//! `struct iova_fq` in `include/linux/iova.h` (5.10, `drivers/iommu/iova.c` queue_iova) and in
//! `drivers/iommu/dma-iommu.c` (later). Everything between head and tail is still in the tree, whether its flush has
//! happened or not: it is given back only by `fq_ring_free`.

use super::layout::{Layout, QueueLength, QueuePlace};
use super::memory::{Memory, kernel_address};
use super::{Changed, Cpus};

/// The largest ring known is 32768 (`IOVA_SINGLE_FQ_SIZE`).
const MAX_LENGTH: u64 = 1 << 20;

/// What waits in one domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// True if the domain has flush queues at all.
    pub(super) lazy: bool,
    /// `(first page, pages)`.
    pub(super) entries: Vec<(u64, u64)>,
}

pub(super) fn read(
    memory: &Memory<'_>,
    layout: &Layout,
    cpus: &Cpus,
    iovad: u64,
    cookie: Option<u64>,
) -> Result<Pending, Changed> {
    let mut pending = Pending::default();
    let Some((queue, per_cpu)) = find(memory, layout.queue.place, iovad, cookie)? else { return Ok(pending) };
    pending.lazy = true;
    let bases = if per_cpu { cpus.bases() } else { &[0] };
    for base in bases {
        ring(memory, layout, kernel_address(queue.wrapping_add(*base))?, &mut pending.entries)?;
    }
    Ok(pending)
}

/// The queue pointer, and whether it is per CPU; `None` if the domain unmaps strictly.
fn find(
    memory: &Memory<'_>,
    place: QueuePlace,
    iovad: u64,
    cookie: Option<u64>,
) -> Result<Option<(u64, bool)>, Changed> {
    let (address, fq_domain, kind) = match (place, cookie) {
        (QueuePlace::Domain(queue), _) => (iovad + queue, None, None),
        (_, None) => return Ok(None),
        (QueuePlace::Cookie { queue, fq_domain }, Some(cookie)) => {
            (cookie + queue, Some(cookie + fq_domain), None)
        }
        (QueuePlace::CookieKinds { queue, fq_domain, kind, single }, Some(cookie)) => {
            (cookie + queue, Some(cookie + fq_domain), Some((cookie + kind, single)))
        }
    };
    // The pointer is set first, then `fq_domain` (iommu_dma_init_fq): without the latter nothing is queued.
    if let Some(fq_domain) = fq_domain
        && memory.u64(fq_domain)? == 0
    {
        return Ok(None);
    }
    let per_cpu = match kind {
        Some((kind, single)) => u64::from(memory.u32(kind)?) != single,
        None => true,
    };
    let queue = memory.u64(address)?;
    Ok((queue != 0).then_some((queue, per_cpu)))
}

fn ring(
    memory: &Memory<'_>,
    layout: &Layout,
    queue: u64,
    entries: &mut Vec<(u64, u64)>,
) -> Result<(), Changed> {
    let layout = &layout.queue;
    let length = match layout.length {
        QueueLength::Fixed(length) => length,
        QueueLength::Mask(mask) => u64::from(memory.u32(queue + mask)?) + 1,
    };
    let head = u64::from(memory.u32(queue + layout.head)?);
    let tail = u64::from(memory.u32(queue + layout.tail)?);
    if length > MAX_LENGTH || head >= length || tail >= length {
        return Err(Changed);
    }
    let mut at = head;
    while at != tail {
        let entry = queue + layout.entries + at * layout.entry_stride;
        entries.push((memory.u64(entry + layout.pfn)?, memory.u64(entry + layout.pages)?));
        at = (at + 1) % length;
    }
    Ok(())
}
