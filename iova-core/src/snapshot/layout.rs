//! Where the allocator's fields are on the running kernel. Every difference between kernel lines that the walker has
//! to know is an `Option` or an enum here, decided by what BTF has.

use crate::kernel::Types;

/// A field that every kernel known so far has is missing: the allocator was rewritten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this kernel keeps IOVAs in a way this version does not know ({0} is not in its type information): allocator \
     state can't be read; update iova, or report the kernel version"
)]
pub struct UnknownLayout(pub String);

/// `iova_domain`, its tree and its caches (`include/linux/iova.h`, `drivers/iommu/iova.c`).
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) rb_left: u64,
    pub(crate) rb_right: u64,
    pub(crate) iova_node: u64,
    pub(crate) iova_lo: u64,
    pub(crate) iova_hi: u64,
    pub(crate) iova_size: usize,
    pub(crate) rbroot: u64,
    pub(crate) granule: u64,
    pub(crate) start_pfn: u64,
    pub(crate) dma_32bit_pfn: u64,
    pub(crate) max32_alloc_size: u64,
    /// The word of `iova_rbtree_lock` that is 0 while nobody has it (`struct qspinlock`). `None` where the lock sleeps
    /// (`CONFIG_PREEMPT_RT`).
    pub(crate) lock: Option<u64>,
    pub(crate) rcache: RcacheLayout,
    pub(crate) queue: QueueLayout,
}

/// The caches of freed addresses.
#[derive(Clone, Debug)]
pub(crate) struct RcacheLayout {
    /// In `iova_domain`.
    pub(crate) rcaches: u64,
    /// True from 5.18 on: the array is allocated apart (`iova_domain_init_rcaches`); before, it is embedded.
    pub(crate) behind_pointer: bool,
    pub(crate) stride: u64,
    pub(crate) depot_size: u64,
    /// 8 bytes up to 6.6, 4 later.
    pub(crate) depot_size_bytes: u32,
    pub(crate) depot: u64,
    /// `next` of a magazine in a list (6.7 and later, 911aa1245da8); `None`: an array of pointers.
    pub(crate) depot_next: Option<u64>,
    pub(crate) cpu_rcaches: u64,
    pub(crate) loaded: u64,
    pub(crate) prev: u64,
    pub(crate) magazine_size: u64,
    pub(crate) pfns: u64,
    /// `IOVA_MAG_SIZE`: 128 up to 5.19, 127 from 6.0 on.
    pub(crate) capacity: u64,
}

/// The flush queues.
#[derive(Clone, Debug)]
pub(crate) struct QueueLayout {
    /// Pointer to the queue or queues: in `iova_domain` (5.10) or in `iommu_dma_cookie`.
    pub(crate) place: QueuePlace,
    pub(crate) entries: u64,
    pub(crate) entry_stride: u64,
    pub(crate) head: u64,
    pub(crate) tail: u64,
    /// How long the ring is.
    pub(crate) length: QueueLength,
    pub(crate) pfn: u64,
    pub(crate) pages: u64,
}

/// Where the pointer to the queues is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QueuePlace {
    /// `iova_domain.fq`, per CPU (up to 5.16).
    Domain(u64),
    /// `iommu_dma_cookie.fq`, per CPU; valid if `fq_domain` is set.
    Cookie { queue: u64, fq_domain: u64 },
    /// The same, but per CPU only if `options.qt` says so (6.7 and later).
    CookieKinds { queue: u64, fq_domain: u64, kind: u64, single: u64 },
}

/// How long a ring is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QueueLength {
    /// A constant (`IOVA_FQ_SIZE`, length of the embedded array).
    Fixed(u64),
    /// `mod_mask + 1`, at this offset in the queue.
    Mask(u64),
}

/// Looks fields up and remembers the name of the first one missing.
pub(crate) struct Lookup<'a>(pub(crate) &'a Types);

