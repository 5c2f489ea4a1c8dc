//! A guest whose PID 1 is Debian's systemd, with `iova` and its units installed as on a real host.
//!
//! Its root is an initramfs, and so new at each boot: what one boot leaves to the next is on the state disk alone.

mod packages;
mod units;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::cpio::Archive;
use super::initramfs::{OWN_MODULES, Programs, STATE_DISK, static_busybox};
use super::modules::{self, Index};
use crate::kernels::{self, Kernel};
use crate::{cmd, fsx, module, paths};

pub(crate) use packages::ensure as ensure_packages;

/// What applies a boot trial in an initramfs, which this guest's root is.
const APPLY: &str = "dist/initramfs/iova-boot-trial";

/// The program that the test units run.
const PROGRAM: &str = "guest-boot";

/// Packs the image; it serves any number of boots.
pub(crate) fn pack(kernel: &Kernel, programs: &Programs, own_modules: &[&str]) -> Result<Vec<u8>> {
    let root = packages::ensure()?;
    let mut archive = Archive::default();
    for directory in ["dev", "etc", "proc", "root", "run", "sys", "tmp", "var/lib/iova"] {
        archive.directory(directory);
    }
    for directory in ["bin", "sbin", "lib", "lib64"] {
        archive.symlink(directory, &format!("usr/{directory}"));
    }
    archive.character_device("dev/console", 0o600, (5, 1));
    archive.symlink("init", "usr/lib/systemd/systemd");
    archive.tree(&root.join("usr"), "usr", &|path| !is_ballast(path))?;
    archive.tree(&root.join("etc"), "etc", &|_| true)?;
    add_programs(&mut archive, programs)?;
    add_modules(&mut archive, kernel, own_modules)?;
    units::add(&mut archive)?;
    Ok(archive.finish())
}

/// What no boot reads; udev's table of hardware alone is 10 MB.
fn is_ballast(path: &str) -> bool {
    ["usr/share/", "usr/lib/udev/hwdb.d/", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/systemd/catalog/"]
        .iter()
        .any(|ballast| path.starts_with(ballast))
}

fn add_programs(archive: &mut Archive, programs: &Programs) -> Result<()> {
    let busybox = static_busybox()?;
    let ours = [
        ("iova", programs.iova().context("a bare guest has no iova to boot with")?),
        (PROGRAM, programs.guest(PROGRAM).context("tests/guest builds no guest-boot")?),
        ("busybox", &busybox),
    ];
    for (name, path) in ours {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        archive.file(&format!("usr/bin/{name}"), 0o755, &content);
    }
    let apply = fs::read(paths::root().join(APPLY)).with_context(|| format!("cannot read {APPLY}"))?;
    archive.file("usr/lib/iova/iova-boot-trial", 0o755, &apply);
    for applet in ["sh", "dd"] {
        archive.symlink(&format!("usr/bin/{applet}"), "busybox");
    }
    Ok(())
}

/// With depmod's whole index, because udev goes by its aliases.
fn add_modules(archive: &mut Archive, kernel: &Kernel, own: &[&str]) -> Result<()> {
    let stage = fsx::stage("boot");
    let added =
        stage_modules(kernel, own, &stage).and_then(|()| archive.tree(&stage.join("usr"), "usr", &|_| true));
    let removed = fsx::remove_tree(&stage);
    added.and(removed)
}

fn stage_modules(kernel: &Kernel, own: &[&str], stage: &Path) -> Result<()> {
    let home = stage.join("usr/lib/modules").join(&kernel.release);
    let busybox = static_busybox()?;
    // What udev and mount load by themselves.
    let wanted = [&["nvme"][..], &STATE_DISK].concat();
    for file in Index::read(&kernel.modules)?.load_order(&wanted)? {
        let content = modules::content(&busybox, &kernel.modules.join(&file))?;
        write(&home.join(modules::uncompressed(&file)), &content)?;
    }
    for (source, place) in OWN_MODULES.into_iter().filter(|(source, _)| own.contains(source)) {
        fsx::copy_file(&module::build(kernel, &paths::root().join(source))?, &home.join(place))?;
    }
    for name in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        fsx::copy_file(&kernel.modules.join(name), &home.join(name))?;
    }
    kernels::index_modules(stage, &kernel.release)
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let parent = path.parent().context("a path without a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// A disk of so many MiB for what outlives a boot, with what is in a directory of ours, if one is given.
pub(crate) fn state_disk(mebibytes: u64, content: Option<&Path>) -> Result<fs::File> {
    let disk = super::fds::disk(mebibytes << 20)?;
    let mut make =
        cmd::command(cmd::which("mke2fs").context("mke2fs is missing; install the package e2fsprogs")?);
    // Root's, whoever makes it.
    make.args(["-q", "-F", "-t", "ext4", "-E", "root_owner=0:0"]);
    if let Some(content) = content {
        make.arg("-d").arg(content);
    }
    make.arg(super::fds::own_path(&disk));
    super::fds::inherit(&mut make, vec![std::os::fd::AsRawFd::as_raw_fd(&disk)]);
    cmd::run(&mut make).context("making the state disk's file system")?;
    Ok(disk)
}
