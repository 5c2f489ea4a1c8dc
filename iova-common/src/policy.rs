//! The ABI of `/dev/iova_policy`: `iova-kmod/iova_policy.h` in Rust.
//!
//! The header is the original. A test of `iova-core` compiles it with `cc` and compares every size, offset, number and
//! request code with this file.

/// Major version of the ABI: another one is another interface.
pub const ABI_MAJOR: u16 = 2;
/// Minor version: what is added is behind `argsz` and feature bits.
pub const ABI_MINOR: u16 = 0;

/// `enum iova_policy_kind`.
pub mod kind {
    /// What the kernel does by itself; width 0.
    pub const STOCK: u32 = 0;
    /// Never above 2^width; 32 to 63.
    pub const CAP: u32 = 1;
    /// The range up to 2^width at once; 33 to 57.
    pub const DAC: u32 = 2;
}

/// Bits of `features` and `mechanisms`.
pub mod mechanism {
    /// The device's own 32-bit-first flag (6.6).
    pub const FLAG: u32 = 1 << 0;
    /// The device's `bus_dma_limit`.
    pub const LIMIT: u32 = 1 << 1;
    /// The space below 4 GiB is held.
    pub const FILL: u32 = 1 << 2;
    /// The device's DMA masks, after its driver set them.
    pub const MASK: u32 = 1 << 3;
    /// The domain's caches can be drained.
    pub const FLUSH: u32 = 1 << 4;
}

/// `enum iova_policy_refusal`.
pub mod refusal {
    /// Not refused.
    pub const OK: u32 = 0;
    /// No IOMMU translates for the device.
    pub const NO_IOMMU: u32 = 1;
    /// Identity domain: no IOVA is allocated.
    pub const IDENTITY: u32 = 2;
    /// The domain is not the DMA API's (VFIO).
    pub const UNMANAGED: u32 = 3;
    /// Shares its requester ID.
    pub const ALIASED: u32 = 4;
    /// The mechanism would hit the group's other devices.
    pub const SHARED_GROUP: u32 = 5;
    /// Firmware needs fixed addresses (RMRR, IVMD).
    pub const DIRECT_REGION: u32 = 6;
    /// The device can't address that much.
    pub const MASK: u32 = 7;
    /// A narrower bus limit is there already.
    pub const NARROWER: u32 = 8;
    /// This is a crash kernel.
    pub const KDUMP: u32 = 9;
    /// This kernel offers no way for this device.
    pub const NO_MECHANISM: u32 = 10;
    /// The allocator's structures are not as expected.
    pub const LAYOUT: u32 = 11;
    /// A fault was seen under a wider policy.
    pub const QUARANTINED: u32 = 12;
    /// Wider than the protective cap.
    pub const CAPPED: u32 = 13;
    /// lockdown=confidentiality: only caps.
    pub const LOCKDOWN: u32 = 14;
    /// No driver is bound: nothing to lease.
    pub const UNBOUND: u32 = 15;
    /// Every usable address is above the cap.
    pub const NO_LOW_SPACE: u32 = 16;
    /// The low space could not be held.
    pub const HELD: u32 = 17;
    /// Width out of range for the kind.
    pub const WIDTH: u32 = 18;
    /// The module's parameter `off` is set.
    pub const OFF: u32 = 19;
    /// A limit would decrypt coherent memory (SME).
    pub const ENCRYPTED: u32 = 20;
}

