//! What is told of a single allocation or free: no metric of a report, but a figure of one call.

use super::Unit;

/// One figure of a call.
#[derive(Clone, Copy, Debug)]
pub struct CallFigure {
    /// Its name, in JSON and above its column.
    pub name: &'static str,
    /// Its unit; `None` for words.
    pub unit: Option<Unit>,
    /// What it is, and when it is unknown.
    pub definition: &'static str,
}

const fn figure(name: &'static str, unit: Option<Unit>, definition: &'static str) -> CallFigure {
    CallFigure { name, unit, definition }
}

/// All of them, in the order in which they are written.
pub const CALL: [CallFigure; 9] = [
    figure(
        "time_ns",
        Some(Unit::Nanoseconds),
        "When an allocation returned or a free began, since the first sample of the recording.",
    ),
    figure("call", None, "alloc, failed (an allocation that got no address) or free (an unmap)."),
    figure(
        "device",
        None,
        "PCI address; unknown if the device came and went between two looks at all devices.",
    ),
    figure("cpu", Some(Unit::Number), "The CPU it ran on."),
    figure("order", Some(Unit::Number), "The power of two that the allocator rounds the pages up to."),
    figure("pages", Some(Unit::Count), "Pages of 4 KiB asked for, or given back."),
    figure("pfn", Some(Unit::Number), "First page frame of the address; unknown if the allocation failed."),
    figure("limit_pfn", Some(Unit::Number), "Highest page frame the device can use; unknown for a free."),
    figure(
        "latency_ns",
        Some(Unit::Nanoseconds),
        "Entry to return; unknown for a free, and for an allocation that was not timed (profile light).",
    ),
];
