//! What nothing in the kernel's memory points to any more, where the kernel looks for that (CONFIG_DEBUG_KMEMLEAK).

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
/// Younger objects are not suspected yet (`MSECS_MIN_AGE`, `mm/kmemleak.c`).
const MIN_AGE: Duration = Duration::from_secs(5);

/// Forgets what is lost already; false where the kernel does not look.
pub(super) fn begin() -> Result<bool> {
    if !Path::new(KMEMLEAK).exists() {
        return Ok(false);
    }
    scan()?;
    ask("clear")?;
    Ok(true)
}

/// Every object that was lost since, with the way by which it was allocated.
pub(super) fn found() -> Result<Vec<String>> {
    std::thread::sleep(MIN_AGE + Duration::from_secs(1));
    scan()?;
    let text = fs::read_to_string(KMEMLEAK).context("reading the list of leaks")?;
    let objects = text.split("unreferenced object ").skip(1);
    Ok(objects.map(str::to_owned).collect())
}

/// Twice: what has moved while the first one looked is found by the second.
fn scan() -> Result<()> {
    (0..2).try_for_each(|_| ask("scan"))
}

fn ask(what: &str) -> Result<()> {
    fs::write(KMEMLEAK, what).with_context(|| format!("asking kmemleak to {what}"))
}