/// `enum iova_policy_cause`.
pub mod cause {
    /// Written to sysfs `policy`.
    pub const SYSFS: u32 = 1;
    /// Written to sysfs `cap`.
    pub const CAP: u32 = 2;
    /// A lease began.
    pub const STAGE: u32 = 3;
    /// A lease was confirmed.
    pub const COMMIT: u32 = 4;
    /// Its holder gave up.
    pub const ABORT: u32 = 5;
    /// Its holder went away.
    pub const CLOSED: u32 = 6;
    /// Its time ran out.
    pub const EXPIRED: u32 = 7;
    /// Its holder, or the kernel, saw an IOMMU fault.
    pub const FAULT: u32 = 8;
    /// Its holder saw a PCIe error.
    pub const AER: u32 = 9;
    /// Applied again: a driver was bound.
    pub const BIND: u32 = 10;
    /// Taken back: the driver went, its lease ended.
    pub const UNBIND: u32 = 11;
    /// The device went.
    pub const REMOVED: u32 = 12;
    /// The system goes to sleep: leases end.
    pub const SUSPEND: u32 = 13;
    /// The module goes.
    pub const UNLOAD: u32 = 14;
    /// `idle` written to sysfs `state`: out of quarantine.
    pub const RELEASED: u32 = 15;
    /// Asked for and refused.
    pub const REFUSED: u32 = 16;
    /// Cap of the module's own list.
    pub const LIST: u32 = 17;
    /// The module's parameter `off` ended all.
    pub const OFF: u32 = 18;
    /// The device came back: its cap of before.
    pub const RETURNED: u32 = 19;
}

/// `enum iova_policy_relation`.
pub mod relation {
    /// Nobody compared.
    pub const UNKNOWN: u32 = 0;
    /// No live address explains it.
    pub const UNRELATED: u32 = 1;
    /// address == live mod 2^width.
    pub const TRUNCATED: u32 = 2;
    /// address == live ^ xor.
    pub const MANGLED: u32 = 3;
}

/// `enum iova_policy_lease_state`.
pub mod lease_state {
    /// Running.
    pub const OPEN: u32 = 0;
    /// Committed.
    pub const KEPT: u32 = 1;
    /// Over; `cause` says why.
    pub const ENDED: u32 = 2;
}

/// Flags of [`Stage`].
pub mod stage_flag {
    /// Say what would happen, change nothing.
    pub const DRY_RUN: u32 = 1 << 0;
    /// And drain the domain's caches.
    pub const FLUSH: u32 = 1 << 1;
    /// dac: from the top of the width, without a window.
    pub const WHOLE: u32 = 1 << 2;
    /// The lease counts again once all space is held.
    pub const RESTART: u32 = 1 << 3;
}

/// Flag of [`Abort`]: and refuse dac from now on.
pub const ABORT_QUARANTINE: u32 = 1 << 0;

/// Flags of [`Flush`].
pub mod flush_flag {
    /// Free what the caches hold.
    pub const RCACHE: u32 = 1 << 0;
    /// Run the flush queue's timer now.
    pub const QUEUE: u32 = 1 << 1;
}

/// `struct iova_policy_evidence`: a faulting address and what it comes from.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What the IOMMU saw.
    pub address: u64,
    /// The allocated address it comes from.
    pub live: u64,
    /// address ^ live.
    pub xor: u64,
    /// One of [`relation`].
    pub relation: u32,
    /// Truncated: bits that came through.
    pub width: u32,
}

/// `struct iova_policy_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Size the caller knows.
    pub argsz: u32,
    /// 0.
    pub flags: u32,
    /// See [`ABI_MAJOR`].
    pub abi_major: u16,
    /// See [`ABI_MINOR`].
    pub abi_minor: u16,
    /// [`mechanism`]s this build can use on this kernel at all.
    pub features: u32,
    /// Shortest lease, ms.
    pub lease_min_ms: u32,
    /// Longest lease, ms.
    pub lease_max_ms: u32,
    /// Offset of the `iova_domain` in the private cookie; -1: not used.
    pub iovad_offset: i32,
    /// Bytes per record of `read()`.
    pub record_size: u32,
}

/// `struct iova_policy_stage`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Size the caller knows.
    pub argsz: u32,
    /// [`stage_flag`]s.
    pub flags: u32,
    /// segment << 16 | bus << 8 | devfn.
    pub bdf: u32,
    /// Expected generation; 0: any.
    pub generation: u32,
    /// One of [`kind`].
    pub kind: u32,
    /// Address bits.
    pub width: u32,
    /// Highest low 32 bits of an address; 0: 0x7fffffff.
    pub window: u32,
    /// Length of the lease, ms.
    pub lease_ms: u32,
    /// Out: names the lease.
    pub cookie: u64,
    /// Out: highest address that can come, inclusive.
    pub limit: u64,
    /// Out: bytes of low space held.
    pub held: u64,
    /// Out: [`mechanism`]s.
    pub mechanisms: u32,
    /// Out: one of [`refusal`].
    pub refusal: u32,
}

