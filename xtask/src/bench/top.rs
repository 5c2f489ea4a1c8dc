//! `cargo xtask bench --top`: what the screen costs on a host with 200 devices and 64 CPUs.

use std::ffi::OsStr;

use anyhow::{Context as _, Result};

use crate::{build, cmd};

/// Whatever else runs on the machine only makes it slower: one good run is enough.
const ATTEMPTS: u32 = 3;

/// Measures and prints; with `check`, fails above a limit.
pub(super) fn run(check: bool) -> Result<()> {
    // Static and without an allocator of its own, as what users get; in the profile that guests have built most of.
    let mut cargo = build::guest_build();
    let built = build::executables(cargo.args(["--features", "iova-cli/bench", "--bench", "top"]))?;
    let is_bench = |name: &OsStr| name.to_string_lossy().starts_with("top-");
    let bench = built.into_iter().find(|path| path.file_name().is_some_and(is_bench));
    let bench = bench.context("iova-cli built no bench called top")?;
    if !check {
        return cmd::show(&mut cmd::command(bench));
    }
    let once = || cmd::show(cmd::command(&bench).arg("--check"));
    (1..ATTEMPTS).find_map(|_| once().ok()).map_or_else(once, Ok)
}
