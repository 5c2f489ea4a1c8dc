//! Kernels that check themselves: Debian's 6.12 source, built small, with lockdep, and with KASAN, UBSAN and kmemleak or
//! with KCSAN, which does not go with those.
//!
//! One takes half an hour to build on two busy cores and several times as long to run, so they are for hunting bugs in
//! kernel modules, and a part of `cargo xtask test` for those who name them.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::{Kernel, Line, describe, home, index_modules};
use crate::apt::{self, Apt};
use crate::{chroot, cmd, fsx, paths, say};

const SOURCE: &str = "linux-source-6.12";
/// Options of each, on top of the smallest configuration there is.
const CONFIG: &str = "tests/built-kernel.config";

/// One of these kernels.
#[derive(Clone, Copy)]
pub(super) struct Flavour {
    /// The line that it is.
    pub(super) line: Line,
    /// Options besides those in [`CONFIG`].
    pub(super) config: &'static str,
    /// Ends the release name, as `LOCALVERSION` in that file.
    pub(super) suffix: &'static str,
}

/// Builds the kernel, and keeps as much of the tree as modules need.
const BUILD: &str = r"cd /src
    ln -sf gcc-12 /usr/bin/gcc
    make -s tinyconfig
    scripts/kconfig/merge_config.sh -m .config /config/common /config/own >/dev/null
    make -s olddefconfig
    make -s -j$(nproc) bzImage modules
    make -s kernelrelease > /out/release
    cp arch/x86/boot/bzImage /out/vmlinuz
    cp .config /out/config
    cp modules.builtin modules.builtin.modinfo modules.order /out/
    find . \( -name '*.o' -o -name '*.a' -o -name 'vmlinux*' \) -not -path './scripts/*' -not -path './tools/*' -delete
    rm -rf Documentation drivers fs net samples sound";

/// Builds the kernel; [`super::fetch`] of its line.
pub(super) fn build(flavour: Flavour) -> Result<Kernel> {
    let Flavour { line, config, suffix } = flavour;
    let started = Instant::now();
    let root = chroot::ensure_for_kernel(line.suite())?;
    say(format_args!("kernel {line}: building it, which takes a while"));
    let place = home(line)?;
    let built = place.join("built");
    fsx::make_dir(&built, |dir| compile(&root, dir, flavour))?;
    let release = fs::read_to_string(built.join("out/release"))?.trim().to_owned();
    anyhow::ensure!(
        release.ends_with(suffix),
        "{config} lost its LOCALVERSION: the kernel is called {release}"
    );
    let dir = place.join(&release);
    fsx::make_dir(&dir, |dir| arrange(&built, dir, &release))?;
    fsx::remove_tree(&built)?;
    let kernel = describe(line, &release)?;
    fsx::relink(Path::new(&release), &place.join("current"))?;
    say(format_args!("kernel {line}: {release} ready ({:.0} s)", started.elapsed().as_secs_f32()));
    Ok(kernel)
}

fn compile(root: &Path, dir: &Path, flavour: Flavour) -> Result<()> {
    let debs = dir.join("debs");
    let package = Apt::open(flavour.line.suite())?.download(&[SOURCE.to_owned()], &debs)?;
    for deb in package {
        apt::unpack(&deb, dir)?;
    }
    let (packed, config, out) = (dir.join("usr/src"), dir.join("config"), dir.join("out"));
    for made in [&config, &out] {
        fs::create_dir_all(made)?;
    }
    for (name, fragment) in [("common", CONFIG), ("own", flavour.config)] {
        let from = paths::root().join(fragment);
        fs::copy(from, config.join(name)).with_context(|| format!("cannot read {fragment}"))?;
    }
    let unpack = format!("cd /packed && tar -xf {SOURCE}.tar.xz && rm {SOURCE}.tar.xz");
    cmd::run(&mut chroot::inside(root, &[(&packed, "/packed")], &unpack))?;
    let source = packed.join(SOURCE);
    let binds: [(&Path, &str); 3] = [(&source, "/src"), (&config, "/config"), (&out, "/out")];
    cmd::run(&mut chroot::inside(root, &binds, BUILD))
}

/// As Debian's packages lay a kernel out.
fn arrange(built: &Path, dir: &Path, release: &str) -> Result<()> {
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
    let tree = built.join("usr/src").join(SOURCE);
    fs::rename(tree, dir.join(format!("usr/src/linux-headers-{release}")))?;
    index_modules(dir, release)
}
