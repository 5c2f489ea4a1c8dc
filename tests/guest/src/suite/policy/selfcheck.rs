//! What a kernel that checks itself (`cargo xtask lab --kernel 6.12-debug`) knows and does not say in its log.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// There with CONFIG_DEBUG_KMEMLEAK.
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
/// There with CONFIG_PROVE_LOCKING.
const LOCKDEP: &str = "/proc/lockdep_stats";
/// Younger objects are not suspected yet (`MSECS_MIN_AGE`, `mm/kmemleak.c`).
const MIN_AGE: Duration = Duration::from_secs(5);

/// Forgets what is lost already.
pub(super) fn begin() -> Result<()> {
    if Path::new(KMEMLEAK).exists() {
        scan()?;
        ask("clear")?;
    }
    Ok(())
}

/// Fails if the kernel has found something, or can't have, because it stopped to look.
pub(super) fn end() -> Result<()> {
    if Path::new(KMEMLEAK).exists() {
        nothing_lost()?;
    }
    if let Ok(text) = fs::read_to_string(LOCKDEP) {
        let watches = text.lines().any(|line| line.split_whitespace().eq(["debug_locks:", "1"]));
        ensure!(watches, "lockdep has switched itself off; see the kernel log");
        println!("# lockdep: still watches");
    }
    Ok(())
}

/// Others' objects are only named: what a stock driver forgets is not our fault.
fn nothing_lost() -> Result<()> {
    std::thread::sleep(MIN_AGE + Duration::from_secs(1));
    scan()?;
    let text = fs::read_to_string(KMEMLEAK).context("reading the list of leaks")?;
    let lost: Vec<_> = text.split("unreferenced object ").skip(1).collect();
    lost.iter().for_each(|object| println!("# lost: {}", object.trim_end().replace('\n', "\n# ")));
    let ours = lost.iter().filter(|object| is_ours(object)).count();
    println!("# kmemleak: {} objects lost, {ours} of them iova_policy's", lost.len());
    ensure!(ours == 0, "kmemleak has found {ours} lost objects of iova_policy");
    Ok(())
}

/// Whether the module is in the way by which an object was allocated: by name, or, once it has gone, as an address that
/// has no name any more.
fn is_ours(object: &str) -> bool {
    let (_, way) = object.split_once("backtrace").unwrap_or_default();
    let nameless = way.lines().any(|function| function.trim_start().starts_with("0x"));
    nameless || way.contains("iovp_") || way.contains("[iova_policy]")
}

/// Twice: what has moved while the first one looked is found by the second.
fn scan() -> Result<()> {
    (0..2).try_for_each(|_| ask("scan"))
}

fn ask(what: &str) -> Result<()> {
    fs::write(KMEMLEAK, what).with_context(|| format!("asking kmemleak to {what}"))
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn the_modules_objects_are_told_from_others() {
        let object = |function: &str| {
            format!(
                "0x1 (size 64):\n  comm \"a\"\n  backtrace (crc 0):\n    kmalloc+0x1/0x2\n    {function}\n"
            )
        };
        let functions = ["iovp_stage+0x10/0x80 [iova_policy]", "0xffffffffc0001010", "e1000_probe+0x10/0x80"];
        assert_eq!(functions.map(|function| is_ours(&object(function))), [true, true, false]);
    }
}
