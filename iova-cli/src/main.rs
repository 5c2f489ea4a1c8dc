//! `iova`: see what the Linux IOVA allocator does to each device.

use std::process::ExitCode;

fn main() -> ExitCode {
    iova::main()
}
