//! The eBPF object: built by a compiler that has `core` for BPF, linked by bpf-linker, checked, stripped.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::build::{cargo, executables};
use crate::setup::toolchain::{self, Compiler};
use crate::{cmd, fsx, paths};

const TARGET: &str = "bpfel-unknown-none";

/// What is built: the programs of `iova`, and the empty ones that the bench compares them with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// The real ones.
    Iova,
    /// The same, telling by aya-log what happens on rare paths.
    Log,
    /// The empty ones.
    Floor,
}

impl Object {
    /// The binary's name in iova-ebpf/Cargo.toml.
    fn binary(self) -> &'static str {
        match self {
            Self::Iova | Self::Log => "iova-ebpf",
            Self::Floor => "iova-floor",
        }
    }

    /// Where the object is, once built.
    pub(crate) fn place(self) -> PathBuf {
        let name = match self {
            Self::Iova => "bpf/iova.bpf.o",
            Self::Log => "bpf/iova-log.bpf.o",
            Self::Floor => "bpf/floor.bpf.o",
        };
        paths::target().join(name)
    }
}

/// Builds one of the objects.
pub(crate) fn object(object: Object) -> Result<PathBuf> {
    let compiler = toolchain::find()?.context("no compiler for eBPF; run `cargo xtask setup`")?;
    let _alone = fsx::Lock::take("ebpf-object")?;
    let mut cargo = build(&compiler)?;
    if object == Object::Log {
        cargo.args(["--features", "log"]);
    }
    let built = executables(cargo.args(["--bin", object.binary()]))?;
    let [built] = built.as_slice() else {
        bail!("{} should build one object, but built {built:?}", object.binary())
    };
    refuse_panics(built)?;
    refuse_log(object, built)?;
    publish(&compiler, built, &object.place())
}

fn build(compiler: &Compiler) -> Result<std::process::Command> {
    let source = paths::root().join("iova-ebpf");
    let flags = [
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // The kernel wants BTF, and bpf-linker makes it from debug information.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Clinker={}", toolchain::linker(compiler)?.display()),
    ];
    let mut cargo = cargo();
    cargo.current_dir(&source).args(["build", "--release", "--target", TARGET, "--target-dir"]);
    cargo.arg(source.join("target"));
    cargo.env("RUSTC", &compiler.rustc).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    if compiler.has_core {
        cargo.env("RUSTC_BOOTSTRAP", "aya_ebpf,iova_ebpf");
    } else {
        cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
    }
    Ok(cargo)
}

/// Without the debug information that BTF was made from; untouched if nothing changed, so that what embeds it
/// isn't built again.
fn publish(compiler: &Compiler, built: &Path, object: &Path) -> Result<PathBuf> {
    let stripped = object.with_extension("stripped");
    fsx::copy_file(built, &stripped)?;
    let objcopy = toolchain::tool(compiler, "llvm-objcopy");
    if objcopy.exists() {
        cmd::run(cmd::command(objcopy).arg("--strip-debug").arg(&stripped))?;
    }
    if !fsx::same_content(&stripped, object) {
        fsx::copy_file(&stripped, object)?;
    }
    fs::remove_file(&stripped)?;
    Ok(object.to_path_buf())
}

/// Refuses a shipped object that logs, or tests whether it should.
fn refuse_log(object: Object, built: &Path) -> Result<()> {
    let content = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    let needle = b"AYA_LOG";
    if object != Object::Log && content.windows(needle.len()).any(|window| window == needle) {
        bail!("{} logs by aya-log; `crate::log` leaves that out of the usual object", built.display());
    }
    Ok(())
}

/// A reachable panic is a function that doesn't return; every kernel refuses such a program, with a message
/// that does not name the cause.
fn refuse_panics(object: &Path) -> Result<()> {
    let content = fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
    let needle = b"core9panicking";
    if content.windows(needle.len()).any(|window| window == needle) {
        bail!(
            "{0} contains a panic (symbol core::panicking…): a bounds check, an unwrap or arithmetic that the \
             compiler could not prove. `nm -C {0}` lists it",
            object.display(),
        );
    }
    Ok(())
}
