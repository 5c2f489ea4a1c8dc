//! What user space decides before the programs are loaded: constants in `.rodata`.

/// How the programs measure. Everything here is a constant to the verifier, so what is off costs nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// One allocation in `mask + 1` is timed (a power of two minus one; 0 = all).
    pub alloc_sample_mask: u32,
    /// One unmap in `mask + 1` is timed.
    pub free_sample_mask: u32,
    /// Allocations at or above this many ns send a [`crate::event::Kind::SlowCall`]; 0 = never.
    pub slow_call_ns: u64,
    /// Events per CPU and second, and as many faults, before the rate limit starts to count instead of send.
    pub events_per_second: u32,
    /// 1 if unmaps are timed at all, else only counted.
    pub free_latency: u32,
    /// 1 if the program on `alloc_iova_fast` is attached; without it SAC attempts are not seen, and SAC failures are
    /// told by the limits of the request and of the failed tree search.
    pub fast_hook: u32,
    /// One allocation or free in so many is sent by itself, drawn at random; 1 = all. 0 = none: then the twins that send
    /// them are not attached.
    pub call_sampling: u32,
    /// Address of the one `struct device` whose latencies are also kept per order; 0 = none.
    pub watch_dev: u64,
}

impl Config {
    /// Counts everything, times everything, sends no slow calls.
    pub const DEFAULT: Self = Self {
        alloc_sample_mask: 0,
        free_sample_mask: 0,
        slow_call_ns: 0,
        events_per_second: 32,
        free_latency: 1,
        fast_hook: 1,
        call_sampling: 0,
        watch_dev: 0,
    };
}

#[cfg(feature = "user")]
// SAFETY: repr(C), integers only, 40 bytes without padding, any bit pattern is valid.
unsafe impl aya::Pod for Config {}
