//! Decisions of user space before the programs are loaded: constants of the code, see [`crate::patch`].

/// How the programs measure. Everything here is a constant to the verifier, so what is off costs nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// 1 if allocations have a program at entry, and each is timed; 0 (profile `light`): only tree searches are.
    pub alloc_entry: u64,
    /// One unmap of a device and CPU in `mask + 1` is timed (a power of two minus one; 0 = all).
    pub free_sample_mask: u64,
    /// 1 if a device is watched, or slow allocations are sent.
    pub closer: u64,
    /// Allocations at or above this many ns send a [`crate::event::Kind::SlowCall`]; 0 = never.
    pub slow_call_ns: u64,
    /// Events per CPU and second, and as many faults, before the rate limit starts to count instead of send.
    pub events_per_second: u64,
    /// 1 if unmaps are timed at all, else only counted.
    pub free_latency: u64,
    /// Condition for the kernel to try below 4 GiB first: one of [`sac`].
    pub sac: u64,
    /// The bit of `pci_32bit_workaround` in its byte.
    pub sac_flag: u64,
    /// The lower half of the address of `pci_bus_type`.
    pub pci_bus: u64,
    /// One allocation or free in so many is sent by itself, drawn at random; 1 = all. 0 = none: then the twins that send
    /// them are not attached.
    pub call_sampling: u64,
    /// Address of the one `struct device` whose latencies are also kept per order; 0 = none.
    pub watch_dev: u64,
    /// Open calls are kept for so many CPUs, less one; a power of two less one.
    pub cpu_mask: u64,
}

/// Conditions for the kernel to try below 4 GiB first, for a device that can use more.
pub mod sac {
    /// Not to be told, or never: `iommu.forcedac=1`, `intel_iommu=forcedac`.
    pub const NEVER: u64 = 1;
    /// If the device is on a PCI bus (`iommu_dma_alloc_iova`, drivers/iommu/dma-iommu.c, 5.10 to 6.4).
    pub const PCI: u64 = 2;
    /// While the device's flag `pci_32bit_workaround` stands (the same function, 6.5 and later).
    pub const FLAG: u64 = 3;
}

impl Config {
    /// Counts everything, times everything, sends no slow calls.
    pub const DEFAULT: Self = Self {
        alloc_entry: 1,
        free_sample_mask: 0,
        closer: 0,
        slow_call_ns: 0,
        events_per_second: 32,
        free_latency: 1,
        sac: sac::NEVER,
        sac_flag: 0,
        pci_bus: 0,
        call_sampling: 0,
        watch_dev: 0,
        cpu_mask: 0,
    };
}

#[cfg(feature = "user")]
// SAFETY: repr(C), integers only, no padding, any bit pattern is valid.
unsafe impl aya::Pod for Config {}
