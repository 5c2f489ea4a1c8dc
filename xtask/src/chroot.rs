//! A compiler per Debian release: modules want the compiler that built their kernel. The packages are unpacked,
//! not installed (no maintainer script runs), which takes seconds and no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::apt::{self, Apt, Suite};
use crate::fsx::{self, Lock};
use crate::{cmd, paths, say, setup};

/// Raise it when the recipe below changes: chroots of another recipe are made anew.
const RECIPE: u32 = 2;

const TOOLS: [&str; 11] =
    ["make", "bash", "dash", "coreutils", "sed", "grep", "mawk", "findutils", "diffutils", "perl", "libelf1"];

/// One of a suite's compilers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// That of the suite's own kernels.
    Gcc,
    /// clang of this version, with its linker and tools.
    Clang(u32),
}

impl Compiler {
    /// Its command.
    fn command(self, suite: Suite) -> String {
        match self {
            Self::Gcc => suite.compiler().to_owned(),
            Self::Clang(version) => format!("clang-{version}"),
        }
    }

    fn packages(self, suite: Suite) -> Vec<String> {
        match self {
            Self::Gcc => vec![suite.compiler().to_owned()],
            Self::Clang(version) => ["clang", "lld", "llvm"].map(|name| format!("{name}-{version}")).into(),
        }
    }

    /// Variable that tells the kernel's Makefile of it.
    pub(crate) fn make_variable(self, suite: Suite) -> String {
        match self {
            Self::Gcc => format!("CC={}", suite.compiler()),
            Self::Clang(version) => format!("LLVM=-{version}"),
        }
    }
}

impl Suite {
    pub(crate) fn compiler(self) -> &'static str {
        match self {
            Self::Bullseye => "gcc-10",
            Self::Bookworm => "gcc-12",
            Self::Trixie => "gcc-14",
        }
    }
}

/// What building a whole kernel takes beyond [`TOOLS`].
const KERNEL_TOOLS: [&str; 14] = [
    "flex",
    "bison",
    "bc",
    "libelf-dev",
    "libssl-dev",
    "libc6-dev",
    "dwarves",
    "python3",
    "tar",
    "xz-utils",
    "gzip",
    "zstd",
    "kmod",
    "cpio",
];

/// The chroot of a suite, made if it is missing. It needs no network afterwards.
pub(crate) fn ensure(suite: Suite) -> Result<PathBuf> {
    ensure_named(suite.name(), suite, Compiler::Gcc, &[])
}

/// The same for building modules for kernels by this compiler.
pub(crate) fn ensure_for_modules(suite: Suite, compiler: Compiler) -> Result<PathBuf> {
    if compiler == Compiler::Gcc { ensure(suite) } else { ensure_for_kernel(suite, compiler) }
}

/// The same for building a kernel.
pub(crate) fn ensure_for_kernel(suite: Suite, compiler: Compiler) -> Result<PathBuf> {
    let name = match compiler {
        Compiler::Gcc => format!("kernel-{}", suite.name()),
        Compiler::Clang(version) => format!("clang{version}-{}", suite.name()),
    };
    ensure_named(&name, suite, compiler, &KERNEL_TOOLS)
}

fn ensure_named(name: &str, suite: Suite, compiler: Compiler, tools: &[&str]) -> Result<PathBuf> {
    let _lock = Lock::take(&format!("chroot-{name}"))?;
    let chroots = paths::cache()?.join("chroots");
    let dir = chroots.join(format!("{name}-{RECIPE}"));
    if !dir.exists() {
        check_usable()?;
        let started = Instant::now();
        say(format_args!("chroot {name}: downloading {} and its tools", compiler.command(suite)));
        fsx::make_dir(&dir, |dir| fill(suite, compiler, tools, dir))?;
        fsx::forget_old(&chroots, name)?;
        say(format_args!("chroot {name}: ready ({:.0} s)", started.elapsed().as_secs_f32()));
    }
    Ok(dir)
}

fn fill(suite: Suite, compiler: Compiler, tools: &[&str], dir: &Path) -> Result<()> {
    let debs = dir.join("debs");
    let compilers = compiler.packages(suite);
    let packages: Vec<_> =
        TOOLS.iter().chain(tools).copied().chain(compilers.iter().map(String::as_str)).collect();
    for deb in Apt::open(suite)?.download_closure(&packages, &debs)? {
        apt::unpack(&deb, dir)?;
    }
    fsx::remove_tree(&debs)?;
    finish_by_hand(dir)?;
    let version = format!("{} --version", compiler.command(suite));
    cmd::run(&mut inside(dir, &[], &version)).context("the new chroot's compiler doesn't start")
}

/// What maintainer scripts would have done, as far as a kernel build sees it.
fn finish_by_hand(dir: &Path) -> Result<()> {
    use std::os::unix::fs::symlink;
    for name in ["bin", "sbin", "lib", "lib64"] {
        if dir.join(name).symlink_metadata().is_err() {
            symlink(format!("usr/{name}"), dir.join(name))?;
        }
    }
    if dir.join("bin/sh").symlink_metadata().is_err() {
        symlink("dash", dir.join("bin/sh"))?;
    }
    if dir.join("usr/bin/awk").symlink_metadata().is_err() {
        symlink("mawk", dir.join("usr/bin/awk"))?;
    }
    fs::write(dir.join("enter"), ENTER)?;
    for name in ["dev", "proc", "tmp", "build", "usr/src"] {
        fs::create_dir_all(dir.join(name))?;
    }
    Ok(())
}

/// Arguments: the chroot, a shell line, and pairs of a host directory and where it appears inside.
const ENTER: &str = r#"# Runs a shell line in this chroot. Started in a mount namespace of its own, so that no mount outlives it.
set -e
root=$1 line=$2
shift 2
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ $# -gt 0 ]; do
	mkdir -p "$root/$2"
	mount --bind "$1" "$root/$2"
	shift 2
done
exec chroot "$root" /bin/sh -ec "$line"
"#;

/// A command that runs a shell line inside, with `/proc`, `/dev` and the given directories bound (host path,
/// path inside).
pub(crate) fn inside(chroot: &Path, binds: &[(&Path, &str)], line: &str) -> Command {
    let mut command = cmd::command("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    if !setup::is_root() {
        command.arg("--map-root-user");
    }
    command.arg("/bin/sh").arg(chroot.join("enter")).arg(chroot).arg(line);
    for (host, guest) in binds {
        command.arg(host).arg(guest);
    }
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("HOME", "/");
    command
}

/// Fails with a sentence where namespaces are forbidden, before a long download.
pub(crate) fn check_usable() -> Result<()> {
    let mut probe = cmd::command("unshare");
    probe.args(["--mount", "--pid", "--fork"]);
    if !setup::is_root() {
        probe.arg("--map-root-user");
    }
    cmd::run(probe.arg("true")).context(
        "mount namespaces are forbidden here, and kernel modules are built in one; run as root, in a container \
         with CAP_SYS_ADMIN, or allow unprivileged user namespaces",
    )
}
