//! The screen of `iova top` with 200 devices and 64 CPUs: `cargo xtask bench --top`.

use std::process::ExitCode;

fn main() -> ExitCode {
    iova::bench_top()
}
