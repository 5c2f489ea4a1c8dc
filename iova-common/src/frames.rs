//! The section of the programs' open calls, `.bss.frames`: a part for each CPU.

/// Its name.
pub const SECTION: &str = ".bss.frames";

/// Bytes for each CPU.
pub const BYTES: usize = 512;

/// CPUs that the section has room for as it is compiled; user space cuts it.
pub const MOST: usize = 4096;
