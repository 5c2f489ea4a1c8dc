//! The kernel's own style checker over our C. Debian ships it only inside the kernel's source package, from
//! which it is taken once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::apt::{Apt, Suite};
use crate::fsx::{self, Lock};
use crate::{chroot, cmd, paths, say};

/// The series whose checker we follow; Debian keeps it as long as the suite.
const SERIES: &str = "6.12";
const SUITE: Suite = Suite::Trixie;

/// What checkpatch may say without being heard, each with the reason.
const IGNORED: [(&str, &str); 2] = [
    ("LINUX_VERSION_CODE", "one source builds on four kernel lines, in or out of tree"),
    (
        "USE_LOCKDEP",
        "the load module asks whether anybody holds a lock, which asserts nothing about the caller",
    ),
];

/// Checks every directory of kernel C that exists.
pub(crate) fn check() -> Result<()> {
    let directories = ["tests/iova_load", "tests/iova_edu", "iova-kmod", "iova-core/src/compat/tests"]
        .map(|dir| paths::root().join(dir));
    for dir in directories.iter().filter(|dir| dir.exists()) {
        check_directory(dir)?;
    }
    Ok(())
}

fn check_directory(dir: &Path) -> Result<()> {
    let is_c = |file: &PathBuf| file.extension().is_some_and(|e| e == "c" || e == "h");
    let files: Vec<_> = fsx::files_below(dir)?.into_iter().filter(is_c).collect();
    if files.is_empty() {
        bail!("{} has no C in it; has it moved?", dir.display());
    }
    let mut command = checker(dir)?;
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        bail!("checkpatch is not content with {}:\n{}", dir.display(), said.trim_end());
    }
    Ok(())
}

/// Perl comes from the chroot, where all its modules are.
fn checker(dir: &Path) -> Result<Command> {
    let root = chroot::ensure(SUITE)?;
    let scripts = scripts()?;
    let ignored: Vec<_> = IGNORED.iter().map(|(kind, _)| *kind).collect();
    let line = format!(
        "cd /build && find . -name '*.[ch]' | sort | xargs perl /usr/src/checkpatch.pl --no-tree --strict --terse \
         --no-summary --show-types --ignore {} --file",
        ignored.join(",")
    );
    Ok(chroot::inside(&root, &[(dir, "/build"), (&scripts, "/usr/src")], &line))
}

/// The directory with checkpatch.pl and its word lists.
fn scripts() -> Result<PathBuf> {
    let home = paths::cache()?.join(format!("checkpatch-{SERIES}"));
    let _lock = Lock::take("checkpatch")?;
    if !home.exists() {
        let started = Instant::now();
        say("checkpatch: taking it from Debian's kernel source package");
        fsx::make_dir(&home, extract)?;
        say(format_args!("checkpatch: ready ({:.0} s)", started.elapsed().as_secs_f32()));
    }
    Ok(home)
}

fn extract(dir: &Path) -> Result<()> {
    let debs = dir.join("debs");
    let source = format!("linux-source-{SERIES}");
    let deb = Apt::open(SUITE)?.download(std::slice::from_ref(&source), &debs)?.remove(0);
    let files = ["checkpatch.pl", "spelling.txt", "const_structs.checkpatch"];
    let wanted: Vec<_> = files.iter().map(|file| format!("'{source}/scripts/{file}'")).collect();
    let pipeline = format!(
        "set -o pipefail; dpkg-deb --fsys-tarfile \"$1\" | tar -xO ./usr/src/{source}.tar.xz | \
         tar -xJ -C \"$2\" --strip-components=2 {}",
        wanted.join(" ")
    );
    cmd::run(cmd::command("bash").args(["-c", &pipeline, "bash"]).arg(&deb).arg(dir))?;
    fs::metadata(dir.join("checkpatch.pl"))?;
    fsx::remove_tree(&debs)
}