impl Lookup<'_> {
    pub(crate) fn need(&self, path: &str) -> Result<u64, UnknownLayout> {
        self.may(path).ok_or_else(|| UnknownLayout(path.to_owned()))
    }

    pub(crate) fn may(&self, path: &str) -> Option<u64> {
        self.0.offset(path).map(u64::from)
    }

    pub(crate) fn size(&self, name: &str) -> Result<u64, UnknownLayout> {
        self.0.size_of(name).map(u64::from).ok_or_else(|| UnknownLayout(name.to_owned()))
    }

    fn array_len(&self, path: &str) -> Result<u64, UnknownLayout> {
        let length = self.0.member(path).and_then(|member| self.0.array_len(member));
        length.map(u64::from).ok_or_else(|| UnknownLayout(format!("length of {path}")))
    }
}

impl Layout {
    pub(crate) fn resolve(types: &Types) -> Result<Self, UnknownLayout> {
        let of = Lookup(types);
        Ok(Self {
            rb_left: of.need("rb_node.rb_left")?,
            rb_right: of.need("rb_node.rb_right")?,
            iova_node: of.need("iova.node")?,
            iova_lo: of.need("iova.pfn_lo")?,
            iova_hi: of.need("iova.pfn_hi")?,
            iova_size: of.size("iova")? as usize,
            rbroot: of.need("iova_domain.rbroot.rb_node")?,
            granule: of.need("iova_domain.granule")?,
            start_pfn: of.need("iova_domain.start_pfn")?,
            dma_32bit_pfn: of.need("iova_domain.dma_32bit_pfn")?,
            max32_alloc_size: of.need("iova_domain.max32_alloc_size")?,
            lock: of.may("iova_domain.iova_rbtree_lock.rlock.raw_lock"),
            rcache: RcacheLayout::resolve(&of)?,
            queue: QueueLayout::resolve(&of)?,
        })
    }
}

impl RcacheLayout {
    fn resolve(of: &Lookup<'_>) -> Result<Self, UnknownLayout> {
        let rcaches = "iova_domain.rcaches";
        let depot_size = "iova_rcache.depot_size";
        Ok(Self {
            rcaches: of.need(rcaches)?,
            behind_pointer: of.0.member(rcaches).is_some_and(|member| of.0.is_pointer(member)),
            stride: of.size("iova_rcache")?,
            depot_size: of.need(depot_size)?,
            depot_size_bytes: of.0.member(depot_size).and_then(|m| of.0.member_size(m)).unwrap_or(8),
            depot: of.need("iova_rcache.depot")?,
            depot_next: of.may("iova_magazine.next"),
            cpu_rcaches: of.need("iova_rcache.cpu_rcaches")?,
            loaded: of.need("iova_cpu_rcache.loaded")?,
            prev: of.need("iova_cpu_rcache.prev")?,
            magazine_size: of.need("iova_magazine.size")?,
            pfns: of.need("iova_magazine.pfns")?,
            capacity: of.array_len("iova_magazine.pfns")?,
        })
    }
}

impl QueueLayout {
    fn resolve(of: &Lookup<'_>) -> Result<Self, UnknownLayout> {
        let length = match of.may("iova_fq.mod_mask") {
            Some(mask) => QueueLength::Mask(mask),
            None => QueueLength::Fixed(of.array_len("iova_fq.entries")?),
        };
        Ok(Self {
            place: QueuePlace::resolve(of)?,
            entries: of.need("iova_fq.entries")?,
            entry_stride: of.size("iova_fq_entry")?,
            head: of.need("iova_fq.head")?,
            tail: of.need("iova_fq.tail")?,
            length,
            pfn: of.need("iova_fq_entry.iova_pfn")?,
            pages: of.need("iova_fq_entry.pages")?,
        })
    }
}

impl QueuePlace {
    fn resolve(of: &Lookup<'_>) -> Result<Self, UnknownLayout> {
        if let Some(queue) = of.may("iova_domain.fq") {
            return Ok(Self::Domain(queue));
        }
        let fq_domain = of.need("iommu_dma_cookie.fq_domain")?;
        if let Some(queue) = of.may("iommu_dma_cookie.fq") {
            return Ok(Self::Cookie { queue, fq_domain });
        }
        Ok(Self::CookieKinds {
            queue: of.need("iommu_dma_cookie.percpu_fq")?,
            fq_domain,
            kind: of.need("iommu_dma_cookie.options.qt")?,
            single: of.0.enumerator("iommu_dma_queue_type", "IOMMU_DMA_OPTS_SINGLE_QUEUE").unwrap_or(1),
        })
    }
}
