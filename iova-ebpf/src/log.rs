//! Log of rare paths, for those who debug the programs: by aya-log, in an object built with the feature `log` only.

/// An address, as far as it can be logged: its lower half. The verifier lets no program take a pointer apart.
#[cfg(feature = "log")]
#[inline(always)]
pub fn half(address: u64) -> u64 {
    crate::asm::low32(address as *const u8)
}

/// Logs a line at a level of aya-log (`debug`, `info`, `warn`). Nothing at all in the usual object.
macro_rules! log {
    ($level:ident, $($argument:tt)+) => {
        #[cfg(feature = "log")]
        {
            use crate::log::half;
            aya_log_ebpf::$level!((), $($argument)+);
        }
    };
}
pub(crate) use log;
