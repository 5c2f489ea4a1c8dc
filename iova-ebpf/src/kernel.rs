//! Reading kernel structs: typed loads at offsets that the verifier checks against the running kernel's BTF.

use iova_common::config::Config;
use iova_common::offsets::{ABSENT, Offsets};

/// Set by user space before load; `.rodata` is frozen, so the verifier treats it as constant.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::NONE;
/// The same for the configuration.
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::DEFAULT;

/// A pointer into the kernel, as the verifier typed it.
pub type Ptr = *const u8;

/// One field of [`CONFIG`].
macro_rules! config {
    ($field:ident) => {
        crate::kernel::constant(|| &raw const crate::kernel::CONFIG.$field)
    };
}
pub(crate) use config;

/// One field of [`OFFSETS`].
macro_rules! offset {
    ($field:ident) => {
        crate::kernel::constant(|| &raw const crate::kernel::OFFSETS.$field)
    };
}
pub(crate) use offset;

/// Reads a constant that user space may have changed after compilation.
#[inline(always)]
pub fn constant<T: Copy>(place: impl FnOnce() -> *const T) -> T {
    unsafe { core::ptr::read_volatile(place()) }
}

/// Loads a field, `None` where the kernel has no such field. A bad pointer reads as 0: the verifier makes these loads
/// fault-tolerant.
#[inline(always)]
pub fn field<T: Copy>(base: Ptr, offset: u32) -> Option<T> {
    if offset == ABSENT {
        return None;
    }
    Some(unsafe { core::ptr::read_volatile(base.add(offset as usize).cast::<T>()) })
}

/// The address of an embedded struct.
#[inline(always)]
pub fn embedded(base: Ptr, offset: u32) -> Option<Ptr> {
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
