//! Finds the compiled eBPF programs. `cargo xtask build` makes them and sets IOVA_BPF_OBJECT; any other build (tests,
//! clippy, docs) gets an empty object, and a binary built so says at run time how to build one that works.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=IOVA_BPF_OBJECT");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("iova.bpf.o");
    let object = env::var_os("IOVA_BPF_OBJECT").map(PathBuf::from);
    let bytes = object.as_deref().map(read).unwrap_or_default();
    if let Err(error) = fs::write(&out, bytes) {
        println!("cargo::error=can't write {}: {error}", out.display());
    }
}

fn read(object: &Path) -> Vec<u8> {
    println!("cargo::rerun-if-changed={}", object.display());
    fs::read(object).unwrap_or_else(|error| {
        println!("cargo::error=IOVA_BPF_OBJECT={} can't be read: {error}", object.display());
        Vec::new()
    })
}
