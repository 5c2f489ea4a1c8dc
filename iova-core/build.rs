//! Finds the compiled eBPF programs and embeds the compatibility list.
//!
//! Programs: `cargo xtask build` makes them and sets IOVA_BPF_OBJECT; any other build (tests,
//! clippy, docs) gets an empty object, and a binary built so says at run time how to build one that works.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    embed_list();
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

/// `SHIPPED`: name and text of every record in compat/, by name.
fn embed_list() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dir = manifest.join("../compat");
    println!("cargo::rerun-if-changed={}", dir.display());
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut code = "static SHIPPED: &[(&str, &str)] = &[\n".to_owned();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        code += &format!("    ({name:?}, include_str!({:?})),\n", file.display().to_string());
    }
    code += "];\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("compat.rs");
    if let Err(error) = fs::write(&out, code) {
        println!("cargo::error=can't write {}: {error}", out.display());
    }
}
