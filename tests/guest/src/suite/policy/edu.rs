//! The dishonest device: it drops address bits and says so to nobody. See the module iova_edu.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
pub(crate) use iova_guest::edu::{BYTES, ask, number};

use super::device::{self, EDU};

/// The device with its driver. Dropping this takes the driver away.
pub(super) struct Edu(());

/// One write of the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// Where it was told to write.
    pub(super) address: u64,
    /// When, in nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Bytes that came where they belong.
    pub(super) arrived: u64,
}

impl Edu {
    /// Binds the driver to a new device, with nothing in its caches, in a domain that unmaps at once where that can be
    /// chosen: in a flush queue what was unmapped can be reached a little longer.
    pub(super) fn bind() -> Result<Self> {
        device::rmmod("iova_edu")?;
        EDU.replug()?;
        domain("DMA")?;
        device::modprobe("iova_edu")?;
        ensure!(EDU.driver().as_deref() == Some("iova_edu"), "iova_edu did not bind to {}", EDU.0);
        Ok(Self(()))
    }

    /// Maps the page that must not change exactly there.
    pub(super) fn bystander(&self, at: u64) -> Result<()> {
        ask(&format!("bystander at={at:#x}")).map(drop)
    }

    /// How many bytes of that page have changed.
    pub(super) fn changed(&self) -> Result<u64> {
        number(&ask("verify")?, "changed")
    }

    /// Lets the device write `count` times, this long apart.
    pub(super) fn write(&self, count: usize, pause_ms: u32) -> Result<Vec<Transfer>> {
        let answer = ask(&format!("write bytes={BYTES} count={count} pause_ms={pause_ms}"))?;
        (0..count).map(|index| Transfer::parse(&answer, index)).collect()
    }
}

impl Drop for Edu {
    fn drop(&mut self) {
        let _ = device::rmmod("iova_edu");
        let _ = domain("DMA-FQ");
    }
}

impl Transfer {
    fn parse(answer: &str, index: usize) -> Result<Self> {
        let get = |key: &str| number(answer, &format!("{key}_{index}"));
        Ok(Self {
            address: get("address")?,
            start: get("start")?,
            end: get("end")?,
            arrived: get("arrived")?,
        })
    }
}

/// The type of the device's domain, on kernels where it can be written (5.11).
fn domain(kind: &str) -> Result<()> {
    let path = EDU.path("iommu_group/type");
    if fs::read_to_string(&path)?.trim() == kind {
        return Ok(());
    }
    match fs::write(&path, kind) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) && !is_writable(&path) => Ok(()),
        result => result.with_context(|| format!("making the domain of {} of type {kind}", EDU.0)),
    }
}

fn is_writable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o200 != 0)
}
