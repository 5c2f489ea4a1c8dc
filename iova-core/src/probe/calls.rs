//! Single allocations and frees, out of their ring.

use std::num::NonZeroU32;

use aya::maps::RingBuf;
use iova_common::call::{self, CallKind};

use super::{ProbeError, Tracer, read};
use crate::sample::{Call, Calls};

/// Bytes of the ring: at an interval of a second, enough for 75,000 calls a second.
const BYTES: u32 = 4 << 20;
/// The smallest ring that the kernel makes.
const LEAST: u32 = 4096;
/// Bytes that a record takes: the kernel puts eight before each (`BPF_RINGBUF_HDR_SZ`, include/uapi/linux/bpf.h).
const RECORD: usize = size_of::<call::Call>() + 8;
/// What is fetched at once at most, whatever comes meanwhile: all that was in the ring.
const MOST: usize = BYTES as usize / RECORD;

/// How large the ring has to be.
pub(super) fn ring_bytes(sampling: Option<NonZeroU32>) -> u32 {
    if sampling.is_some() { BYTES } else { LEAST }
}

/// What came since the last time; `None` where nobody wanted any.
pub(super) fn take(tracer: &mut Tracer) -> Result<Option<Calls>, ProbeError> {
    let sampling = tracer.config.call_sampling as u32;
    if sampling == 0 {
        return Ok(None);
    }
    let counted = read::lost(tracer)?;
    let before = std::mem::replace(&mut tracer.calls_counted, (counted.calls_lost, counted.calls_passed));
    let list = drain(tracer)?;
    Ok(Some(Calls {
        sampling,
        lost: counted.calls_lost.saturating_sub(before.0),
        passed: counted.calls_passed.saturating_sub(before.1),
        list,
    }))
}

fn drain(tracer: &mut Tracer) -> Result<Vec<Call>, ProbeError> {
    let name = "CALLS";
    let map = tracer.object.map_mut(name).ok_or(ProbeError::NoObject)?;
    let mut ring = RingBuf::try_from(map).map_err(|error| ProbeError::Map { name, error })?;
    let mut list = Vec::new();
    for _ in 0..MOST {
        let Some(item) = ring.next() else { break };
        if item.len() == size_of::<call::Call>() {
            // SAFETY: the record has the size of the struct, which is repr(C) integers; it may be unaligned for us.
            list.extend(decode(&unsafe { item.as_ptr().cast::<call::Call>().read_unaligned() }));
        }
    }
    // They come in the order in which each CPU took its place in the ring.
    list.sort_by_key(|call: &Call| call.ns);
    Ok(list)
}

fn decode(raw: &call::Call) -> Option<Call> {
    let kind = CallKind::ALL.into_iter().find(|kind| *kind as u32 == raw.kind)?;
    let allocates = kind != CallKind::Free;
    Some(Call {
        ns: raw.ns,
        kind,
        cpu: raw.cpu,
        dev: raw.dev,
        pfn: (kind != CallKind::Failed).then_some(raw.pfn),
        pages: raw.pages,
        limit_pfn: allocates.then_some(raw.limit_pfn),
        latency_ns: Some(raw.latency_ns).filter(|&ns| allocates && ns > 0),
    })
}
