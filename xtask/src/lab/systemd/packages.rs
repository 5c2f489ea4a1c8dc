//! The Debian that is booted: a few packages, unpacked and not installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use crate::apt::{Apt, Suite};
use crate::fsx::{self, Lock};
use crate::{cmd, paths, say};

/// Raise it when the recipe below changes.
const RECIPE: u32 = 1;

const PACKAGES: [&str; 4] = ["systemd", "udev", "kmod", "base-passwd"];

/// The release whose backports have the kernel that is booted.
const SUITE: Suite = Suite::Bookworm;

/// The unpacked packages, downloaded if they are not in the cache.
pub(crate) fn ensure() -> Result<PathBuf> {
    let _lock = Lock::take("systemd")?;
    let home = paths::cache()?.join("systemd");
    let dir = home.join(format!("{}-{RECIPE}", SUITE.name()));
    if !dir.exists() {
        let started = Instant::now();
        say(format_args!("systemd: downloading it from {}", SUITE.name()));
        fsx::make_dir(&dir, fill)?;
        fsx::forget_old(&home, SUITE.name())?;
        say(format_args!("systemd: ready ({:.0} s)", started.elapsed().as_secs_f32()));
    }
    Ok(dir)
}

fn fill(dir: &Path) -> Result<()> {
    let debs = dir.join("debs");
    // A real Debian has these as links, and everything below usr.
    for name in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(dir.join("usr").join(name))?;
        symlink(format!("usr/{name}"), dir.join(name))?;
    }
    for deb in Apt::open(SUITE)?.download_closure(&PACKAGES, &debs)? {
        // dpkg-deb --extract would put directories in the place of the links.
        let pipeline =
            "set -o pipefail; dpkg-deb --fsys-tarfile \"$1\" | tar -x --keep-directory-symlink -C \"$2\"";
        cmd::run(cmd::command("bash").args(["-c", pipeline, "bash"]).arg(&deb).arg(dir))?;
    }
    fsx::remove_tree(&debs)?;
    by_hand(dir)
}

/// What maintainer scripts would have done, as far as a boot sees it.
fn by_hand(dir: &Path) -> Result<()> {
    for (master, file) in [("passwd", "etc/passwd"), ("group", "etc/group")] {
        fs::copy(dir.join(format!("usr/share/base-passwd/{master}.master")), dir.join(file))?;
    }
    // It is no first boot; that would want presets and questions.
    fs::write(dir.join("etc/machine-id"), "10fa10fa10fa10fa10fa10fa10fa10fa\n")?;
    fs::write(dir.join("etc/hostname"), "iova-lab\n")?;
    Ok(())
}
