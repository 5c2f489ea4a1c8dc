//! What `cargo xtask lab` needs before its guest can start; minutes of work on a new machine.

use anyhow::{Result, anyhow};

use super::initramfs::Programs;
use crate::chroot;
use crate::kernels::{self, Line};
use crate::setup::{self, Need, packages, toolchain};
use crate::steps::Steps;

/// Finds, installs, downloads and compiles it: downloads run beside the compiler.
pub(super) fn prepare(line: Line) -> Result<Programs> {
    let (kernel, chroot) = (format!("kernel {line}"), format!("chroot {}", line.suite().name()));
    let (installing, linker, compiling) = ("packages", "bpf-linker", "compiling iova");
    let steps = Steps::new(&[installing, &kernel, &chroot, linker, compiling]);
    let needs = [Need::Qemu, Need::Kernels(vec![line]), Need::Chroots(vec![line]), Need::Bpf];
    steps.run(installing, || packages::ensure(&needs))?;
    let download = || {
        steps.run(&kernel, || kernels::ensure(line))?;
        steps.run(&chroot, || chroot::ensure(line.suite()))
    };
    let compile = || {
        steps.run(linker, toolchain::ensure)?;
        steps.run(compiling, Programs::in_guest_profile)
    };
    std::thread::scope(|scope| {
        let downloaded = scope.spawn(download);
        let programs = compile();
        downloaded.join().map_err(|_| anyhow!("the thread of downloads panicked"))??;
        programs
    })
}

/// The same for a guest without anything of ours but its init.
pub(super) fn prepare_bare(line: Line) -> Result<Programs> {
    setup::ensure(&[Need::Qemu, Need::Kernels(vec![line])])?;
    Programs::bare()
}
