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

/// What [`peek`] has seen since the last call, and what came after it.
pub(super) fn take(tracer: &mut Tracer) -> Result<Read, ProbeError> {
    peek(tracer)?;
    Ok(std::mem::take(&mut tracer.early))
}

/// Reads what is in the ring now, and keeps it for the next sample.
pub(super) fn peek(tracer: &mut Tracer) -> Result<Vec<Event>, ProbeError> {
    let Read { events, devices } = drain(tracer)?;
    tracer.early.events.extend(events.iter().cloned());
    tracer.early.devices.extend(devices);
    Ok(events)
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
