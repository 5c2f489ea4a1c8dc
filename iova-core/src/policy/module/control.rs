//! `/dev/iova_policy`: changes on trial.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use iova_common::policy as abi;

use super::lease::{Abort, Drain, Lease, LeaseStatus, Request, Staged, Wakeup};
use super::{Info, Layout, ModuleError, Record, answer, ioctl};
use crate::kernel::{Kernel, Root};
use crate::policy::{Bdf, Cause, Evidence, Refusal};

/// An open `/dev/iova_policy`. Leases begun with it end when it is dropped, unless they were committed.
#[derive(Debug)]
pub struct Control {
    file: File,
    info: Info,
    layout: Layout,
    record_size: usize,
}

impl Control {
    /// Opens it, checks the version, and compares the module's layout with the kernel's BTF.
    ///
    /// # Errors
    /// `NotLoaded`, `NoNode`, `NotPermitted`, `AbiMismatch`, `Io`.
    pub fn open(kernel: Option<&Kernel>) -> Result<Self, ModuleError> {
        let root = kernel.map_or_else(Root::default, |kernel| kernel.root.clone());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(root.path(super::DEVICE_NODE))
            .map_err(|error| answer::open(&root, error))?;
        let file = closed_first(file);
        let mut raw = ioctl::Info::default();
        ioctl::call(&file, &mut raw).map_err(answer::info)?;
        let info = Info::new(&raw.0)?;
        let record_size = raw.0.record_size as usize;
        Ok(Self { layout: Layout::compare(&info, kernel.map(|kernel| &kernel.btf)), file, info, record_size })
    }

    /// Version, features, bounds of leases.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Whether the module looks for the allocator where the kernel has it.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What [`Self::stage`] would do; changes nothing.
    ///
    /// # Errors
    /// As [`Self::stage`].
    pub fn dry_run(&self, request: &Request) -> Result<Staged, ModuleError> {
        self.send(request, abi::stage_flag::DRY_RUN, self.info.lease_min_ms).map(|lease| lease.staged)
    }

    /// Puts a policy in force until it is committed, aborted, `lease` is over, this `Control` is dropped, the process
    /// dies, or the device loses its driver.
    ///
    /// # Errors
    /// `Refused` with the reason, `Busy`, `Stale`, `NoDevice`, `NotPermitted`, `Io`; then nothing is changed.
    pub fn stage(&self, request: &Request, lease: Duration) -> Result<Lease, ModuleError> {
        self.send(request, 0, self.milliseconds(lease))
    }

    /// The same for a lease that is a heartbeat: where space is held first (up to five seconds, before Linux 6.6), `lease`
    /// counts from when that is done.
    ///
    /// # Errors
    /// As for [`Self::stage`].
    pub fn stage_watched(&self, request: &Request, lease: Duration) -> Result<Lease, ModuleError> {
        self.send(request, abi::stage_flag::RESTART, self.milliseconds(lease))
    }

    fn send(&self, request: &Request, flags: u32, lease_ms: u32) -> Result<Lease, ModuleError> {
        if let Layout::Differs { .. } = self.layout {
            return Err(ModuleError::Refused(Refusal::Layout));
        }
        let mut raw = ioctl::Stage(request.to_abi(flags, lease_ms));
        let result = ioctl::call(&self.file, &mut raw);
        let raw = raw.0;
        result.map_err(|error| answer::stage(error, request, raw.refusal))?;
        Ok(Lease::new(request.bdf, &raw))
    }

    /// Sets what is left of a lease.
    ///
    /// # Errors
    /// `NoLease` if it is over, `Io`.
    pub fn renew(&self, lease: &Lease, left: Duration) -> Result<LeaseStatus, ModuleError> {
        let mut raw = ioctl::Renew(lease.to_abi());
        raw.0.lease_ms = self.milliseconds(left);
        ioctl::call(&self.file, &mut raw).map_err(|error| answer::lease("prolonging the trial", error))?;
        Ok(LeaseStatus::new(&raw.0))
    }

    /// Keeps the policy.
    ///
    /// # Errors
    /// `NoLease` if it is over, `Io`.
    pub fn commit(&self, lease: &Lease) -> Result<LeaseStatus, ModuleError> {
        let mut raw = ioctl::Commit(lease.to_abi());
        ioctl::call(&self.file, &mut raw).map_err(|error| answer::lease("confirming the trial", error))?;
        Ok(LeaseStatus::new(&raw.0))
    }

    /// Where a lease stands; also of one that is over.
    ///
    /// # Errors
    /// `NoLease` if the module does not know it any more, `Io`.
    pub fn status(&self, lease: &Lease) -> Result<LeaseStatus, ModuleError> {
        let mut raw = ioctl::Status(lease.to_abi());
        ioctl::call(&self.file, &mut raw).map_err(|error| answer::lease("looking at the trial", error))?;
        Ok(LeaseStatus::new(&raw.0))
    }

