//! The caches of freed addresses: two magazines per CPU and size, and a depot per size.
//!
//! `drivers/iommu/iova.c`: `struct iova_rcache`, `iova_cpu_rcache`, `iova_magazine`. What is in them is still in the
//! tree, but given out again without looking there.

use super::layout::{Layout, RcacheLayout};
use super::memory::{Memory, kernel_address};
use super::{Changed, Cpus};

/// `IOVA_RANGE_CACHE_MAX_SIZE`: sizes of 1 to 32 pages, six orders, on all kernels up to 7.3. Not in BTF.
pub(super) const ORDERS: usize = 6;
/// The depot is unbounded from 6.7 on; so many magazines would hold more than the low space has pages.
const MAX_DEPOT: u64 = 1 << 16;

/// What is cached in one domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cached {
    /// First pages, per order.
    pub(super) pfns: [Vec<u64>; ORDERS],
    /// Magazines in the depot, per order.
    pub(super) depot: [u64; ORDERS],
}

struct Reader<'a> {
    memory: &'a Memory<'a>,
    layout: &'a RcacheLayout,
    cpus: &'a Cpus,
}

pub(super) fn read(memory: &Memory<'_>, layout: &Layout, cpus: &Cpus, iovad: u64) -> Result<Cached, Changed> {
    let layout = &layout.rcache;
    let mut array = iovad + layout.rcaches;
    if layout.behind_pointer {
        array = memory.pointer(array)?;
    }
    let mut cached = Cached::default();
    // A domain without caches: still being made, or given up.
    if array == 0 {
        return Ok(cached);
    }
    let reader = Reader { memory, layout, cpus };
    for (order, (pfns, depot)) in cached.pfns.iter_mut().zip(&mut cached.depot).enumerate() {
        *depot = reader.one_size(array + order as u64 * layout.stride, pfns)?;
    }
    Ok(cached)
}

impl Reader<'_> {
    /// Appends what one `struct iova_rcache` holds; gives the number of magazines in its depot.
    fn one_size(&self, rcache: u64, pfns: &mut Vec<u64>) -> Result<u64, Changed> {
        let per_cpu = self.memory.u64(rcache + self.layout.cpu_rcaches)?;
        if per_cpu == 0 {
            return Ok(0);
        }
        for base in self.cpus.bases() {
            let cpu_rcache = kernel_address(per_cpu.wrapping_add(*base))?;
            for field in [self.layout.loaded, self.layout.prev] {
                let magazine = self.memory.pointer(cpu_rcache + field)?;
                // 7.3 allocates magazines at the first free.
                if magazine != 0 {
                    let size = self.memory.u64(magazine + self.layout.magazine_size)?;
                    self.magazine(magazine, size, pfns)?;
                }
            }
        }
        self.depot(rcache, pfns)
    }

    fn depot(&self, rcache: u64, pfns: &mut Vec<u64>) -> Result<u64, Changed> {
        let size_at = rcache + self.layout.depot_size;
        let size = match self.layout.depot_size_bytes {
            4 => u64::from(self.memory.u32(size_at)?),
            _ => self.memory.u64(size_at)?,
        };
        if size > MAX_DEPOT {
            return Err(Changed);
        }
        let depot = rcache + self.layout.depot;
        let mut listed = match self.layout.depot_next {
            Some(_) => self.memory.pointer(depot)?,
            None => 0,
        };
        for index in 0..size {
            let magazine = match self.layout.depot_next {
                // A magazine in the list has its `next` where `size` was: it is always full.
                Some(next) => {
                    let magazine = kernel_address(listed)?;
                    listed = self.memory.pointer(magazine + next)?;
                    magazine
                }
                None => self.memory.pointer(depot + 8 * index)?,
            };
            self.magazine(magazine, self.layout.capacity, pfns)?;
        }
        // The list has to end where the count says.
        if listed == 0 { Ok(size) } else { Err(Changed) }
    }

    fn magazine(&self, magazine: u64, size: u64, pfns: &mut Vec<u64>) -> Result<(), Changed> {
        let magazine = kernel_address(magazine)?;
        if size > self.layout.capacity {
            return Err(Changed);
        }
        pfns.extend(self.memory.u64s(magazine + self.layout.pfns, size as usize)?);
        Ok(())
    }
}
