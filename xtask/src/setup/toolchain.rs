//! The compiler and the linker for eBPF. rustc's bitcode can only be read by an LLVM at least as new, so the
//! linker is built against the LLVM release of the compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::packages::{self, Item, Probe};
use crate::build::cargo;
use crate::fsx::{self, Lock};
use crate::{cmd, paths, say};

const LINKER: &str = "0.13.0";
/// What this bpf-linker can be built against.
const LLVMS: std::ops::RangeInclusive<u32> = 21..=23;
/// The oldest compiler that aya-ebpf and our own code accept.
const OLDEST_RUSTC: (u32, u32) = (1, 95);

/// A compiler that can make eBPF.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    pub(crate) rustc: PathBuf,
    /// The release of LLVM inside.
    pub(crate) llvm: u32,
    /// It has `core` for BPF; else it has the sources of `core`, and cargo builds them.
    pub(crate) has_core: bool,
}

/// The best compiler on this machine: one with a prebuilt `core`, else one with its sources.
pub(crate) fn find() -> Result<Option<Compiler>> {
    let system = Path::new("/usr/bin/rustc").to_path_buf();
    let candidates = [system, "rustc".into()].map(|rustc| describe(&rustc));
    let mut usable: Vec<_> = candidates.into_iter().flatten().collect();
    usable.sort_by_key(|compiler| !compiler.has_core);
    Ok(usable.into_iter().next())
}

fn describe(rustc: &Path) -> Option<Compiler> {
    let ask = |argument: &[&str]| cmd::stdout(command_free_of_ours(rustc).args(argument)).ok();
    let version = ask(&["-vV"])?;
    let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
    let has_core = sysroot.join("lib/rustlib/bpfel-unknown-none/lib").exists();
    let has_sources = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists();
    let (release, llvm) = (number(&version, "release: ")?, number(&version, "LLVM version: ")?);
    let usable = (has_core || has_sources) && release >= OLDEST_RUSTC && LLVMS.contains(&llvm.0);
    let compiler = Compiler { rustc: rustc.into(), llvm: llvm.0, has_core };
    (usable && can_be_linked_for(&compiler)).then_some(compiler)
}

/// A compiler newer than any LLVM that Debian has is of no use, however complete it is.
fn can_be_linked_for(compiler: &Compiler) -> bool {
    let linker_is_there = linker(compiler).is_ok_and(|linker| linker.exists());
    linker_is_there
        || llvm_header(compiler.llvm).exists()
        || apt_has(&format!("llvm-{}-dev", compiler.llvm), (0, 0))
}

fn llvm_header(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}/include/llvm-c/Core.h"))
}

fn command_free_of_ours(rustc: &Path) -> Command {
    let mut command = cmd::command(rustc);
    command.env_remove("LD_LIBRARY_PATH").env_remove("RUSTC_BOOTSTRAP");
    command
}

