//! `cargo xtask setup`: finds or installs what the other commands need, and says so in one line each.

pub(crate) mod duckdb;
pub(crate) mod packages;
pub(crate) mod toolchain;

use anyhow::{Context as _, Result};

use crate::kernels::{self, Line};
use crate::{chroot, cmd, lab, say};

/// Something a command needs before it can work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A compiler and a linker for eBPF.
    Bpf,
    /// rustfmt and clippy.
    Lints,
    /// A browser that needs no screen.
    Browser,
    /// A monitoring system.
    Prometheus,
    /// QEMU and what packs an initramfs.
    Qemu,
    /// Unpacked kernels.
    Kernels(Vec<Line>),
    /// The systemd that a guest boots.
    Systemd,
    /// The compilers for these kernels' modules.
    Chroots(Vec<Line>),
}

impl Need {
    /// Everything, for `cargo xtask setup` itself.
    pub(crate) fn all() -> Vec<Self> {
        let lines = Line::ALL.to_vec();
        vec![
            Self::Bpf,
            Self::Lints,
            Self::Browser,
            Self::Prometheus,
            Self::Qemu,
            Self::Kernels(lines.clone()),
            Self::Chroots(lines),
            Self::Systemd,
        ]
    }
}

/// Makes sure of these needs; quick and silent when they are met.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    packages::ensure(needs)?;
    for need in needs {
        match need {
            Need::Bpf => toolchain::ensure()?,
            Need::Lints => toolchain::ensure_lints()?,
            Need::Browser | Need::Prometheus | Need::Qemu => {}
            Need::Systemd => lab::ensure_systemd().map(drop)?,
            Need::Kernels(lines) => {
                for line in lines {
                    kernels::ensure(*line)?;
                }
            }
            Need::Chroots(lines) => {
                for line in lines {
                    chroot::ensure(line.suite())?;
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid reads one number and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// `cargo xtask setup`.
pub(crate) fn run(upgrade: bool) -> Result<()> {
    if upgrade {
        packages::ensure(&Need::all())?;
        for line in Line::ALL {
            kernels::upgrade(line)?;
        }
    }
    ensure(&Need::all())?;
    duckdb::ensure();
    report()
}

/// What is there, in one line each.
fn report() -> Result<()> {
    let compiler = toolchain::find()?.context("the eBPF compiler went away")?;
    let kind = if compiler.has_core { "has core for BPF" } else { "builds core for BPF from its sources" };
    say(format_args!("eBPF compiler: {} (LLVM {}, {kind})", compiler.rustc.display(), compiler.llvm));
    say(format_args!("eBPF linker: {}", toolchain::linker(&compiler)?.display()));
    for program in ["qemu-system-x86_64", "busybox"] {
        let path = cmd::which(program).with_context(|| format!("{program} went away"))?;
        say(format_args!("{program}: {}", path.display()));
    }
    for line in Line::ALL {
        let kernel = kernels::ensure(line)?;
        let chroot = chroot::ensure(line.suite())?;
        say(format_args!(
            "kernel {line}: {} (modules are built in {})",
            kernel.dir.display(),
            chroot.display()
        ));
    }
    Ok(())
}
