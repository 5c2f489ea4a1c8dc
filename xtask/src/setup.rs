//! `cargo xtask setup`: finds or installs what the other commands need, and says so in one line each.

pub(crate) mod packages;
pub(crate) mod toolchain;

use anyhow::Result;

use crate::kernels::{self, Line};
use crate::{chroot, say};

/// Something a command needs before it can work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A compiler and a linker for eBPF.
    Bpf,
    /// QEMU and what packs an initramfs.
    Qemu,
    /// Unpacked kernels.
    Kernels(Vec<Line>),
    /// The compilers for these kernels' modules.
    Chroots(Vec<Line>),
}

impl Need {
    /// Everything, for `cargo xtask setup` itself.
    pub(crate) fn all() -> Vec<Self> {
        let lines = Line::ALL.to_vec();
        vec![Self::Bpf, Self::Qemu, Self::Kernels(lines.clone()), Self::Chroots(lines)]
    }
}

/// Makes sure of these needs; quick and silent when they are met.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    packages::ensure(needs)?;
    for need in needs {
        match need {
            Need::Bpf => toolchain::ensure()?,
            Need::Qemu => {}
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
        for line in Line::ALL {
            kernels::upgrade(line)?;
        }
    }
    ensure(&Need::all())?;
    say("everything is in place");
    Ok(())
}
