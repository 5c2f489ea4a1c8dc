//! What eBPF objects the kernel holds.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// Maps of a program go when a work queue and an RCU grace period have had their turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commands of `bpf(2)`.
const PROG_GET_NEXT_ID: libc::c_long = 11;
const MAP_GET_NEXT_ID: libc::c_long = 12;
const LINK_GET_NEXT_ID: libc::c_long = 31;

/// The ids of everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objects {
    pub(super) programs: Vec<u32>,
    pub(super) links: Vec<u32>,
    pub(super) maps: Vec<u32>,
}

impl Objects {
    pub(super) fn now() -> Result<Self> {
        Ok(Self {
            programs: ids(PROG_GET_NEXT_ID)?,
            links: ids(LINK_GET_NEXT_ID)?,
            maps: ids(MAP_GET_NEXT_ID)?,
        })
    }

    /// Waits until there is no more than there was.
    pub(super) fn wait_until_back(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::now()?;
            if now == *self {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "left in the kernel: {now:?}, before: {self:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[repr(C)]
struct NextId {
    start: u32,
    next: u32,
    flags: u32,
}

fn ids(command: libc::c_long) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    loop {
        let mut attr = NextId { start: found.last().copied().unwrap_or(0), next: 0, flags: 0 };
        // SAFETY: `attr` is laid out as the kernel's union member for these commands, and outlives the call.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attr, size_of::<NextId>()) };
        if result == 0 {
            found.push(attr.next);
            continue;
        }
        let error = io::Error::last_os_error();
        ensure!(error.raw_os_error() == Some(libc::ENOENT), "asking for eBPF objects: {error}");
        return Ok(found);
    }
}
