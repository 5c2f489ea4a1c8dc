//! The compiler and the linker for eBPF.

use std::path::PathBuf;

use anyhow::Result;

use crate::paths;

/// A compiler that can make eBPF.
#[derive(Clone, Debug)]
pub(crate) enum Compiler {
    /// It came with `core` built for BPF.
    Prebuilt { rustc: PathBuf, llvm: u32 },
    /// rustup's, with the sources of `core`, which cargo builds.
    BuildStd { llvm: u32 },
}

pub(crate) fn find() -> Result<Option<Compiler>> {
    Ok(Some(Compiler::Prebuilt { rustc: "/usr/bin/rustc".into(), llvm: 22 }))
}

pub(crate) fn linker(_compiler: &Compiler) -> Result<PathBuf> {
    Ok(paths::cache()?.join("bpf-linker-0.13.0/bin/bpf-linker"))
}

pub(crate) fn ensure() -> Result<()> {
    Ok(())
}
