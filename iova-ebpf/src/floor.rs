//! Empty programs at the places of the real ones: what the kernel's trampolines cost by themselves. Only the bench
//! attaches them.
#![no_std]
#![no_main]

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

/// The same licence as the real programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";

macro_rules! empty {
    ($function:literal, $enter:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub fn $enter(_ctx: FEntryContext) -> i32 {
            0
        }

        #[fexit(function = $function)]
        pub fn $exit(_ctx: FExitContext) -> i32 {
            0
        }
    };
}

/// The same for a function whose return alone is traced.
macro_rules! empty_exit {
    ($function:literal, $exit:ident) => {
        #[fexit(function = $function)]
        pub fn $exit(_ctx: FExitContext) -> i32 {
            0
        }
    };
}

empty_exit!("iommu_dma_alloc_iova", alloc_alone_exit);
empty_exit!("intel_alloc_iova", alloc_intel_alone_exit);
empty!("iommu_dma_alloc_iova", alloc_enter, alloc_exit);
empty!("intel_alloc_iova", alloc_intel_enter, alloc_intel_exit);
empty!("__iommu_dma_unmap", free_enter, free_exit);
empty!("intel_unmap", free_intel_enter, free_intel_exit);
empty!("iommu_dma_map_page", map_page_enter, map_page_exit);
empty!("iommu_dma_map_phys", map_phys_enter, map_phys_exit);
empty!("intel_map_page", map_intel_page_enter, map_intel_page_exit);

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