/// The first two numbers after `key`; Debian may put an epoch before them.
fn number(text: &str, key: &str) -> Option<(u32, u32)> {
    let line = text.split_once(key)?.1.lines().next()?;
    let version = line.split_once(':').map_or(line, |(_epoch, version)| version);
    let mut numbers = version.split(['.', '-', '~', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What the system must bring before [`ensure`] can do its part.
pub(crate) fn items() -> Result<Vec<Item>> {
    let Some(compiler) = find()? else { return Ok(compiler_items()) };
    let mut items = vec![Item::new(
        Probe::File(tool(&compiler, "llvm-objcopy").to_string_lossy().into_owned()),
        format!("llvm-{}", compiler.llvm),
        "removes debug information from the eBPF object",
    )];
    if !runs(&linker(&compiler)?) {
        items.extend(linker_items(compiler.llvm));
    }
    Ok(items)
}

/// Debian's compilers that bring a `core` for BPF, in the order we'd take them.
const DEBIAN: [[&str; 2]; 2] = [["rustc-web", "libstd-rust-web-dev-bpf"], ["rustc", "libstd-rust-dev-bpf"]];

fn compiler_items() -> Vec<Item> {
    let why = "a compiler with `core` for eBPF (or, with rustup: rustup component add rust-src)";
    let names = debian_compiler().unwrap_or(DEBIAN[0]);
    names.map(|package| Item::new(Probe::Absent, package, why)).into()
}

fn debian_compiler() -> Option<[&'static str; 2]> {
    DEBIAN.into_iter().find(|names| names.iter().all(|name| apt_has(name, OLDEST_RUSTC)))
}

/// Prepares the choice of [`items`]: a machine may never have read apt's lists, and where Debian has no compiler
/// for eBPF, rustup may have the sources of `core`.
pub(crate) fn prepare() -> Result<()> {
    if find()?.is_some() || debian_compiler().is_some() {
        return Ok(());
    }
    // Failures here are not the end: what is missing after all is listed once, with what to do.
    if let Err(error) = packages::update() {
        say(format_args!("apt's lists may be old: {error:#}"));
    }
    if debian_compiler().is_none() && cmd::which("rustup").is_some() {
        say("rustup: adding rust-src, from which cargo builds core for eBPF");
        if let Err(error) = cmd::run(cmd::command("rustup").args(["component", "add", "rust-src"])) {
            say(format_args!("rustup could not: {error:#}"));
        }
    }
    Ok(())
}

/// Whether this machine's apt offers a package, at that version or later.
fn apt_has(package: &str, version: (u32, u32)) -> bool {
    let policy = cmd::stdout(cmd::command("apt-cache").args(["policy", package])).unwrap_or_default();
    number(&policy, "Candidate: ").is_some_and(|candidate| candidate >= version)
}

fn linker_items(llvm: u32) -> Vec<Item> {
    let why = "bpf-linker is built against it";
    let home = format!("/usr/lib/llvm-{llvm}");
    let file = |path: String, package: String| Item::new(Probe::File(path), package, why);
    vec![
        file(llvm_header(llvm).to_string_lossy().into_owned(), format!("llvm-{llvm}-dev")),
        file(format!("{home}/lib/libPolly.a"), format!("libpolly-{llvm}-dev")),
        file("/usr/include/zlib.h".into(), "zlib1g-dev".into()),
        file("/usr/include/zstd.h".into(), "libzstd-dev".into()),
        Item::new(Probe::Program("c++"), "g++", why),
    ]
}

/// A program of the LLVM that matches the compiler.
pub(crate) fn tool(compiler: &Compiler, name: &str) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{}/bin/{name}", compiler.llvm))
}

/// Where the linker for this compiler is, or will be.
pub(crate) fn linker(compiler: &Compiler) -> Result<PathBuf> {
    Ok(linker_home(compiler)?.join("bin/bpf-linker"))
}

fn linker_home(compiler: &Compiler) -> Result<PathBuf> {
    let name = match compiler.llvm {
        22 => format!("bpf-linker-{LINKER}"),
        other => format!("bpf-linker-{LINKER}-llvm-{other}"),
    };
    Ok(paths::cache()?.join(name))
}

fn runs(program: &Path) -> bool {
    program.exists() && cmd::succeeds(cmd::command(program).arg("--version"))
}

/// rustup's minimal profile comes without them.
pub(crate) fn ensure_lints() -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        let subcommand = component.trim_start_matches("rust");
        if !cmd::succeeds(cargo().args([subcommand, "--version"])) {
            say(format_args!("rustup: adding {component}"));
            cmd::run(cmd::command("rustup").args(["component", "add", component]))
                .with_context(|| format!("cargo {subcommand} is missing; install {component}"))?;
        }
    }
    Ok(())
}

/// Builds the linker if it isn't there; call it after the packages of [`items`] are.
pub(crate) fn ensure() -> Result<()> {
    let compiler = find()?.context("no compiler for eBPF, though its packages are installed")?;
    let _lock = Lock::take("bpf-linker")?;
    if runs(&linker(&compiler)?) {
        return Ok(());
    }
    let started = Instant::now();
    say(format_args!("bpf-linker {LINKER}: building it against LLVM {}", compiler.llvm));
    fsx::make_dir(&linker_home(&compiler)?, |dir| install_linker(compiler.llvm, dir))?;
    if !runs(&linker(&compiler)?) {
        bail!("bpf-linker was built, but {} doesn't start", linker(&compiler)?.display());
    }
    say(format_args!("bpf-linker {LINKER}: built ({:.0} s)", started.elapsed().as_secs_f32()));
    Ok(())
}

fn install_linker(llvm: u32, dir: &Path) -> Result<()> {
    let build = dir.join("build");
    let mut cargo = cargo();
    cargo.args(["install", "bpf-linker", "--version", LINKER, "--locked", "--no-default-features"]);
    cargo.arg("--features").arg(format!("llvm-{llvm}")).arg("--root").arg(dir);
    // Out of the checkout: neither its .cargo/config.toml nor its lock file is meant for this build.
    cargo.arg("--target-dir").arg(&build).current_dir(dir);
    cmd::run(cargo.env("LLVM_PREFIX", format!("/usr/lib/llvm-{llvm}")))?;
    fsx::remove_tree(&build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        let rustc = "rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(number(rustc, "release: "), Some((1, 96)));
        assert_eq!(number(rustc, "LLVM version: "), Some((22, 1)));
        assert_eq!(number("  Candidate: 1.96.0+dfsg1-1~deb12u2\n", "Candidate: "), Some((1, 96)));
        assert_eq!(number("  Candidate: 1:22.1.8-1~deb12u1\n", "Candidate: "), Some((22, 1)));
        assert_eq!(number("  Candidate: (none)\n", "Candidate: "), None);
    }
}