/// `struct iova_policy_lease`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Size the caller knows.
    pub argsz: u32,
    /// 0.
    pub flags: u32,
    /// Names the lease.
    pub cookie: u64,
    /// Renew in: ms from now; out: what is left.
    pub lease_ms: u32,
    /// Out: one of [`lease_state`].
    pub state: u32,
    /// Out: one of [`cause`].
    pub cause: u32,
    /// Out: the device's generation.
    pub generation: u32,
}

/// `struct iova_policy_abort`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abort {
    /// Size the caller knows.
    pub argsz: u32,
    /// [`ABORT_QUARANTINE`] or 0.
    pub flags: u32,
    /// Names the lease.
    pub cookie: u64,
    /// ABORT, FAULT or AER of [`cause`].
    pub cause: u32,
    /// 0.
    pub reserved: u32,
    /// What was seen.
    pub evidence: Evidence,
}

/// `struct iova_policy_flush`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// Size the caller knows.
    pub argsz: u32,
    /// [`flush_flag`]s.
    pub flags: u32,
    /// segment << 16 | bus << 8 | devfn.
    pub bdf: u32,
    /// 0.
    pub reserved: u32,
}

/// `struct iova_policy_record`: one change or refusal.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Number of the record since the module was loaded.
    pub seq: u64,
    /// CLOCK_REALTIME, ns.
    pub time_ns: u64,
    /// segment << 16 | bus << 8 | devfn.
    pub bdf: u32,
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// Generation after the change.
    pub generation: u32,
    /// One of [`cause`].
    pub cause: u32,
    /// Kind before.
    pub old_kind: u16,
    /// Width before.
    pub old_width: u16,
    /// Kind after.
    pub new_kind: u16,
    /// Width after.
    pub new_width: u16,
    /// One of [`refusal`].
    pub refusal: u32,
    /// [`mechanism`]s.
    pub mechanisms: u32,
    /// Who logged in; `u32::MAX`: nobody.
    pub loginuid: u32,
    /// Effective user.
    pub uid: u32,
    /// Process.
    pub pid: u32,
    /// 0.
    pub reserved: u32,
    /// Name of the process, ended by a zero byte.
    pub comm: [u8; 16],
    /// What was seen.
    pub evidence: Evidence,
}

/// `IOVA_POLICY_MAGIC`.
pub const MAGIC: u32 = 0xda;

/// `_IOWR(IOVA_POLICY_MAGIC, nr, T)` of `include/uapi/asm-generic/ioctl.h`, the encoding of x86, arm64 and riscv.
const fn iowr<T>(nr: u32) -> u32 {
    3 << 30 | (size_of::<T>() as u32) << 16 | MAGIC << 8 | nr
}

/// What this build on this kernel can do.
pub const IOC_INFO: u32 = iowr::<Info>(0x60);
/// Begins a lease, or says what would happen.
pub const IOC_STAGE: u32 = iowr::<Stage>(0x61);
/// Sets what is left of a lease.
pub const IOC_RENEW: u32 = iowr::<Lease>(0x62);
/// Keeps the policy of a lease.
pub const IOC_COMMIT: u32 = iowr::<Lease>(0x63);
/// State of a lease.
pub const IOC_STATUS: u32 = iowr::<Lease>(0x64);
/// Ends a lease.
pub const IOC_ABORT: u32 = iowr::<Abort>(0x65);
/// Drains the caches of a device's domain.
pub const IOC_FLUSH: u32 = iowr::<Flush>(0x66);
/// All of them.
pub const REQUESTS: [u32; 7] = [IOC_INFO, IOC_STAGE, IOC_RENEW, IOC_COMMIT, IOC_STATUS, IOC_ABORT, IOC_FLUSH];
