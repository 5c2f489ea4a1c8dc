//! Unmaps per device.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;
use iova_common::agg::DeviceAgg;
use iova_common::call::CallKind;

use crate::asm::add;
use crate::call::{self, SILENT, TELLING, Told};
use crate::device;
use crate::frame;
use crate::hist;
use crate::kernel::{Ptr, arg, arg_ptr, config, field, mask, offset};
use crate::maps::{FREE_SAMPLES, FREES};

/// `DMA_IOVA_USE_SWIOTLB`, the top bit of `dma_iova_state.__size` (include/linux/dma-mapping.h, 6.16 and later).
const SIZE_MASK: u64 = !(1 << 63);

#[inline(always)]
fn enter<const TELL: bool>(
    ctx: *mut c_void,
    dev: Ptr,
    heeds_buses: bool,
    addr: impl FnOnce() -> u64,
    size: impl FnOnce() -> u64,
) {
    let Some(agg) = device::slot(dev, heeds_buses, || core::ptr::null()) else { return };
    let size = size();
    add!(agg, DeviceAgg.free_count, 1);
    add!(agg, DeviceAgg.free_bytes, size);
    if TELL {
        let kind = CallKind::Free;
        call::send(Told { kind, dev: dev as u64, addr: addr(), limit: 0, size, ns: 0 });
    }
    if config!(free_latency) != 0 && mask!(unsafe { (*agg).free_count }, free_sample_mask) == 0 {
        frame::open_free(ctx, unsafe { (*agg).slot });
    }
}

/// `__iommu_dma_unmap` and its twin have the same arguments: device, address, size.
#[inline(always)]
fn unmap<const TELL: bool>(ctx: *mut c_void, heeds_buses: bool) -> i32 {
    enter::<TELL>(ctx, arg_ptr(ctx, 0), heeds_buses, || arg(ctx, 1), || arg(ctx, 2));
    0
}

#[inline(always)]
fn two_step<const TELL: bool>(ctx: *mut c_void) -> i32 {
    let size = || field::<u64>(arg_ptr(ctx, 1), offset!(dma_iova_state_size)).unwrap_or(0) & SIZE_MASK;
    let addr = || field::<u64>(arg_ptr(ctx, 1), offset!(dma_iova_state_addr)).unwrap_or(0);
    enter::<TELL>(ctx, arg_ptr(ctx, 0), true, addr, size);
    0
}

#[inline(always)]
fn exit(ctx: *mut c_void) {
    let Some((slot, ns)) = frame::close_free(ctx) else { return };
    let sampled = config!(free_sample_mask) != 0;
    let latency = if sampled { FREE_SAMPLES.get_ptr_mut(slot) } else { FREES.get_ptr_mut(slot) };
    if let Some(latency) = latency {
        hist::record(latency, ns);
    }
}

/// `static void __iommu_dma_unmap(struct device *dev, dma_addr_t dma_addr, size_t size)`, drivers/iommu/dma-iommu.c.
#[fentry(function = "__iommu_dma_unmap")]
pub fn free_enter(ctx: FEntryContext) -> i32 {
    unmap::<SILENT>(ctx.as_ptr(), true)
}

#[fentry(function = "__iommu_dma_unmap")]
pub fn free_enter_told(ctx: FEntryContext) -> i32 {
    unmap::<TELLING>(ctx.as_ptr(), true)
}

#[fexit(function = "__iommu_dma_unmap")]
pub fn free_exit(ctx: FExitContext) -> i32 {
    exit(ctx.as_ptr());
    0
}

/// `static void intel_unmap(struct device *dev, dma_addr_t dev_addr, size_t size)`, drivers/iommu/intel/iommu.c, 5.10.
#[fentry(function = "intel_unmap")]
pub fn free_intel_enter(ctx: FEntryContext) -> i32 {
    unmap::<SILENT>(ctx.as_ptr(), false)
}

#[fentry(function = "intel_unmap")]
pub fn free_intel_enter_told(ctx: FEntryContext) -> i32 {
    unmap::<TELLING>(ctx.as_ptr(), false)
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
    two_step::<SILENT>(ctx.as_ptr())
}

#[fentry(function = "dma_iova_free")]
pub fn free_two_step_enter_told(ctx: FEntryContext) -> i32 {
    two_step::<TELLING>(ctx.as_ptr())
}

#[fexit(function = "dma_iova_free")]
pub fn free_two_step_exit(ctx: FExitContext) -> i32 {
    exit(ctx.as_ptr());
    0
}
