//! Where things live: the checkout, and the cache outside it that survives `git clean`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The checkout this xtask was built from.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's output, and ours beside it (`target/bpf`, `target/dist`).
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Everything downloaded or slow to make: kernels, chroots, bpf-linker. Created if missing.
pub(crate) fn cache() -> Result<PathBuf> {
    let dir = match std::env::var_os("IOVA_CACHE") {
        Some(dir) => std::path::absolute(dir)?,
        None => default_cache()?,
    };
    std::fs::create_dir_all(&dir).with_context(|| {
        format!("cannot create the cache {}; set IOVA_CACHE to a writable place", dir.display())
    })?;
    Ok(dir)
}

fn default_cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .context("neither IOVA_CACHE nor HOME is set; set IOVA_CACHE to a writable directory")?;
    Ok(base.join("iova-lab"))
}
