//! What the kernel has allocated and not freed, as its own books say.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Objects in use.
pub(super) struct InUse {
    /// Of the allocator's own kind, `struct iova`.
    pub(super) iova: u64,
    /// Of any kind, allocated by functions of a module that is no longer loaded.
    pub(super) orphans: u64,
}

/// Reads them. Needs a guest booted with `slub_debug=U`, which keeps every cache by itself and every object's origin.
pub(super) fn in_use() -> Result<InUse> {
    let caches = Path::new("/sys/kernel/slab");
    // Free objects in per-CPU lists count as used until they are given back.
    let mut orphans = 0;
    for entry in fs::read_dir(caches)? {
        let cache = entry?.path();
        let _ = fs::write(cache.join("shrink"), "1");
        orphans += orphaned(&cache)?;
    }
    let text =
        fs::read_to_string(caches.join("iommu_iova/objects")).context("there is no slab iommu_iova")?;
    let iova = text.split_whitespace().next().context("it says nothing of its objects")?.parse()?;
    Ok(InUse { iova, orphans })
}

/// Prints by whom the objects of a cache were allocated.
pub(super) fn show(name: &str) {
    let text = traces(&Path::new("/sys/kernel/slab").join(name), name).unwrap_or_default();
    text.lines().for_each(|line| println!("# {name}: {line}"));
}

fn traces(cache: &Path, name: &str) -> Option<String> {
    // Moved to debugfs in 5.14.
    let places =
        [cache.join("alloc_calls"), Path::new("/sys/kernel/debug/slab").join(name).join("alloc_traces")];
    places.iter().find_map(|place| fs::read_to_string(place).ok())
}

/// Objects of a cache whose origin the kernel can't name any more: lines of `COUNT FUNCTION …` with a bare address
/// (`%pS` of a function that is no longer there).
fn orphaned(cache: &Path) -> Result<u64> {
    let name = cache.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(text) = traces(cache, name) else { return Ok(0) };
    let mut sum = 0;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(count), Some(function)) = (words.next(), words.next()) else { continue };
        if let (Ok(count), true) = (count.parse::<u64>(), function.starts_with("0x")) {
            println!("# {name}: {line}");
            sum += count;
        }
    }
    Ok(sum)
}
