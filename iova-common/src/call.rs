//! Single allocations and frees, sent one by one through a ring buffer of their own. Only where somebody asks for them.

/// What was called.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// An allocation that got an address; told at its return.
    Alloc = 1,
    /// An allocation that got none; told at its return.
    Failed = 2,
    /// An unmap, which gives an address back; told at its entry, so that what is told of two owners of an address never
    /// overlaps.
    Free = 3,
}

impl CallKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Alloc, Self::Failed, Self::Free];
}

/// One record of the ring buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// `bpf_ktime_get_ns` (CLOCK_MONOTONIC).
    pub ns: u64,
    /// Address of the `struct device`.
    pub dev: u64,
    /// First page frame, of 4 KiB; 0 if the call failed.
    pub pfn: u64,
    /// Highest page frame allowed; 0 of a free.
    pub limit_pfn: u64,
    /// Pages asked for or given back; `u32::MAX` for as many and more.
    pub pages: u32,
    /// Entry to return, ns; 0 if this call was not timed, `u32::MAX` for as long and longer.
    pub latency_ns: u32,
    /// CPU it happened on.
    pub cpu: u32,
    /// A [`CallKind`].
    pub kind: u32,
}
