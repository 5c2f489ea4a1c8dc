//! DMA faults, and devices that go away.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::macros::{btf_tracepoint, fentry};
use aya_ebpf::programs::{BtfTracePointContext, FEntryContext};
use iova_common::event::Kind;

use crate::device;
use crate::event::{self, Facts};
use crate::kernel::{ABSENT, arg, arg_ptr, offset};

/// Fault status register (Intel VT-d specification, 11.4.9.1 of revision 4.1): bit 1 = a record is pending, bits 15:8 =
/// index of the first one.
const FSTS: u64 = 0x34;
/// Records looked at per interrupt; hardware has at most 256, QEMU one.
const MAX_RECORDS: u64 = 8;

#[inline(always)]
fn read<T: Copy + Default>(addr: u64) -> T {
    unsafe { bpf_probe_read_kernel(addr as *const T) }.unwrap_or_default()
}

/// `irqreturn_t dmar_fault(int irq, void *dev_id)`, drivers/iommu/intel/dmar.c: the records are read before the handler
/// clears them. Reading these registers has no side effect.
#[fentry(function = "dmar_fault")]
pub fn fault_intel_enter(ctx: FEntryContext) -> i32 {
    let iommu = arg(ctx.as_ptr(), 1);
    let (reg, cap) = (offset!(intel_iommu_reg), offset!(intel_iommu_cap));
    if reg == ABSENT || cap == ABSENT {
        return 0;
    }
    let regs = read::<u64>(iommu + u64::from(reg));
    let cap = read::<u64>(iommu + u64::from(cap));
    let segment = match offset!(intel_iommu_segment) {
        ABSENT => 0,
        at => u64::from(read::<u16>(iommu + u64::from(at))),
    };
    let first = u64::from(read::<u32>(regs + FSTS) >> 8) & 0xff;
    let records = ((cap >> 40) & 0xff) + 1;
    let base = regs + ((cap >> 24) & 0x3ff) * 16;
    for i in 0..MAX_RECORDS {
        let index = first + i;
        if i >= records
            || !record(base + (if index < records { index } else { index - records }) * 16, segment)
        {
            return 0;
        }
    }
    0
}

/// Sends one fault record; false if there is none at `addr`.
#[inline(always)]
fn record(addr: u64, segment: u64) -> bool {
    let high = read::<u32>(addr + 12);
    if high >> 31 == 0 {
        return false;
    }
    let source = u64::from(read::<u32>(addr + 8) & 0xffff);
    let is_read = u64::from(high >> 30 & 1);
    let facts = Facts {
        dev: segment,
        addr: read::<u64>(addr) & !0xfff,
        arg: source | u64::from(high & 0xff) << 16 | is_read << 24,
        ..Facts::NONE
    };
    event::send(Kind::FaultIntel, facts);
    true
}

/// `iommu:io_page_fault(struct device *dev, unsigned long iova, int flags)`: AMD-Vi from 6.1, several ARM IOMMUs.
#[btf_tracepoint(function = "io_page_fault")]
pub fn fault_tracepoint(ctx: BtfTracePointContext) -> i32 {
    let ctx = ctx.as_ptr();
    event::send(Kind::Fault, Facts { dev: arg(ctx, 0), addr: arg(ctx, 1), arg: arg(ctx, 2), ..Facts::NONE });
    0
}

/// `iommu:remove_device_from_group(int group_id, struct device *dev)`.
#[btf_tracepoint(function = "remove_device_from_group")]
pub fn device_gone(ctx: BtfTracePointContext) -> i32 {
    device::forget(arg_ptr(ctx.as_ptr(), 1));
    0
}
