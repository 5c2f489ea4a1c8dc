//! Kernels that Debian does not have, built small from its sources: 6.12 with lockdep, and with KASAN, UBSAN and kmemleak or with
//! KCSAN, which does not go with those; 6.12 and 7.3 by clang with ThinLTO.
//!
//! One takes half an hour to build on two busy cores; those that check themselves take several times as long to run, and are for
//! hunting bugs in kernel modules. All are a part of `cargo xtask test` for those who name them.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::{Kernel, Line, describe, home, index_modules};
use crate::apt::{self, Apt};
use crate::chroot::Compiler;
use crate::{chroot, cmd, fsx, paths, say};

/// One of these kernels.
#[derive(Clone, Copy)]
pub(super) struct Flavour {
    /// The line that it is.
    pub(super) line: Line,
    /// Debian's package with the source.
    pub(super) source: &'static str,
    /// Files with options, on top of the smallest configuration there is. The last has the `LOCALVERSION`.
    pub(super) configs: &'static [&'static str],
    /// Ends the release name.
    pub(super) suffix: &'static str,
}

/// Builds the kernel, and keeps as much of the tree as modules need. `$make` knows the compiler.
const BUILD: &str = r"cd /src
    $make tinyconfig
    scripts/kconfig/merge_config.sh -m .config /config/* >/dev/null
    $make olddefconfig
    $make -j$(nproc) bzImage modules
    $make kernelrelease > /out/release
    cp arch/x86/boot/bzImage /out/vmlinuz
    cp .config /out/config
    cp modules.builtin modules.builtin.modinfo modules.order /out/
    find . \( -name '*.o' -o -name '*.a' -o -name 'vmlinux*' \) -not -path './scripts/*' -not -path './tools/*' -delete
    rm -rf Documentation drivers fs net samples sound";

/// Builds the kernel; [`super::fetch`] of its line.
pub(super) fn build(flavour: Flavour) -> Result<Kernel> {
    let Flavour { line, configs, suffix, .. } = flavour;
    let started = Instant::now();
    let root = chroot::ensure_for_kernel(line.suite(), line.compiler())?;
    say(format_args!("kernel {line}: building it, which takes a while"));
    let place = home(line)?;
    let built = place.join("built");
    fsx::make_dir(&built, |dir| compile(&root, dir, flavour))?;
    let release = fs::read_to_string(built.join("out/release"))?.trim().to_owned();
    anyhow::ensure!(
        release.ends_with(suffix),
        "{} lost their LOCALVERSION: the kernel is called {release}",
        configs.join(" and ")
    );
    let dir = place.join(&release);
    fsx::make_dir(&dir, |dir| arrange(&built, dir, flavour.source, &release))?;
    fsx::remove_tree(&built)?;
    let kernel = describe(line, &release)?;
    fsx::relink(Path::new(&release), &place.join("current"))?;
    say(format_args!("kernel {line}: {release} ready ({:.0} s)", started.elapsed().as_secs_f32()));
    Ok(kernel)
}

fn compile(root: &Path, dir: &Path, flavour: Flavour) -> Result<()> {
    let debs = dir.join("debs");
    let Flavour { line, source, configs, .. } = flavour;
    let package = Apt::open(line.suite())?.download(&[source.to_owned()], &debs)?;
    for deb in package {
        apt::unpack(&deb, dir)?;
    }
    let (packed, config, out) = (dir.join("usr/src"), dir.join("config"), dir.join("out"));
    for made in [&config, &out] {
        fs::create_dir_all(made)?;
    }
    for (index, fragment) in configs.iter().enumerate() {
        let from = paths::root().join(fragment);
        fs::copy(from, config.join(index.to_string())).with_context(|| format!("cannot read {fragment}"))?;
    }
    let unpack = format!("cd /packed && tar -xf {source}.tar.xz && rm {source}.tar.xz");
    cmd::run(&mut chroot::inside(root, &[(&packed, "/packed")], &unpack))?;
    let tree = packed.join(source);
    let binds: [(&Path, &str); 3] = [(&tree, "/src"), (&config, "/config"), (&out, "/out")];
    cmd::run(&mut chroot::inside(root, &binds, &format!("{}\n{BUILD}", prelude(line))))
}

/// Sets `$make`.
fn prelude(line: Line) -> String {
    let (suite, compiler) = (line.suite(), line.compiler());
    let named = "export KBUILD_BUILD_USER=iova KBUILD_BUILD_HOST=lab";
    match compiler {
        // The programs that the build needs itself are compiled by gcc.
        Compiler::Gcc => format!("{named}; ln -sf {} /usr/bin/gcc; make='make -s'", suite.compiler()),
        Compiler::Clang(_) => format!("{named}; make='make -s {}'", compiler.make_variable(suite)),
    }
}

/// As Debian's packages lay a kernel out.
fn arrange(built: &Path, dir: &Path, source: &str, release: &str) -> Result<()> {
    let out = built.join("out");
    let modules = dir.join("usr/lib/modules").join(release);
    // Debian's headers find their tools here; ours have them inside.
    let tools = dir.join(format!("usr/lib/linux-kbuild-{release}"));
    for made in [&dir.join("boot"), &dir.join("usr/src"), &modules, &tools] {
        fs::create_dir_all(made)?;
    }
    fs::rename(out.join("vmlinuz"), dir.join(format!("boot/vmlinuz-{release}")))?;
    fs::rename(out.join("config"), dir.join(format!("boot/config-{release}")))?;
    for name in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        fs::rename(out.join(name), modules.join(name))?;
    }
    let tree = built.join("usr/src").join(source);
    fs::rename(tree, dir.join(format!("usr/src/linux-headers-{release}")))?;
    index_modules(dir, release)
}
