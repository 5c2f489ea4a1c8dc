//! Single allocations and frees, drawn at random and sent one by one. That is done by programs of their own, twins of
//! those that only count: a constant that is tested would cost those a few instructions.

use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_get_smp_processor_id, bpf_ktime_get_ns};
use iova_common::call::{Call, CallKind};

use crate::kernel::config;
use crate::maps::{CALLS, lost};

/// `BPF_RB_NO_WAKEUP` (include/uapi/linux/bpf.h): nobody waits for these, they are fetched now and then.
const QUIETLY: u64 = 1;
/// Of a program that only counts.
pub const SILENT: bool = false;
/// Of its twin, which is attached in its place where single calls are wanted.
pub const TELLING: bool = true;
const PAGE: u64 = 4096;
const MOST: u64 = u32::MAX as u64;

/// What is known about a call.
pub struct Told {
    pub kind: CallKind,
    pub dev: u64,
    /// DMA address, 0 if there is none. Of a free it may lie within its first page.
    pub addr: u64,
    /// Highest address allowed.
    pub limit: u64,
    /// Bytes.
    pub size: u64,
    /// How long it took; 0 if it was not timed.
    pub ns: u64,
}

/// Sends a call if it is drawn. Whatever happens is counted, so that sent, lost and passed over are all calls together.
#[inline(always)]
pub fn send(told: Told) {
    if !drawn() {
        lost!(calls_passed);
        return;
    }
    let Some(mut entry) = CALLS.reserve(0) else {
        lost!(calls_lost);
        return;
    };
    let Told { kind, dev, addr, limit, size, ns: latency } = told;
    let pages = (addr % PAGE + size + PAGE - 1) / PAGE;
    entry.write(Call {
        ns: unsafe { bpf_ktime_get_ns() },
        dev,
        pfn: addr / PAGE,
        limit_pfn: limit / PAGE,
        pages: if pages > MOST { MOST } else { pages } as u32,
        latency_ns: if latency > MOST { MOST } else { latency } as u32,
        cpu: unsafe { bpf_get_smp_processor_id() },
        kind: kind as u32,
    });
    entry.submit(QUIETLY);
}

/// True for one call in so many. By chance, because whoever counts sees only the maps of a load that maps and unmaps.
#[inline(always)]
fn drawn() -> bool {
    let sampling = config!(call_sampling);
    sampling == 1 || (u64::from(unsafe { bpf_get_prandom_u32() }) * sampling) >> 32 == 0
}
