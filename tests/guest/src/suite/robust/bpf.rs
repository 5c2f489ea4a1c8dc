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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    pub(crate) programs: Vec<u32>,
    pub(crate) links: Vec<u32>,
    pub(crate) maps: Vec<u32>,
}

impl Objects {
    pub(crate) fn now() -> Result<Self> {
        Ok(Self {
            programs: ids(PROG_GET_NEXT_ID)?,
            links: ids(LINK_GET_NEXT_ID)?,
            maps: ids(MAP_GET_NEXT_ID)?,
        })
    }

    /// What is here and not in `earlier`; the kernel gives out its ids in order, so one is not used again soon.
    pub(crate) fn without(mut self, earlier: &Self) -> Self {
        self.programs.retain(|id| !earlier.programs.contains(id));
        self.links.retain(|id| !earlier.links.contains(id));
        self.maps.retain(|id| !earlier.maps.contains(id));
        self
    }

    /// Waits until there is nothing that was not there before. (What was there may go: another process's objects are
    /// freed some time after its end.)
    pub(crate) fn wait_until_back(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new = Self::now()?.without(self);
            if new == Self::default() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "left in the kernel: {new:?}");
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
