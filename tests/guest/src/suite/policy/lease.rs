//! `/dev/iova_policy`, as a program uses it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use iova_common::policy::{
    self as abi, ABORT_QUARANTINE, Abort, Flush, IOC_ABORT, IOC_COMMIT, IOC_FLUSH, IOC_INFO, IOC_RENEW,
    IOC_STAGE, IOC_STATUS, Info, Lease, Record, Stage,
};

use super::device::Device;

pub(super) const CONTROL: &str = "/dev/iova_policy";

/// An open control device. Closing it ends its leases.
pub(super) struct Control(pub(super) File);

impl Control {
    pub(super) fn open() -> Result<Self> {
        let file = File::options().read(true).write(true).open(CONTROL);
        file.map(Self).with_context(|| format!("opening {CONTROL}"))
    }

    /// Any request; what the module wrote is in `data`.
    pub(super) fn call<T>(&self, request: u32, data: &mut T) -> io::Result<()> {
        // SAFETY: every structure of this ABI begins with its size, and the module writes no more than that.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request as libc::Ioctl, &raw mut *data) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    pub(super) fn info(&self) -> Result<Info> {
        let mut info = Info { argsz: size_of::<Info>() as u32, ..Info::default() };
        self.call(IOC_INFO, &mut info).context("INFO")?;
        Ok(info)
    }

    /// Begins a lease; what the module answers is also there when it refuses.
    pub(super) fn stage(&self, stage: &mut Stage) -> io::Result<()> {
        stage.argsz = size_of::<Stage>() as u32;
        self.call(IOC_STAGE, stage)
    }

    /// Begins a lease of `dac:40`.
    pub(super) fn stage_dac(&self, device: Device, lease_ms: u32) -> Result<Stage> {
        let mut stage =
            Stage { bdf: device.number(), kind: abi::kind::DAC, width: 40, lease_ms, ..Stage::default() };
        let refusal = self.stage(&mut stage);
        refusal.with_context(|| format!("staging dac:40 for {} (refusal {})", device.0, stage.refusal))?;
        Ok(stage)
    }

    fn lease(&self, request: u32, cookie: u64, lease_ms: u32) -> io::Result<Lease> {
        let mut lease = Lease { argsz: size_of::<Lease>() as u32, cookie, lease_ms, ..Lease::default() };
        self.call(request, &mut lease)?;
        Ok(lease)
    }

    pub(super) fn renew(&self, cookie: u64, lease_ms: u32) -> io::Result<Lease> {
        self.lease(IOC_RENEW, cookie, lease_ms)
    }

    pub(super) fn commit(&self, cookie: u64) -> io::Result<Lease> {
        self.lease(IOC_COMMIT, cookie, 0)
    }

    pub(super) fn status(&self, cookie: u64) -> io::Result<Lease> {
        self.lease(IOC_STATUS, cookie, 0)
    }

    pub(super) fn abort(&self, cookie: u64) -> io::Result<()> {
        let cause = abi::cause::ABORT;
        let mut abort = Abort { argsz: size_of::<Abort>() as u32, cookie, cause, ..Abort::default() };
        self.call(IOC_ABORT, &mut abort)
    }

    /// Ends it with a fault of unknown meaning.
    pub(super) fn quarantine(&self, cookie: u64) -> io::Result<()> {
        let (flags, cause) = (ABORT_QUARANTINE, abi::cause::FAULT);
        let mut abort = Abort { argsz: size_of::<Abort>() as u32, flags, cookie, cause, ..Abort::default() };
        self.call(IOC_ABORT, &mut abort)
    }

    pub(super) fn flush(&self, device: Device) -> io::Result<()> {
        let flags = abi::flush_flag::RCACHE | abi::flush_flag::QUEUE;
        let mut flush =
            Flush { argsz: size_of::<Flush>() as u32, bdf: device.number(), flags, ..Flush::default() };
        self.call(IOC_FLUSH, &mut flush)
    }

    /// All records from where this file stands.
    pub(super) fn records(&self) -> Result<Vec<Record>> {
        let mut all = Vec::new();
        loop {
            let mut some = [Record::default(); 32];
            // SAFETY: the buffer is as long as said, and any bytes make a record.
            let length =
                unsafe { libc::read(self.0.as_raw_fd(), some.as_mut_ptr().cast(), size_of_val(&some)) };
            if length < 0 {
                return Err(io::Error::last_os_error()).context("reading records");
            }
            if length == 0 {
                return Ok(all);
            }
            all.extend_from_slice(&some[..length.unsigned_abs() / size_of::<Record>()]);
        }
    }
}

/// The records about a device, oldest first.
pub(super) fn records_of(device: Device) -> Result<Vec<Record>> {
    let mut records = Control::open()?.records()?;
    records.retain(|record| record.bdf == device.number());
    Ok(records)
}

/// Holds a lease of `dac:40` for the device with this number until it is killed: what `guest-suite --hold-lease NUMBER`
/// does. Says so on standard output, or ends if it can't have it.
pub(crate) fn hold(number: &str) -> Result<()> {
    let control = Control::open()?;
    let (kind, lease_ms) = (abi::kind::DAC, 60_000);
    let mut stage = Stage { bdf: number.parse()?, kind, width: 40, lease_ms, ..Stage::default() };
    control.stage(&mut stage)?;
    println!("held");
    loop {
        std::thread::park();
    }
}
