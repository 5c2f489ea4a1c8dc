//! Rare events, sent one by one through the ring buffer. Never one per allocation.

/// What happened.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An attempt to allocate below 4 GiB failed for a device that may use more.
    SacFailed = 1,
    /// The device's first allocation at or above 4 GiB after a SAC failure in the same request.
    FellBack = 2,
    /// An allocation failed altogether.
    AllocFailed = 3,
    /// All CPUs' IOVA caches of a domain were flushed.
    CacheFlush = 4,
    /// A DMA fault reported by VT-d: `addr` is the address, `arg` source id (low 16 bits) and reason (bits 16..24),
    /// bit 24 set for a read; `dev` is the PCI segment.
    FaultIntel = 5,
    /// A DMA fault reported through `iommu:io_page_fault`: `dev` is the `struct device`, `addr` the address.
    Fault = 6,
    /// An allocation slower than the threshold: `ns` says how slow, `stack` where from (profile `full`).
    SlowCall = 7,
    /// A device left its IOMMU group: its slot is closed.
    DeviceGone = 8,
    /// A device was seen for the first time: `slot` is its slot, `arg` its IOMMU group (as `i32`, -1 if not known).
    DeviceNew = 9,
}

/// One record of the ring buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// `bpf_ktime_get_ns` (CLOCK_MONOTONIC).
    pub ns: u64,
    /// Address of the `struct device`, 0 if not known.
    pub dev: u64,
    /// Address of the `struct iova_domain`, 0 if not known.
    pub iovad: u64,
    /// DMA address, or 0.
    pub addr: u64,
    /// Bytes asked for; for [`Kind::SlowCall`] too.
    pub size: u64,
    /// Highest address allowed in the request, or the duration in ns for [`Kind::SlowCall`].
    pub arg: u64,
    /// A [`Kind`].
    pub kind: u32,
    /// CPU it happened on.
    pub cpu: u32,
    /// Device slot, 0 if not known.
    pub slot: u32,
    /// Stack id in the stack map, negative if none was taken.
    pub stack: i32,
}

impl Kind {
    /// The kind with number `n`, if there is one.
    pub const fn from_u32(n: u32) -> Option<Self> {
        Some(match n {
            1 => Self::SacFailed,
            2 => Self::FellBack,
            3 => Self::AllocFailed,
            4 => Self::CacheFlush,
            5 => Self::FaultIntel,
            6 => Self::Fault,
            7 => Self::SlowCall,
            8 => Self::DeviceGone,
            9 => Self::DeviceNew,
            _ => return None,
        })
    }
}
