//! The whole `dma_map` call around an allocation (profile `full`): how much of it is the allocator's.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use core::ffi::c_void;

use crate::device;
use crate::frame;
use crate::hist;
use crate::kernel::arg_ptr;
use crate::maps::MAPS;

/// All traced map functions take the `struct device *` first.
#[inline(always)]
fn exit(ctx: *mut c_void, heeds_buses: bool) {
    let Some(ns) = frame::close_map(ctx) else { return };
    let Some(agg) = device::slot(arg_ptr(ctx, 0), heeds_buses, || core::ptr::null()) else { return };
    if let Some(agg) = MAPS.get_ptr_mut(unsafe { (*agg).slot }) {
        hist::record(unsafe { &raw mut (*agg).latency }, ns);
    }
}

/// The entry and return programs of one map function. An ELF program has one target, so each gets its pair.
/// `$heeds_buses` is what [`device::slot`] asks for.
macro_rules! map_function {
    ($function:literal, $heeds_buses:literal, $enter:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub fn $enter(ctx: FEntryContext) -> i32 {
            frame::open_map(ctx.as_ptr());
            0
        }

        #[fexit(function = $function)]
        pub fn $exit(ctx: FExitContext) -> i32 {
            exit(ctx.as_ptr(), $heeds_buses);
            0
        }
    };
}

map_function!("iommu_dma_map_page", true, map_page_enter, map_page_exit);
map_function!("iommu_dma_map_phys", true, map_phys_enter, map_phys_exit);
map_function!("iommu_dma_map_sg", true, map_sg_enter, map_sg_exit);
map_function!("iommu_dma_alloc", true, map_coherent_enter, map_coherent_exit);
map_function!("dma_iova_try_alloc", true, map_two_step_enter, map_two_step_exit);
map_function!("intel_map_page", false, map_intel_page_enter, map_intel_page_exit);
map_function!("intel_map_sg", false, map_intel_sg_enter, map_intel_sg_exit);
map_function!("intel_alloc_coherent", false, map_intel_coherent_enter, map_intel_coherent_exit);
