//! Waits for `iova_rbtree_lock` (profile `full`, kernels with the tracepoints `lock:contention_*`, 5.19 and later).

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::domain;
use crate::hist;
use crate::kernel::arg;
use crate::maps::{LOCK_WAITS, WAITS};

/// What this CPU is waiting for. The tree lock is taken with interrupts off, so one wait is open at most.
#[repr(C)]
pub struct Wait {
    /// Address of the lock: `iova_rbtree_lock` is the first member of `struct iova_domain`.
    lock: u64,
    /// When the wait began.
    start: u64,
    /// When the flush-queue timer began to run on this CPU.
    pub fq_timer_start: u64,
}

#[btf_tracepoint(function = "contention_begin")]
pub fn lock_wait_begin(ctx: BtfTracePointContext) -> i32 {
    let lock = arg(ctx.as_ptr(), 0);
    if domain::known(lock).is_none() {
        return 0;
    }
    if let Some(wait) = WAITS.get_ptr_mut(0) {
        unsafe {
            (*wait).lock = lock;
            (*wait).start = bpf_ktime_get_ns();
        }
    }
    0
}

#[btf_tracepoint(function = "contention_end")]
pub fn lock_wait_end(ctx: BtfTracePointContext) -> i32 {
    let lock = arg(ctx.as_ptr(), 0);
    let Some(wait) = WAITS.get_ptr_mut(0) else { return 0 };
    if unsafe { (*wait).lock } != lock {
        return 0;
    }
    unsafe { (*wait).lock = 0 };
    let ns = unsafe { bpf_ktime_get_ns().wrapping_sub((*wait).start) };
    if let Some(waits) = domain::known(lock).and_then(|slot| LOCK_WAITS.get_ptr_mut(slot)) {
        hist::record(waits, ns);
    }
    0
}
