//! What must be on this machine: looked for as files and programs, so that it may come from anywhere, and
//! installed as Debian packages where that is possible.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use super::{Need, is_root, toolchain};
use crate::{cmd, say};

/// One thing to find, the package that brings it, and what it's for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) found_by: Probe,
    pub(crate) package: String,
    pub(crate) why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A program on PATH.
    Program(&'static str),
    /// A program that runs where there are no libraries.
    StaticProgram(&'static str),
    /// A file at a place that Debian fixes.
    File(String),
    /// Known to be missing.
    Absent,
}

impl Item {
    pub(crate) fn new(found_by: Probe, package: impl Into<String>, why: &'static str) -> Self {
        Self { found_by, package: package.into(), why }
    }

    fn program(name: &'static str, package: &str, why: &'static str) -> Self {
        Self::new(Probe::Program(name), package, why)
    }

    fn is_missing(&self) -> bool {
        match &self.found_by {
            Probe::Program(name) => cmd::which(name).is_none(),
            Probe::StaticProgram(name) => !cmd::which(name).is_some_and(|path| is_static(&path)),
            Probe::File(path) => !Path::new(path).exists(),
            Probe::Absent => true,
        }
    }
}

/// Finds or installs what the needs want from the system.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    if needs.contains(&Need::Bpf) {
        toolchain::prepare()?;
    }
    // Twice, because the compiler decides which LLVM its linker wants, and must be there to be asked.
    for _ in 0..2 {
        let missing = missing(needs)?;
        if missing.is_empty() {
            return Ok(());
        }
        install(&missing).map_err(|reason| anyhow!(instructions(&missing, &format!("{reason:#}"))))?;
    }
    let missing = missing(needs)?;
    if !missing.is_empty() {
        bail!("{}", instructions(&missing, "apt-get succeeded, and they are still not there"));
    }
    Ok(())
}

fn missing(needs: &[Need]) -> Result<Vec<Item>> {
    let mut missing: Vec<Item> = Vec::new();
    for need in needs {
        let items = match need {
            Need::Bpf => toolchain::items()?,
            Need::Lints => Vec::new(),
            Need::Browser => {
                vec![Item::program("chromium", "chromium", "opens the HTML reports in the tests")]
            }
            Need::Prometheus => {
                vec![Item::program("prometheus", "prometheus", "reads what iova export says in the tests")]
            }
            Need::Qemu => guest_items(),
            Need::Kernels(_) => kernel_items(),
            Need::Systemd => [kernel_items(), systemd_items()].concat(),
            Need::Chroots(_) => [kernel_items(), chroot_items()].concat(),
        };
        missing.extend(items.into_iter().filter(Item::is_missing));
    }
    missing.sort_by(|a, b| a.package.cmp(&b.package));
    missing.dedup_by(|a, b| a.package == b.package);
    Ok(missing)
}

fn kernel_items() -> Vec<Item> {
    let why = "reads Debian's archive and unpacks its kernels";
    vec![
        Item::program("apt-get", "apt", why),
        Item::program("dpkg-deb", "dpkg", why),
        Item::program("gpgv", "gpgv", "checks the signatures on Debian's archive"),
        Item::new(
            Probe::File("/usr/share/keyrings/debian-archive-keyring.gpg".into()),
            "debian-archive-keyring",
            "the keys that sign Debian's archive",
        ),
        Item::program("depmod", "kmod", "indexes the kernels' modules"),
    ]
}

fn chroot_items() -> Vec<Item> {
    vec![Item::program("unshare", "util-linux", "keeps the build of a kernel module apart from this system")]
}

fn systemd_items() -> Vec<Item> {
    vec![Item::program("mke2fs", "e2fsprogs", "makes the disk that keeps a guest's state between boots")]
}

fn guest_items() -> Vec<Item> {
    vec![
        Item::program("qemu-system-x86_64", "qemu-system-x86", "boots the lab's kernels"),
        Item::new(Probe::StaticProgram("busybox"), "busybox-static", "the guest's shell and tools"),
        Item::program("cpio", "cpio", "packs the guest's initramfs"),
        Item::program("xz", "xz-utils", "unpacks compressed kernel modules"),
    ]
}

/// A dynamically linked program names its loader near the beginning.
fn is_static(path: &Path) -> bool {
    let head = std::fs::read(path).unwrap_or_default();
    let head = &head[..head.len().min(4096)];
    !head.is_empty() && !head.windows(9).any(|window| window == b"/ld-linux")
}

fn install(missing: &[Item]) -> Result<()> {
    let packages: Vec<_> = missing.iter().map(|item| item.package.as_str()).collect();
    if cmd::which("apt-get").is_none() {
        bail!("this system has no apt-get");
    }
    say(format_args!("installing {}", packages.join(" ")));
    let install = || {
        let mut apt = as_root("apt-get")?;
        apt.args(["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"]);
        cmd::run(apt.args(&packages))
    };
    if install().is_ok() {
        return Ok(());
    }
    // The usual reason is a list older than the archive.
    update()?;
    install()
}

/// Reads the archive's lists anew.
pub(crate) fn update() -> Result<()> {
    cmd::run(as_root("apt-get")?.args(["update", "-qq"])).context("cannot update apt's lists")
}

fn as_root(program: &str) -> Result<std::process::Command> {
    let mut command = if is_root() {
        cmd::command("env")
    } else if cmd::which("sudo").is_some() {
        let mut sudo = cmd::command("sudo");
        if !std::io::stderr().is_terminal() {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        bail!("not root, and there is no sudo");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    Ok(command)
}

fn instructions(missing: &[Item], reason: &str) -> String {
    let width = missing.iter().map(|item| item.package.len()).max().unwrap_or(0);
    let list: String =
        missing.iter().map(|item| format!("\n  {:width$}  {}", item.package, item.why)).collect();
    let packages: Vec<_> = missing.iter().map(|item| item.package.as_str()).collect();
    format!(
        "missing on this machine:{list}\nThey could not be installed from here: {reason}\n\
         On Debian 12 or later, run this and then the same command again:\n  \
         sudo apt-get update && sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_name_every_package_and_its_reason() {
        let text = instructions(&[guest_items(), kernel_items()].concat(), "not root, and there is no sudo");
        for item in [guest_items(), kernel_items()].concat() {
            assert!(text.contains(item.why) && text.contains(&item.package), "{text}");
        }
        assert!(text.ends_with("debian-archive-keyring kmod"), "{text}");
    }

    #[test]
    fn what_is_nowhere_is_missing() {
        assert!(Item::program("no-such-program-here", "x", "").is_missing());
        assert!(Item::new(Probe::File("/no/such/file".into()), "x", "").is_missing());
        assert!(!Item::program("sh", "dash", "").is_missing());
    }
}
