//! What a guest boots into: our init, busybox, the modules of the machine, and what is under test.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use iova_guest::{Job, job};

use super::cpio::Archive;
use super::listed;
use super::modules::{self, Index};
use super::spec::{GuestSpec, Io, Iommu};
use super::terminal;
use crate::kernels::Kernel;
use crate::{build, cmd, module, paths};

/// Where Debian's package pci.ids has its list, on the host and in the guest.
const PCI_IDS: &str = "/usr/share/misc/pci.ids";

/// Our own modules: each one's source directory, and where it is below the guest's module directory. They are there for
/// `modprobe`; whether they run is up to the command.
pub(super) const OWN_MODULES: [(&str, &str); 3] = [
    ("tests/iova_load", "extra/iova_load.ko"),
    ("tests/iova_edu", "extra/iova_edu.ko"),
    ("iova-kmod", "extra/iova_policy.ko"),
];

/// The disk that outlives a guest, its file system, and that one's checksums.
pub(super) const STATE_DISK: [&str; 4] = ["virtio_pci", "virtio_blk", "ext4", "crc32c_generic"];

/// Scripts in `tests/guest/`, and their names in the guest.
const SCRIPTS: [(&str, &str); 3] =
    [("load.sh", "lab-load"), ("demo.sh", super::REPORT), ("show.sh", super::SHOW)];

/// Our own programs, built once for any number of guests.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    guest: Vec<PathBuf>,
    /// None in a bare guest, which gets none of our modules either.
    iova: Option<PathBuf>,
}

impl Programs {
    /// Everything: guest init, the suites and `iova` as it ships.
    pub(crate) fn shipped() -> Result<Self> {
        Ok(Self { guest: build::guest_bins()?, iova: Some(build::dist()?) })
    }

    /// The same with an `iova` in the guests' profile, which is built in a third of the time: it does the same, if not as fast.
    pub(crate) fn in_guest_profile() -> Result<Self> {
        let (guest, iova) = build::guest_bins_and_iova()?;
        Ok(Self { guest, iova: Some(iova) })
    }

    /// The same with an `iova` whose eBPF programs log.
    pub(crate) fn logging(&self) -> Result<Self> {
        Ok(Self { guest: self.guest.clone(), iova: Some(build::guest_iova_with_log()?) })
    }

    /// What is enough to boot.
    pub(crate) fn bare() -> Result<Self> {
        Ok(Self { guest: build::guest_init()?, iova: None })
    }

    /// Whether one of the guest's own programs has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.guest(name).is_some()
    }

    /// The guest's own program of this name.
    pub(super) fn guest(&self, name: &str) -> Option<&PathBuf> {
        self.guest.iter().find(|program| program.file_name().is_some_and(|file| file == name))
    }

    /// `iova` itself.
    pub(super) fn iova(&self) -> Option<&PathBuf> {
        self.iova.as_ref()
    }
}

/// Packs the image for this guest.
pub(crate) fn pack(kernel: &Kernel, spec: &GuestSpec, programs: &Programs) -> Result<Vec<u8>> {
    let busybox = static_busybox()?;
    let mut archive = Archive::default();
    skeleton(&mut archive);
    applets(&mut archive, &busybox)?;
    for program in &programs.guest {
        let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let place = if name == "guest-init" { "init".into() } else { format!("bin/{name}") };
        copy(&mut archive, program, &place, 0o755)?;
    }
    let loaded = kernel_modules(&mut archive, kernel, spec, &busybox)?;
    if let Some(iova) = &programs.iova {
        copy(&mut archive, iova, "bin/iova", 0o755)?;
        for (script, name) in SCRIPTS {
            copy(
                &mut archive,
                &paths::root().join("tests/guest").join(script),
                &format!("bin/{name}"),
                0o755,
            )?;
        }
        own_modules(&mut archive, kernel)?;
        if spec.listed {
            let built = listed::build(kernel, iova)?;
            copy(&mut archive, &built, &format!("{}/{}", module_home(kernel), listed::PLACE), 0o644)?;
        }
    }
    optional(&mut archive, Path::new(PCI_IDS), PCI_IDS)?;
    let config = format!("boot/config-{}", kernel.release);
    optional(&mut archive, &kernel.dir.join(&config), &config)?;
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
        claim: driverless(spec.iommu),
        wait_for: vec!["/dev/nvme0n1".into()],
        netdev: Some("eth0".into()),
        out: spec.out.iter().map(|out| out.guest.clone()).collect(),
        accounting: !spec.icount,
        terminal: (spec.io == Io::Terminal).then(terminal::describe),
    }
}

/// The devices without a driver that suites use, edu and the SATA controller: the virtio IOMMU takes a device in when
/// a driver does, the others when they find it.
fn driverless(iommu: Iommu) -> Vec<String> {
    let devices = ["0000:00:05.0", "0000:00:1f.2"].map(String::from);
    if iommu == Iommu::Virtio { devices.into() } else { Vec::new() }
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

pub(super) fn static_busybox() -> Result<PathBuf> {
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

/// Adds the machine's drivers; returns what init is to load, in order.
fn kernel_modules(
    archive: &mut Archive,
    kernel: &Kernel,
    spec: &GuestSpec,
    busybox: &Path,
) -> Result<Vec<String>> {
    let index = Index::read(&kernel.modules)?;
    // The IOMMU's own driver goes first: a device that is probed before it would stay untranslated.
    let mut wanted =
        if spec.iommu == Iommu::Virtio { vec!["virtio_pci", "virtio_iommu", "pci_stub"] } else { vec![] };
    wanted.extend(["nvme", "e1000e"]);
    if spec.state.is_some() {
        wanted.extend(STATE_DISK);
    }
    let home = module_home(kernel);
    let mut load = Vec::new();
    let mut dependencies: String = OWN_MODULES.iter().map(|(_, place)| format!("{place}:\n")).collect();
    for file in index.load_order(&wanted)? {
        let content = modules::content(busybox, &kernel.modules.join(&file))?;
        let place = format!("{home}/{}", modules::uncompressed(&file));
        archive.file(&place, 0o644, &content);
        dependencies.push_str(&index.dependencies_of(&file));
        load.push(place);
    }
    // For modprobe, which suites use to unbind and bind drivers.
    archive.file(&format!("{home}/modules.dep"), 0o644, dependencies.as_bytes());
    Ok(load)
}

fn own_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    for (source, place) in OWN_MODULES {
        let built = module::build(kernel, &paths::root().join(source))?;
        copy(archive, &built, &format!("{}/{place}", module_home(kernel)), 0o644)?;
    }
    Ok(())
}

fn module_home(kernel: &Kernel) -> String {
    format!("/lib/modules/{}", kernel.release)
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