    /// Ends a lease: the former policy is back when this returns. A lease that a fault has ended takes the evidence once
    /// more, when it is known what the fault meant.
    ///
    /// # Errors
    /// `NoLease` if it is over already (and explained), `Io`.
    pub fn abort(&self, lease: &Lease, how: Abort) -> Result<(), ModuleError> {
        let (flags, cause, evidence) = match how {
            Abort::GiveUp => (0, Cause::Abort, Evidence::default()),
            Abort::Quarantine { cause, evidence } => (abi::ABORT_QUARANTINE, cause, evidence),
        };
        let mut raw = ioctl::Abort(abi::Abort {
            flags,
            cookie: lease.cookie,
            cause: cause.number(),
            evidence: evidence.to_abi(),
            ..abi::Abort::default()
        });
        ioctl::call(&self.file, &mut raw).map_err(|error| answer::lease("ending the trial", error))
    }

    /// Drains the caches of the device's domain; no policy changes.
    ///
    /// # Errors
    /// `Refused` if this kernel offers no way, `NoDevice`, `NotPermitted`, `Io`.
    pub fn flush(&self, bdf: Bdf, what: Drain) -> Result<(), ModuleError> {
        if let Layout::Differs { .. } = self.layout {
            return Err(ModuleError::Refused(Refusal::Layout));
        }
        let bit = |wanted: bool, flag: u32| if wanted { flag } else { 0 };
        let flags = bit(what.caches, abi::flush_flag::RCACHE) | bit(what.queue, abi::flush_flag::QUEUE);
        let mut raw = ioctl::Flush(abi::Flush { flags, bdf: bdf.raw(), ..abi::Flush::default() });
        ioctl::call(&self.file, &mut raw).map_err(|error| match error.raw_os_error() {
            Some(libc::EOPNOTSUPP) => ModuleError::Refused(Refusal::NoMechanism),
            _ => answer::device("draining the caches", error, bdf),
        })
    }

    /// Records not read yet; on a fresh `Control` all that the module still has, oldest first.
    ///
    /// # Errors
    /// `Io`.
    pub fn records(&mut self) -> Result<Vec<Record>, ModuleError> {
        let mut records = Vec::new();
        let mut buffer = vec![0; self.record_size * 64];
        loop {
            let read = match self.file.read(&mut buffer) {
                Ok(0) => return Ok(records),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(records),
                Err(error) => return Err(ModuleError::io("reading the module's records", error)),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            let raw = bytes.chunks_exact(self.record_size).filter_map(ioctl::record);
            records.extend(raw.map(|raw| Record::new(&raw)));
        }
    }

    /// Sleeps until there are new records or a lease of this file is over, at most for `timeout`. The descriptor
    /// ([`AsFd`]) can be polled together with others too: POLLIN and POLLPRI.
    ///
    /// # Errors
    /// `Io`.
    pub fn wait(&self, timeout: Duration) -> Result<Wakeup, ModuleError> {
        let mut poll =
            libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN | libc::POLLPRI, revents: 0 };
        let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one valid pollfd.
        let result = unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
        if result < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(ModuleError::io("waiting for the module", error));
            }
            return Ok(Wakeup::default());
        }
        let has = |event: libc::c_short| poll.revents & event != 0;
        Ok(Wakeup { records: has(libc::POLLIN), lease_ended: has(libc::POLLPRI) })
    }

    fn milliseconds(&self, wanted: Duration) -> u32 {
        let wanted = u32::try_from(wanted.as_millis()).unwrap_or(u32::MAX);
        wanted.clamp(self.info.lease_min_ms, self.info.lease_max_ms.max(self.info.lease_min_ms))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The same file under a high number.
///
/// When a process dies, its files are let go in the reverse order of their numbers (`close_files`, fs/file.c, queues
/// them from the lowest on; `task_work_run`, kernel/task_work.c, takes the last one first; 5.10 to 7.3). Detaching a
/// tracer's programs takes seconds, and a policy must not last that long after its holder.
fn closed_first(file: File) -> File {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills one rlimit.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    let highest = if known { limit.rlim_cur.min(HIGH_NUMBER) } else { 0 };
    let number = i32::try_from(highest.saturating_sub(1)).unwrap_or(0);
    // SAFETY: an open descriptor; the result is a new one, or -1.
    let high = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    if high < 0 {
        return file;
    }
    // SAFETY: the kernel has just made this descriptor for us.
    unsafe { File::from_raw_fd(high) }
}

/// Above all others of a tracer, and below the usual limit.
const HIGH_NUMBER: libc::rlim_t = 1000;
