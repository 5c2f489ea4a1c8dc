//! `cargo xtask build`: the eBPF object, and around it the one static binary that runs on every kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bpf::Object;
use crate::setup::{self, Need};
use crate::{bpf, cmd, fsx, paths, say};

/// Choice of what to build.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For debugging the eBPF programs: target/dist/iova-bpf-log, whose programs log their rare paths, which --bpf-log prints
    #[arg(long)]
    bpf_log: bool,
}

pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// `target/dist/iova`: static, with the eBPF object inside.
pub(crate) fn dist() -> Result<PathBuf> {
    setup::ensure(&[Need::Bpf])?;
    let object = bpf::object(Object::Iova)?;
    let mut cargo = static_build("release", "iova-cli");
    let built = executables(cargo.env("IOVA_BPF_OBJECT", &object))?;
    let [binary] = built.as_slice() else { bail!("iova-cli should build one binary, but built {built:?}") };
    let dist = paths::target().join("dist/iova");
    if !fsx::same_content(binary, &dist) {
        fsx::copy_file(binary, &dist)?;
    }
    Ok(dist)
}

/// `target/dist/iova-bpf-log`: the same, with programs that tell what happens on rare paths, and `--bpf-log`.
fn dist_with_log() -> Result<PathBuf> {
    setup::ensure(&[Need::Bpf])?;
    let object = bpf::object(Object::Log)?;
    let mut cargo = static_build("release", "iova-cli");
    let built = executables(cargo.args(["--features", "bpf-log"]).env("IOVA_BPF_OBJECT", &object))?;
    let [binary] = built.as_slice() else { bail!("iova-cli should build one binary, but built {built:?}") };
    let dist = paths::target().join("dist/iova-bpf-log");
    fsx::copy_file(binary, &dist)?;
    Ok(dist)
}

/// The static programs that run inside a lab guest: its init, the suites, and what records with the eBPF object inside.
pub(crate) fn guest_bins() -> Result<Vec<PathBuf>> {
    let built = guest_executables(&["guest-*"])?;
    if built.is_empty() {
        bail!("iova-guest built no program; has tests/guest/Cargo.toml lost its [[bin]]?");
    }
    Ok(built)
}

/// The same, and an `iova` that takes much less time than that of [`dist`].
pub(crate) fn guest_bins_and_iova() -> Result<(Vec<PathBuf>, PathBuf)> {
    let built = guest_executables(&["guest-*", "iova"])?;
    let (iova, guest): (Vec<_>, Vec<_>) = built.into_iter().partition(|path| path.ends_with("iova"));
    let [iova] = iova.as_slice() else { bail!("iova-cli should build one binary, but built {iova:?}") };
    Ok((guest, iova.clone()))
}

/// For guests: an `iova` whose eBPF programs log.
pub(crate) fn guest_iova_with_log() -> Result<PathBuf> {
    setup::ensure(&[Need::Bpf])?;
    let object = bpf::object(Object::Log)?;
    let mut cargo = static_build("guest", "iova-cli");
    let built =
        executables(cargo.args(["--features", "bpf-log", "--bin", "iova"]).env("IOVA_BPF_OBJECT", &object))?;
    let [iova] = built.as_slice() else { bail!("iova-cli should build one binary, but built {built:?}") };
    // The usual one will be built in its place.
    let place = paths::target().join("bpf/iova-bpf-log");
    fsx::copy_file(iova, &place)?;
    Ok(place)
}

fn guest_executables(patterns: &[&str]) -> Result<Vec<PathBuf>> {
    setup::ensure(&[Need::Bpf])?;
    let object = bpf::object(Object::Iova)?;
    let mut cargo = guest_build();
    for pattern in patterns {
        cargo.args(["--bin", pattern]);
    }
    executables(cargo.env("IOVA_BPF_OBJECT", &object))
}

/// Builds for guests always name both packages: so both get the same dependencies, compiled once.
pub(crate) fn guest_build() -> Command {
    let mut cargo = static_build("guest", "iova-guest");
    cargo.args(["--package", "iova-cli"]);
    cargo
}

/// The guest's init alone, which needs nothing of the project that could be broken just now.
pub(crate) fn guest_init() -> Result<Vec<PathBuf>> {
    executables(static_build("guest", "iova-guest").args(["--no-default-features", "--bin", "guest-init"]))
}

/// `cargo xtask build`.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.bpf_log {
        say(dist_with_log()?.display());
        return Ok(());
    }
    let dist = dist()?;
    let size = fs::metadata(&dist)?.len() as f64 / f64::from(1 << 20);
    say(format_args!("{} ({size:.1} MiB)", dist.display()));
    documents(&dist)
}

/// What packages have beside it, as the binary itself makes it: `man1/*.1`, and completions for shells.
fn documents(dist: &Path) -> Result<()> {
    for (what, dir) in
        [("man", "man1"), ("bash", "completions"), ("zsh", "completions"), ("fish", "completions")]
    {
        let dir = dist.with_file_name(dir);
        cmd::show(Command::new(dist).args(["generate", what, "--out"]).arg(dir))?;
    }
    say("manual pages and completions: man1 and completions beside it");
    Ok(())
}

fn static_build(profile: &str, package: &str) -> Command {
    let mut cargo = cargo();
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    cargo.args(["build", "--target", HOST, "--profile", profile, "--package", package]);
    cargo.current_dir(paths::root()).arg("--target-dir").arg(paths::target());
    cargo
}

/// Cargo, free of what the cargo that started us has put into the environment for us.
pub(crate) fn cargo() -> Command {
    let mut cargo = cmd::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(disturbs_cargo) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn disturbs_cargo(name: &str) -> bool {
    let ours =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PROFILE_"];
    let flags =
        ["RUSTC", "RUSTFLAGS", "RUSTDOC", "CARGO_ENCODED_RUSTFLAGS", "CARGO_MAKEFLAGS", "LD_LIBRARY_PATH"];
    ours.iter().any(|prefix| name.starts_with(prefix)) && name != "CARGO_BUILD_JOBS"
        || flags.contains(&name)
        || name.starts_with("RUSTC_")
        || matches!(name, "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE")
}

/// Runs a cargo build on our terminal and returns the executables it made or found up to date.
pub(crate) fn executables(cargo: &mut Command) -> Result<Vec<PathBuf>> {
    cargo.arg("--message-format=json-render-diagnostics").stderr(std::process::Stdio::inherit());
    let output = cargo.output().with_context(|| format!("cannot start: {}", cmd::line(cargo)))?;
    if !output.status.success() {
        bail!("{} from: {}", output.status, cmd::line(cargo));
    }
    let messages = String::from_utf8(output.stdout)?;
    messages.lines().filter_map(executable).collect()
}

fn executable(message: &str) -> Option<Result<PathBuf>> {
    match serde_json::from_str::<serde_json::Value>(message) {
        Ok(message) => message["executable"].as_str().map(|path| Ok(path.into())),
        Err(error) => Some(Err(error).context("cargo printed a message that isn't JSON")),
    }
}

#[cfg(test)]
mod tests {
    use super::disturbs_cargo;

    #[test]
    fn only_what_was_meant_for_us_is_kept_from_cargo() {
        for name in
            ["CARGO_PKG_NAME", "RUSTC", "RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"]
        {
            assert!(disturbs_cargo(name), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_BUILD_JOBS",
            "RUSTUP_TOOLCHAIN",
            "PATH",
            "CARGO_TERM_COLOR",
        ] {
            assert!(!disturbs_cargo(name), "{name}");
        }
    }
}
