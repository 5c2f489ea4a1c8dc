//! The ring buffer: raw records to [`Event`]s.

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::maps::{Map, RingBuf, StackTraceMap};
use iova_common::agg::DeviceInfo;
use iova_common::event::{self, Kind};

use super::{ProbeError, Tracer, kmsg};
use crate::sample::{Event, What};

/// What was in the ring.
#[derive(Default)]
pub(super) struct Read {
    /// Events, oldest first.
    pub(super) events: Vec<Event>,
    /// Devices that appeared.
    pub(super) devices: Vec<DeviceInfo>,
}

/// Events that one of the two readers still has to get: whichever empties the ring, the other gets them all the same. A fault
/// that comes while a sample is read must not pass by whoever waits for faults.
#[derive(Default)]
pub(super) struct Backlog {
    for_sample: Read,
    /// `None` before the first peek.
    for_peek: Option<Vec<Event>>,
}

/// Events kept for a peek at most: what was first counts.
const KEPT: usize = 4096;

impl Backlog {
    fn peeked(&mut self, new: Read) -> Vec<Event> {
        let mut events = self.for_peek.replace(Vec::new()).unwrap_or_default();
        events.extend(new.events.iter().cloned());
        self.for_sample.events.extend(new.events);
        self.for_sample.devices.extend(new.devices);
        events
    }

    fn sampled(&mut self, new: Read) -> Read {
        if let Some(kept) = &mut self.for_peek {
            let room = KEPT.saturating_sub(kept.len());
            kept.extend(new.events.iter().take(room).cloned());
        }
        let mut read = std::mem::take(&mut self.for_sample);
        read.events.extend(new.events);
        read.devices.extend(new.devices);
        read
    }
}

/// What came since the last sample.
pub(super) fn take(tracer: &mut Tracer) -> Result<Read, ProbeError> {
    let new = drain(tracer)?;
    Ok(tracer.backlog.sampled(new))
}

/// What came since the last peek; the next sample has it too.
pub(super) fn peek(tracer: &mut Tracer) -> Result<Vec<Event>, ProbeError> {
    let new = drain(tracer)?;
    Ok(tracer.backlog.peeked(new))
}

/// Descriptors that become readable when there is something to [`peek`] at.
pub(super) fn descriptors(tracer: &Tracer) -> Vec<BorrowedFd<'_>> {
    let ring = match tracer.object.map("EVENTS") {
        Some(Map::RingBuf(ring)) => Some(ring.fd().as_fd()),
        _ => None,
    };
    ring.into_iter().chain(tracer.log.as_ref().map(kmsg::Log::as_fd)).collect()
}

fn drain(tracer: &mut Tracer) -> Result<Read, ProbeError> {
    let name = "EVENTS";
    let map = tracer.object.map_mut(name).ok_or(ProbeError::NoObject)?;
    let mut ring = RingBuf::try_from(map).map_err(|error| ProbeError::Map { name, error })?;
    let mut raw = Vec::new();
    while let Some(item) = ring.next() {
        if item.len() == size_of::<event::Event>() {
            // SAFETY: the record has the size of the struct, which is repr(C) integers; it may be unaligned for us.
            raw.push(unsafe { item.as_ptr().cast::<event::Event>().read_unaligned() });
        }
    }
    let new = raw.iter().filter(|raw| Kind::from_u32(raw.kind) == Some(Kind::DeviceNew));
    let devices = new.map(device).collect();
    let mut events: Vec<Event> = raw.iter().filter_map(|raw| decode(tracer, raw)).collect();
    events.extend(tracer.log.as_mut().map(kmsg::Log::faults).into_iter().flatten());
    events.sort_by_key(|event| event.ns);
    Ok(Read { events, devices })
}

fn device(raw: &event::Event) -> DeviceInfo {
    DeviceInfo { dev: raw.dev, iovad: raw.iovad, group: raw.arg as u32 as i32, slot: raw.slot }
}

