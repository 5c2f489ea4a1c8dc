//! What happens on rare paths, for those who debug the programs: by aya-log, in an object built with the feature `log` only.

/// Logs a line at a level of aya-log (`debug`, `info`, `warn`). Nothing at all in the usual object.
macro_rules! log {
    ($level:ident, $($argument:tt)+) => {
        #[cfg(feature = "log")]
        {
            aya_log_ebpf::$level!((), $($argument)+);
        }
    };
}
pub(crate) use log;
