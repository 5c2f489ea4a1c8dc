//! Reading kernel structs: typed loads at offsets that the verifier checks against the running kernel's BTF.
//! Offsets and the configuration are constants in the code, which user space writes there.

/// The field does not exist on this kernel.
pub const ABSENT: u64 = iova_common::offsets::ABSENT as u64;

/// A pointer into the kernel, as the verifier typed it.
pub type Ptr = *const u8;

/// One field of [`Config`](iova_common::config::Config).
macro_rules! config {
    ($field:ident) => {
        crate::asm::patched::<
            { iova_common::patch::config(core::mem::offset_of!(iova_common::config::Config, $field)) },
        >()
    };
}
pub(crate) use config;

/// One field of [`Offsets`](iova_common::offsets::Offsets).
macro_rules! offset {
    ($field:ident) => {
        crate::asm::patched::<
            { iova_common::patch::offset(core::mem::offset_of!(iova_common::offsets::Offsets, $field)) },
        >()
    };
}
pub(crate) use offset;

/// Loads a field of [`Offsets`](iova_common::offsets::Offsets) that the kernel has; where it has none, the verifier refuses the program,
/// unless the load is ruled out before.
macro_rules! load {
    ($type:ty, $base:expr, $field:ident) => {
        <$type as crate::asm::Loaded>::load::<
            { iova_common::patch::load(core::mem::offset_of!(iova_common::offsets::Offsets, $field)) },
        >($base)
    };
}
pub(crate) use load;

/// The bits of a number that a field of [`Config`](iova_common::config::Config) leaves.
macro_rules! mask {
    ($value:expr, $field:ident) => {
        crate::asm::patched_mask::<
            { iova_common::patch::mask(core::mem::offset_of!(iova_common::config::Config, $field)) },
        >($value)
    };
}
pub(crate) use mask;

/// Loads a field, `None` where the kernel has no such field. A bad pointer reads as 0: the verifier makes these loads
/// fault-tolerant.
#[inline(always)]
pub fn field<T: Copy>(base: Ptr, offset: u64) -> Option<T> {
    if offset == ABSENT {
        return None;
    }
    Some(unsafe { core::ptr::read_volatile(base.add(offset as usize).cast::<T>()) })
}

/// The address of an embedded struct.
#[inline(always)]
pub fn embedded(base: Ptr, offset: u64) -> Option<Ptr> {
    (offset != ABSENT).then(|| unsafe { base.add(offset as usize) })
}

/// Argument `n` of the traced function; after the last one, a fexit program finds the return value.
#[inline(always)]
pub fn arg(ctx: *mut core::ffi::c_void, n: usize) -> u64 {
    unsafe { core::ptr::read_volatile(ctx.cast::<u64>().add(n)) }
}

/// The same for a pointer, which keeps the type the verifier gave it.
#[inline(always)]
pub fn arg_ptr(ctx: *mut core::ffi::c_void, n: usize) -> Ptr {
    unsafe { core::ptr::read_volatile(ctx.cast::<Ptr>().add(n)) }
}

/// The domain (`struct iova_domain *`) behind a `struct iommu_domain *` that DMA is mapped through.
#[inline(always)]
pub fn iovad_of(domain: Ptr) -> Ptr {
    let Some(cookie) = field::<Ptr>(domain, offset!(iommu_domain_iova_cookie)) else {
        return core::ptr::null();
    };
    embedded(cookie, offset!(iommu_dma_cookie_iovad)).unwrap_or(core::ptr::null())
}

/// The IOMMU group's number, -1 if it can't be read.
#[inline(always)]
pub fn group_of(dev: Ptr) -> i32 {
    let Some(group) = field::<Ptr>(dev, offset!(device_iommu_group)) else {
        return -1;
    };
    field::<i32>(group, offset!(iommu_group_id)).unwrap_or(-1)
}