fn decode(tracer: &Tracer, raw: &event::Event) -> Option<Event> {
    let what = match Kind::from_u32(raw.kind)? {
        Kind::SacFailed => What::SacFailed { size: raw.size },
        Kind::FellBack => What::FellBack { addr: raw.addr, size: raw.size },
        Kind::AllocFailed => What::AllocFailed { size: raw.size, limit: raw.arg },
        Kind::CacheFlush => What::CacheFlush,
        Kind::FaultIntel => intel_fault(raw),
        Kind::Fault => What::Fault { addr: raw.addr, bdf: None, reason: None, read: Some(raw.arg & 1 == 0) },
        Kind::SlowCall => {
            What::SlowCall { duration_ns: raw.arg, size: raw.size, stack: stack(tracer, raw.stack) }
        }
        Kind::DeviceGone => What::DeviceGone,
        Kind::DeviceNew => What::DeviceNew,
    };
    // VT-d names the source by its PCI address, not by a pointer.
    let dev = if raw.kind == Kind::FaultIntel as u32 { 0 } else { raw.dev };
    Some(Event { ns: raw.ns, cpu: raw.cpu, dev, iovad: raw.iovad, what })
}

/// `arg`: source id, reason, direction; `dev`: PCI segment.
fn intel_fault(raw: &event::Event) -> What {
    let source = raw.arg & 0xffff;
    let bdf = format!("{:04x}:{:02x}:{:02x}.{}", raw.dev, source >> 8, source >> 3 & 0x1f, source & 7);
    let reason = u8::try_from(raw.arg >> 16 & 0xff).ok();
    What::Fault { addr: raw.addr, bdf: Some(bdf), reason, read: Some(raw.arg >> 24 & 1 == 1) }
}

fn stack(tracer: &Tracer, id: i32) -> Vec<String> {
    let Ok(id) = u32::try_from(id) else { return Vec::new() };
    let Some(map @ Map::StackTraceMap(_)) = tracer.object.map("STACKS") else { return Vec::new() };
    let Ok(stacks) = StackTraceMap::try_from(map) else { return Vec::new() };
    let Ok(trace) = stacks.get(&id, 0) else { return Vec::new() };
    let frames = trace.frames().iter().map(|frame| tracer.symbols.describe(frame.ip));
    // The innermost frames are our own program and the trampolines that led to it.
    frames.filter(|name| !name.starts_with("bpf_prog_") && !name.starts_with("bpf_trampoline_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ns: u64) -> Read {
        let fault = What::Fault { addr: 0x1000, bdf: None, reason: None, read: None };
        Read { events: vec![Event { ns, cpu: 0, dev: 1, iovad: 0, what: fault }], devices: Vec::new() }
    }

    fn times(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.ns).collect()
    }

    #[test]
    fn both_readers_get_every_event_once() {
        let mut backlog = Backlog::default();
        assert!(backlog.peeked(Read::default()).is_empty());
        // It came while a sample was read.
        assert_eq!(times(&backlog.sampled(read(1)).events), [1]);
        assert_eq!(times(&backlog.peeked(read(2))), [1, 2]);
        assert_eq!(times(&backlog.sampled(read(3)).events), [2, 3]);
        assert_eq!(times(&backlog.peeked(Read::default())), [3]);
        assert!(
            backlog.peeked(Read::default()).is_empty() && backlog.sampled(Read::default()).events.is_empty()
        );
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let mut backlog = Backlog::default();
        for ns in 0..10 {
            backlog.sampled(read(ns));
        }
        assert!(backlog.peeked(Read::default()).is_empty());
        for ns in 0..2 * KEPT as u64 {
            backlog.sampled(read(ns));
        }
        let kept = backlog.peeked(Read::default());
        assert_eq!((kept.len(), kept[0].ns), (KEPT, 0));
    }
}
