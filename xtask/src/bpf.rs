//! The eBPF object: built by a compiler that has `core` for BPF, linked by bpf-linker, checked, stripped.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::build::{cargo, executables};
use crate::setup::toolchain::{self, Compiler};
use crate::{cmd, fsx, paths};

const TARGET: &str = "bpfel-unknown-none";

/// Builds `target/bpf/iova.bpf.o`.
pub(crate) fn object() -> Result<PathBuf> {
    let compiler = toolchain::find()?.context("no compiler for eBPF; run `cargo xtask setup`")?;
    let linker = toolchain::linker(&compiler)?;
    let source = paths::root().join("iova-ebpf");
    let flags = [
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
    ];
    let mut cargo = cargo();
    cargo.current_dir(&source).arg("build").args(["--release", "--target", TARGET]);
    cargo.arg("--target-dir").arg(source.join("target"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    match &compiler {
        Compiler::Prebuilt { rustc, .. } => {
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "aya_ebpf,iova_ebpf");
        }
        Compiler::BuildStd { .. } => {
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
        }
    }
    let built = executables(&mut cargo)?;
    let [built] = built.as_slice() else { bail!("iova-ebpf should build one object, but built {built:?}") };
    publish(built)
}

fn publish(built: &Path) -> Result<PathBuf> {
    let object = paths::target().join("bpf/iova.bpf.o");
    refuse_panics(built)?;
    fsx::copy_file(built, &object)?;
    Ok(object)
}

/// A reachable panic is a function that doesn't return; every kernel refuses such a program, with a message
/// that does not name the cause.
fn refuse_panics(object: &Path) -> Result<()> {
    let content = std::fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
    let needle = b"core9panicking";
    if content.windows(needle.len()).any(|window| window == needle) {
        bail!(
            "{} contains a panic (symbol core::panicking…): a bounds check, an unwrap or arithmetic that the \
             compiler could not prove; find it with: {}",
            object.display(),
            cmd::line(cmd::command("nm").arg("-C").arg(object))
        );
    }
    Ok(())
}
