//! What a guest is made of, as a suite or the command line describes it.

use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::kmsg::KernelLog;
use super::spent::Spent;
use crate::kernels::Line;

/// The IOMMU that the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Iommu {
    /// Intel VT-d.
    Intel,
    /// AMD-Vi.
    Amd,
    /// virtio-iommu, the paravirtual one.
    Virtio,
}

impl Iommu {
    /// As the command line spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Intel => "intel",
            Self::Amd => "amd",
            Self::Virtio => "virtio",
        }
    }
}

/// Where the output of a guest's command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Io {
    /// To our own stdout and stderr, as it comes.
    Stream,
    /// Into the [`GuestResult`].
    Capture,
    /// Both of these.
    Tee,
    /// The command draws on the user's terminal, keys go to it.
    Terminal,
}

/// A file or directory of the guest that is to come back, and the host directory it comes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) guest: String,
    pub(crate) host: PathBuf,
}

impl FromStr for Out {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some((guest, host)) if guest.starts_with('/') && guest.len() > 1 && !host.is_empty() => {
                Ok(Self { guest: guest.to_owned(), host: host.into() })
            }
            _ => Err(anyhow!("write it as GUESTPATH:HOSTDIR, such as /tmp/report.json:results")),
        }
    }
}

/// What an edu device keeps of an address if nothing else is asked for: it is as broken as the commonest hardware.
pub(crate) const EDU_MASK: u64 = 0xffff_ffff;

/// A guest to boot.
#[derive(Clone, Debug)]
pub(crate) struct GuestSpec {
    /// The stock kernel to boot.
    pub(crate) line: Line,
    /// The IOMMU to put in front of the devices.
    pub(crate) iommu: Iommu,
    /// Unmap synchronously instead of through the flush queue.
    pub(crate) strict: bool,
    /// Boot with `iommu=pt`: devices bypass translation.
    pub(crate) passthrough: bool,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// Number of CPUs; one with `icount`.
    pub(crate) cpus: u32,
    /// Count instructions instead of time: one guest nanosecond per instruction.
    pub(crate) icount: bool,
    /// There is a second console, ttyS2, without a reader.
    pub(crate) unread_console: bool,
    /// The address bits that the edu device keeps, without telling anybody.
    pub(crate) edu_mask: u64,
    /// So many more edu devices, each behind a root port of its own, and so in an IOMMU group of its own.
    pub(crate) crowd: u8,
    /// More such devices: slot, from 8 to 30, and the bits that each keeps.
    pub(crate) more_edus: Vec<(u8, u64)>,
    /// There is a second module iova_policy, whose list names QEMU's devices.
    pub(crate) listed: bool,
    /// More kernel parameters.
    pub(crate) append: Vec<String>,
    /// The command.
    pub(crate) argv: Vec<String>,
    /// Its environment on top of a plain one.
    pub(crate) env: Vec<(String, String)>,
    /// Files of the host to put into the image: (path in the guest, file on the host).
    pub(crate) files: Vec<(String, PathBuf)>,
    /// What is to come back.
    pub(crate) out: Vec<Out>,
    /// What the NVMe disk holds, if that is to outlive the guest; else it is 8 GiB of nothing.
    pub(crate) disk: Option<Arc<File>>,
    /// A disk beside the NVMe that outlives the guest: the virtio disk at 00:06.0, which no IOMMU translates for.
    pub(crate) state: Option<Arc<File>>,
    /// Where every write to that disk and every flush of it is noted, if they are; see [`super::Forgetful`].
    pub(crate) state_log: Option<Arc<File>>,
    /// All threads of a translated guest keep to one CPU of the host.
    pub(crate) pinned: bool,
    /// From start to power-off.
    pub(crate) timeout: Duration,
    /// Where output goes.
    pub(crate) io: Io,
}

impl GuestSpec {
    /// A guest with the lab's defaults that captures the output of `argv`.
    pub(crate) fn new(line: Line, iommu: Iommu, argv: Vec<String>) -> Self {
        Self {
            line,
            iommu,
            strict: false,
            passthrough: false,
            // Shadows and quarantines take their part.
            memory: if line.is_built() { 2048 } else { 1024 },
            cpus: 2,
            icount: false,
            unread_console: false,
            edu_mask: EDU_MASK,
            crowd: 0,
            more_edus: Vec::new(),
            listed: false,
            append: Vec::new(),
            argv,
            env: Vec::new(),
            files: Vec::new(),
            out: Vec::new(),
            disk: None,
            state: None,
            state_log: None,
            pinned: true,
            timeout: Duration::from_secs(600),
            io: Io::Capture,
        }
    }
}

/// What a guest left behind when it powered off in good order.
#[derive(Debug)]
pub(crate) struct GuestResult {
    /// The command's exit code; 128 plus the signal's number if a signal ended it.
    pub(crate) code: i32,
    /// The command's output, if it was captured.
    pub(crate) stdout: Vec<u8>,
    /// The command's errors, if they were captured.
    pub(crate) stderr: Vec<u8>,
    /// The kernel's log.
    pub(crate) log: KernelLog,
    /// What went wrong around the command.
    pub(crate) problems: Vec<String>,
    /// What that took.
    pub(crate) spent: Spent,
}

impl GuestResult {
    /// From QEMU's start to the command's.
    pub(crate) fn boot(&self) -> Duration {
        self.spent.boot.unwrap_or(self.spent.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_needs_both_sides() {
        let out: Out = "/tmp/a:b/c".parse().unwrap();
        assert_eq!((out.guest.as_str(), out.host), ("/tmp/a", PathBuf::from("b/c")));
        for bad in ["", "/tmp/a", "/tmp/a:", "a:b", "/:b"] {
            assert!(bad.parse::<Out>().is_err(), "{bad}");
        }
    }
}
