//! What a guest boots into: our init, busybox, the modules of the machine, and what is under test.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use iova_guest::{Job, job};

use super::cpio::Archive;
use super::modules::{self, Index};
use super::spec::{GuestSpec, Io, Iommu};
use super::terminal;
use crate::kernels::Kernel;
use crate::{build, cmd, module, paths};

/// Where Debian's package pci.ids has its list, on the host and in the guest.
const PCI_IDS: &str = "/usr/share/misc/pci.ids";

/// Packs the image for this guest.
pub(crate) fn build(kernel: &Kernel, spec: &GuestSpec) -> Result<Vec<u8>> {
    let busybox = static_busybox()?;
    let mut archive = Archive::default();
    skeleton(&mut archive);
    applets(&mut archive, &busybox)?;
    for program in build::guest_bins()? {
        let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let place = if name == "guest-init" { "init".into() } else { format!("bin/{name}") };
        copy(&mut archive, &program, &place, 0o755)?;
    }
    let loaded = kernel_modules(&mut archive, kernel, spec, &busybox)?;
    optional(&mut archive, Path::new(PCI_IDS), PCI_IDS)?;
    let config = format!("boot/config-{}", kernel.release);
    optional(&mut archive, &kernel.dir.join(&config), &config)?;
    if !spec.bare {
        copy(&mut archive, &build::dist()?, "bin/iova", 0o755)?;
        copy(&mut archive, &paths::root().join("tests/guest/demo.sh"), "bin/demo", 0o755)?;
    }
    for (guest, host) in &spec.files {
        copy(&mut archive, host, guest, 0o755)?;
    }
    let job = serde_json::to_vec_pretty(&describe(spec, loaded))?;
    archive.file(job::JOB_PATH, 0o644, &job);
    Ok(archive.finish())
}

fn describe(spec: &GuestSpec, modules: Vec<String>) -> Job {
    Job {
        argv: spec.argv.clone(),
        env: spec.env.clone(),
        modules,
        wait_for: vec!["/dev/nvme0n1".into()],
        netdev: Some("eth0".into()),
        out: spec.out.iter().map(|out| out.guest.clone()).collect(),
        terminal: (spec.io == Io::Terminal).then(terminal::describe),
    }
}

fn skeleton(archive: &mut Archive) {
    for directory in ["bin", "dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "usr", "var"] {
        archive.directory(directory);
    }
    for (link, to) in [("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin")] {
        archive.symlink(link, to);
    }
    // The kernel opens it for init before init can mount anything.
    archive.character_device("dev/console", 0o600, (5, 1));
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", 0o644, b"root:x:0:\n");
    archive.file("etc/hosts", 0o644, b"127.0.0.1 localhost\n10.0.2.2 host\n10.0.2.100 echo\n");
}

fn static_busybox() -> Result<PathBuf> {
    let hint = "install the package busybox-static";
    let busybox = cmd::which("busybox").with_context(|| format!("there is no busybox; {hint}"))?;
    // A static program names no interpreter. The guest has no libraries for the other kind.
    let head = fs::read(&busybox)?;
    if head.windows(9).take(4096).any(|window| window == b"/ld-linux") {
        bail!("{} needs shared libraries; {hint}", busybox.display());
    }
    Ok(busybox)
}

fn applets(archive: &mut Archive, busybox: &Path) -> Result<()> {
    copy(archive, busybox, "bin/busybox", 0o755)?;
    for applet in cmd::stdout(cmd::command(busybox).arg("--list"))?.lines().filter(|name| *name != "busybox")
    {
        archive.symlink(&format!("bin/{applet}"), "busybox");
    }
    Ok(())
}

/// Adds the machine's drivers and the load module; returns what init is to load, in order.
fn kernel_modules(
    archive: &mut Archive,
    kernel: &Kernel,
    spec: &GuestSpec,
    busybox: &Path,
) -> Result<Vec<String>> {
    let index = Index::read(&kernel.modules)?;
    // The IOMMU's own driver goes first: a device that is probed before it would stay untranslated.
    let mut wanted = if spec.iommu == Iommu::Virtio { vec!["virtio_pci", "virtio_iommu"] } else { vec![] };
    wanted.extend(["nvme", "e1000e"]);
    let home = format!("/lib/modules/{}", kernel.release);
    let mut load = Vec::new();
    let mut dependencies = String::new();
    for file in index.load_order(&wanted)? {
        let content = modules::content(busybox, &kernel.modules.join(&file))?;
        let place = format!("{home}/{}", file.trim_end_matches(".xz"));
        archive.file(&place, 0o644, &content);
        load.push(place);
    }
    // The load module is there for `modprobe`, but whether it runs is up to the command.
    let source = paths::root().join("tests/iova_load");
    if !spec.bare && source.exists() {
        copy(archive, &module::build(kernel, &source)?, &format!("{home}/extra/iova_load.ko"), 0o644)?;
        dependencies.push_str("extra/iova_load.ko:\n");
    }
    archive.file(&format!("{home}/modules.dep"), 0o644, dependencies.as_bytes());
    Ok(load)
}

fn copy(archive: &mut Archive, from: &Path, to: &str, permissions: u32) -> Result<()> {
    let content = fs::read(from).with_context(|| format!("cannot read {} for the guest", from.display()))?;
    archive.file(to, permissions, &content);
    Ok(())
}

/// Adds a file that a guest can do without.
fn optional(archive: &mut Archive, from: &Path, to: &str) -> Result<()> {
    if from.exists() { copy(archive, from, to, 0o644) } else { Ok(()) }
}
