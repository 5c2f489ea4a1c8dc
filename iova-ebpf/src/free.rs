//! Unmaps per device.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;

use crate::asm::add;
use crate::device;
use crate::frame;
use crate::hist;
use crate::kernel::{Ptr, arg, arg_ptr, config, field, offset};

/// `DMA_IOVA_USE_SWIOTLB`, the top bit of `dma_iova_state.__size` (include/linux/dma-mapping.h, 6.16 and later).
const SIZE_MASK: u64 = !(1 << 63);

#[inline(always)]
fn enter(ctx: *mut c_void, dev: Ptr, size: u64) {
    let Some(slot) = device::slot(dev, || core::ptr::null()) else { return };
    add!(&raw mut (*slot.agg).free_count, 1);
    add!(&raw mut (*slot.agg).free_bytes, size);
    if config!(free_latency) != 0 {
        frame::open_free(ctx, config!(free_sample_mask));
    }
}

#[inline(always)]
fn exit(ctx: *mut c_void) {
    let Some(ns) = frame::close_free(ctx) else { return };
    if let Some(slot) = device::slot(arg_ptr(ctx, 0), || core::ptr::null()) {
        hist::record(unsafe { &raw mut (*slot.agg).free_latency }, ns);
    }
}

/// `static void __iommu_dma_unmap(struct device *dev, dma_addr_t dma_addr, size_t size)`, drivers/iommu/dma-iommu.c.
#[fentry(function = "__iommu_dma_unmap")]
pub fn free_enter(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    enter(ctx, arg_ptr(ctx, 0), arg(ctx, 2));
    0
}

#[fexit(function = "__iommu_dma_unmap")]
pub fn free_exit(ctx: FExitContext) -> i32 {
    exit(ctx.as_ptr());
    0
}

/// `static void intel_unmap(struct device *dev, dma_addr_t dev_addr, size_t size)`, drivers/iommu/intel/iommu.c, 5.10.
#[fentry(function = "intel_unmap")]
pub fn free_intel_enter(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    enter(ctx, arg_ptr(ctx, 0), arg(ctx, 2));
    0
}

#[fexit(function = "intel_unmap")]
pub fn free_intel_exit(ctx: FExitContext) -> i32 {
    exit(ctx.as_ptr());
    0
}

/// `void dma_iova_free(struct device *dev, struct dma_iova_state *state)`, drivers/iommu/dma-iommu.c: the two-step API
/// of 6.16 and later. On 7.3 `dma_iova_destroy` calls it too.
#[fentry(function = "dma_iova_free")]
pub fn free_two_step_enter(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    let size = field::<u64>(arg_ptr(ctx, 1), offset!(dma_iova_state_size)).unwrap_or(0) & SIZE_MASK;
    enter(ctx, arg_ptr(ctx, 0), size);
    0
}

#[fexit(function = "dma_iova_free")]
pub fn free_two_step_exit(ctx: FExitContext) -> i32 {
    exit(ctx.as_ptr());
    0
}
